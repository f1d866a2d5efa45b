"""References that are not ours: maest-infer (torch) and transformers' AST, with random weights."""

import importlib
import importlib.machinery
import sys
import types

import numpy as np
import torch

MEL_BANDS = 96
ROWS = 9


def _import_with_torchaudio(module: str):
    """Import a module that imports torchaudio without needing it here.

    Both references do, for spectrograms. Its wheels on PyPI load only beside a CUDA build of
    torch; where that fails, an empty module takes its place.
    """
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        for name in ("torchaudio", "torchaudio.transforms"):
            stand_in = types.ModuleType(name)
            stand_in.__spec__ = importlib.machinery.ModuleSpec(name, None)
            sys.modules[name] = stand_in
        stand_in.Spectrogram = stand_in.MelScale = None
    return importlib.import_module(module)


def columns_of(frames: int) -> int:
    return (frames - 16) // 10 + 1


def make_maest(
    frames: int, classes: int, *, dim=96, heads=4, depth=3, seed=0, **more
) -> torch.nn.Module:
    """Build maest-infer's model, every parameter drawn so that it matters."""
    model_class = _import_with_torchaudio("maest_infer.model").MAEST
    model = model_class(
        img_size=(MEL_BANDS, frames),
        stride=(10, 10),
        num_classes=classes,
        embed_dim=dim,
        depth=depth,
        num_heads=heads,
        distilled=True,
        **more,
    )
    return randomize(model, seed)


def make_ast(frames: int, classes: int, *, dim=96, heads=4, depth=3, epsilon=1e-6, seed=0):
    """Build transformers' model with the same hyperparameters."""
    transformers = _import_with_torchaudio("transformers")
    _import_with_torchaudio("transformers.models.audio_spectrogram_transformer")
    config = transformers.ASTConfig(
        hidden_size=dim,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=4 * dim,
        num_mel_bins=MEL_BANDS,
        max_length=frames,
        time_stride=10,
        frequency_stride=10,
        layer_norm_eps=epsilon,
        id2label={number: f"Genre---Style {number}" for number in range(classes)},
        attn_implementation="eager",
    )
    return randomize(transformers.ASTForAudioClassification(config), seed)


def randomize(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Draw every parameter anew: the libraries' own start has zero biases and tiny matrices."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1:
                is_scale = name.endswith("weight")
                parameter.copy_(1 + 0.3 * noise if is_scale else 0.2 * noise)
            elif ("embed" in name and "proj" not in name) or "token" in name:
                parameter.copy_(0.5 * noise)
            else:
                inputs = parameter[0].numel()
                parameter.copy_(1.3 * inputs**-0.5 * noise)
    return model.eval()


def ast_from_maest(maest: torch.nn.Module, frames: int, heads: int, epsilon=1e-6):
    """Give transformers' model with the weights of maest-infer's (its head has another epsilon)."""
    source = maest.state_dict()
    dim = maest.embed_dim
    ast = make_ast(
        frames, maest.num_classes, dim=dim, heads=heads, depth=len(maest.blocks), epsilon=epsilon
    )
    encoder = ast.audio_spectrogram_transformer
    patches = source["freq_new_pos_embed"] + source["time_new_pos_embed"]
    joint = torch.cat([source["new_pos_embed"], patches.flatten(2).transpose(1, 2)], dim=1)
    with torch.no_grad():
        encoder.embeddings.cls_token.copy_(source["cls_token"])
        encoder.embeddings.distillation_token.copy_(source["dist_token"])
        encoder.embeddings.position_embeddings.copy_(joint)
    encoder.embeddings.patch_embeddings.projection.load_state_dict(
        maest.patch_embed.proj.state_dict()
    )
    for ours, theirs in zip(encoder.layers, maest.blocks, strict=True):
        attention = ours.attention
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        for number, part in enumerate(parts):
            rows = slice(number * dim, (number + 1) * dim)
            part.load_state_dict(
                {"weight": theirs.attn.qkv.weight[rows], "bias": theirs.attn.qkv.bias[rows]}
            )
        attention.o_proj.load_state_dict(theirs.attn.proj.state_dict())
        ours.layernorm_before.load_state_dict(theirs.norm1.state_dict())
        ours.layernorm_after.load_state_dict(theirs.norm2.state_dict())
        ours.mlp.fc1.load_state_dict(theirs.mlp.fc1.state_dict())
        ours.mlp.fc2.load_state_dict(theirs.mlp.fc2.state_dict())
    encoder.layernorm.load_state_dict(maest.norm.state_dict())
    ast.classifier.layernorm.load_state_dict(maest.head[0].state_dict())
    ast.classifier.dense.load_state_dict(maest.head[1].state_dict())
    return ast


def random_mel(frames: int, seed: int = 1) -> np.ndarray:
    """Give a normalised spectrogram [96, frames]."""
    return np.random.default_rng(seed).standard_normal((MEL_BANDS, frames)).astype(np.float32)


def patches_of(mel: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Cut patches [kept, 256] out of a spectrogram [96, frames], element t * 16 + f."""
    columns = columns_of(mel.shape[1])
    tiles = []
    for index in kept:
        row, column = divmod(int(index), columns)
        tile = mel[row * 10 : row * 10 + 16, column * 10 : column * 10 + 16]
        tiles.append(tile.T.reshape(256))
    return np.array(tiles, np.float32)


def kept_of(columns: int, dropped_rows=(), time_step: int = 1) -> np.ndarray:
    """Give the indices of the patches that are kept, row by row."""
    rows = [row for row in range(ROWS) if row not in dropped_rows]
    chosen = [row * columns + column for row in rows for column in range(0, columns, time_step)]
    return np.array(chosen, np.int64)


def run_maest(maest, mel: np.ndarray, dropped_rows=(), time_step: int = 1):
    """Give the tokens of every block, and the logits, of one spectrogram."""
    maest.s_patchout_f_indices = list(dropped_rows)
    maest.s_patchout_t_interleaved = time_step if time_step > 1 else 0
    tokens: list[np.ndarray] = []
    hooks = [
        block.register_forward_hook(lambda _module, _inputs, output: tokens.append(output.numpy()))
        for block in maest.blocks
    ]
    try:
        with torch.no_grad():
            batch = torch.from_numpy(mel)[None, None]
            logits = maest(batch, melspectrogram_input=True)[0].numpy()
    finally:
        for hook in hooks:
            hook.remove()
    return tokens, logits


def run_ast(ast, mel: np.ndarray, kept: np.ndarray | None = None):
    """Give the tokens of every block, and the logits; `kept` selects patches as patchout does."""
    tokens: list[np.ndarray] = []
    encoder = ast.audio_spectrogram_transformer
    hooks = [
        layer.register_forward_hook(
            lambda _module, _inputs, output: tokens.append(
                (output[0] if isinstance(output, tuple) else output).numpy()
            )
        )
        for layer in encoder.layers
    ]
    if kept is not None:
        rows = torch.from_numpy(np.concatenate([[0, 1], kept + 2]))
        hooks.append(
            encoder.embeddings.register_forward_hook(lambda _m, _i, output: output[:, rows])
        )
    try:
        with torch.no_grad():
            logits = ast(torch.from_numpy(mel.T.copy())[None]).logits.numpy()
    finally:
        for hook in hooks:
            hook.remove()
    return tokens, logits
