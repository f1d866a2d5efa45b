"""Weights from other networks' files: against maest-infer's own adapting, and refusals."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from checkpoint_files import (
    LABELS,
    check_outputs,
    export_official,
    save_folder,
    save_lightning,
    small_ast,
    small_maest,
)
from essentia_maest.making.checkpoints import read_checkpoint
from essentia_maest.making.conversion import convert
from network_fixtures import generator, our_maest, reference_maest
from reference_models import (
    _import_with_torchaudio,
    make_ast,
    random_mel,
    randomize,
    run_ast,
    run_maest,
)
from training.errors import CheckpointError, ConfigError
from training.model.baselines import resnet50
from training.model.initialisation import initialise
from training.model.maest import MAEST

FRAMES, COLUMNS, CLASSES = 206, 20, 7
SIDE = 24
# Of checkpoint_files' small model.
SMALL = {"dim": 128, "heads": 2, "depth": 3}


def deit_state(dim=48, depth=3, side=SIDE):
    """The arrays of DeiT B distilled 384, at another width."""
    shapes = {
        "cls_token": (1, 1, dim),
        "dist_token": (1, 1, dim),
        "pos_embed": (1, 2 + side * side, dim),
        "patch_embed.proj.weight": (dim, 3, 16, 16),
        "patch_embed.proj.bias": (dim,),
        "norm.weight": (dim,),
        "norm.bias": (dim,),
        "head.weight": (1000, dim),
        "head.bias": (1000,),
        "head_dist.weight": (1000, dim),
        "head_dist.bias": (1000,),
    }
    names = reference_maest(206, dim=dim, depth=depth).state_dict()
    shapes |= {name: value.shape for name, value in names.items() if name.startswith("blocks.")}
    drawn = generator(4)
    return {name: torch.randn(shape, generator=drawn) for name, shape in shapes.items()}


def passt_state(classes=527):
    """The arrays of PaSST-S at another width: 12 rows of 128 bands, 99 columns."""
    model_class = _import_with_torchaudio("maest_infer.model").MAEST
    model = model_class(
        img_size=(128, 998), stride=(10, 10), num_classes=classes, embed_dim=48, depth=3,
        num_heads=4, distilled=True,
    )  # fmt: skip
    return randomize(model, 1).state_dict()


def reference_adapting():
    return _import_with_torchaudio("maest_infer.loading")


def test_deit_is_adapted_as_the_reference_does(tmp_path):
    state = deit_state()
    path = tmp_path / "deit_base_distilled_patch16_384-d0272ac0.pth"
    torch.save({"model": state}, path)
    ours = our_maest(FRAMES)
    random_head = ours.head[1].weight.clone()
    notes = initialise(ours, "deit", path).notes

    adapting = reference_adapting()
    model = reference_maest(FRAMES)
    wanted = adapting.checkpoint_filter_fn({"model": dict(state)}, model)
    wanted["patch_embed.proj.weight"] = adapting.adapt_input_conv(
        1, state["patch_embed.proj.weight"]
    )
    found = ours.state_dict()
    for name, array in wanted.items():
        if not name.startswith("head"):
            torch.testing.assert_close(found[name], array, rtol=1e-5, atol=1e-6)
    assert torch.equal(ours.head[1].weight, random_head)
    assert notes[1:] == [
        "position encodings: 24 x 24 interpolated to 9 x 20, then averaged along each axis",
        "input convolution: summed over 3 colours",
        "heads: made anew for 7 classes",
    ]


def test_passt_is_adapted_as_the_reference_does(tmp_path):
    state = passt_state()
    path = tmp_path / "passt-s-f128-p16-s10-ap.476-swa.pt"
    torch.save(state, path)
    ours = our_maest(FRAMES)
    random_head = ours.head[1].weight.clone()
    notes = initialise(ours, "passt", path).notes

    wanted = reference_adapting().checkpoint_filter_fn(dict(state), reference_maest(FRAMES))
    found = ours.state_dict()
    for name, array in wanted.items():
        if not name.startswith(("head.1", "head_dist")):
            torch.testing.assert_close(found[name], array, rtol=1e-5, atol=1e-6)
    assert torch.equal(ours.head[1].weight, random_head)
    assert notes[1:] == [
        "frequency encoding: 12 interpolated to 9",
        "time encoding: 99 interpolated to 20",
        "heads: 527 classes, made anew for 7",
    ]


@pytest.mark.parametrize("long", [106, 306])
def test_a_maest_of_another_length_is_interpolated(tmp_path, long):
    reference = reference_maest(long)
    path = tmp_path / "maest.pt"
    torch.save(reference.state_dict(), path)
    ours = our_maest(FRAMES)
    notes = initialise(ours, "maest", path).notes
    wanted = torch.nn.functional.interpolate(
        reference.time_new_pos_embed.detach(), size=(1, COLUMNS), mode="bicubic"
    )
    torch.testing.assert_close(ours.time_new_pos_embed.detach(), wanted)
    assert torch.equal(ours.freq_new_pos_embed, reference.freq_new_pos_embed)
    assert torch.equal(ours.head[1].weight, reference.head[1].weight)
    assert notes[1:] == [
        f"time encoding: {(long - 16) // 10 + 1} interpolated to 20",
        "head: kept, of 7 classes",
    ]


def ours_like_small(**more):
    return our_maest(166, CLASSES, **SMALL | more).eval()


SAVERS = {
    "state dict": lambda path, state: torch.save(state, path),
    "lightning": save_lightning,
    "safetensors": lambda path, state: save_file(
        {name: value.contiguous() for name, value in state.items()}, path
    ),
    "half precision": lambda path, state: torch.save(
        {name: value.half() for name, value in state.items()}, path
    ),
}


@pytest.mark.parametrize("kind", SAVERS)
def test_every_public_file_of_a_maest_gives_its_outputs(tmp_path, kind):
    path = tmp_path / "file"
    SAVERS[kind](path, small_maest().state_dict())
    ours = ours_like_small()
    initialise(ours, "maest", path)
    mel = random_mel(166)
    _, wanted = run_maest(small_maest(), mel)
    found = ours(torch.from_numpy(mel)[None]).logits.detach().numpy()
    tolerance = 2e-2 if kind == "half precision" else 1e-5
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()
    if kind != "half precision":
        small_maest().load_state_dict(ours.state_dict(), strict=True)


def test_public_weights_come_back_as_a_public_file_and_as_a_model_file(tmp_path):
    public, again, model = (tmp_path / name for name in ("public.ckpt", "again.pt", "model.onnx"))
    save_lightning(public, small_maest().state_dict())
    ours = ours_like_small()
    initialise(ours, "maest", public)
    torch.save(ours.state_dict(), again)
    reference = reference_maest(166, CLASSES, **SMALL)
    reference.load_state_dict(torch.load(again, weights_only=True), strict=True)
    mel = random_mel(166)
    wanted = run_maest(small_maest(), mel)
    np.testing.assert_array_equal(run_maest(reference.eval(), mel)[1], wanted[1])
    convert(again, model, labels=LABELS)
    check_outputs(model, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "folder, bin", "safetensors", "official ONNX"])
def test_joint_encodings_that_are_sums_are_split_exactly(tmp_path, kind):
    if kind == "official ONNX":
        path = tmp_path / "model.onnx"
        export_official(path)
    else:
        name = "pytorch_model.bin" if kind == "folder, bin" else "model.safetensors"
        save_folder(tmp_path, small_ast(), name)
        path = tmp_path / name if kind == "safetensors" else tmp_path
    ours = ours_like_small()
    notes = initialise(ours, "maest", path).notes
    assert "joint position encodings: sums of one of frequency and one of time" in notes[1]
    mel = random_mel(166)
    _, wanted = run_ast(small_ast(), mel)
    found = ours(torch.from_numpy(mel)[None]).logits.detach().numpy()
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


def test_joint_encodings_that_are_no_sums_are_split_by_averages_and_it_is_said(tmp_path):
    ast = make_ast(166, CLASSES, dim=128, heads=2, epsilon=1e-6)
    save_folder(tmp_path, ast)
    ours = ours_like_small()
    notes = initialise(ours, "maest", tmp_path).notes
    joint = ast.audio_spectrogram_transformer.embeddings.position_embeddings[0, 2:].detach()
    bias = ast.audio_spectrogram_transformer.embeddings.patch_embeddings.projection.bias.detach()
    grid = (joint + bias).reshape(9, 16, 128)
    found = (ours.freq_new_pos_embed + ours.time_new_pos_embed)[0].detach().permute(1, 2, 0)
    wanted = grid.mean(1, keepdim=True) + grid.mean(0, keepdim=True) - grid.mean((0, 1))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    lost = ((grid - wanted).square().sum() / (grid - grid.mean((0, 1))).square().sum()).item()
    assert f"loses {lost:.2%} of their variance" in notes[1]
    assert "epsilon of 1e-06; here it has 1e-05" in notes[2]


@pytest.mark.parametrize("named", [True, False])
def test_heads_whose_classes_have_no_names_are_made_anew(tmp_path, named):
    """A bare file of weights names none, a Hugging Face folder does."""
    if named:
        path = tmp_path
        save_folder(tmp_path, small_ast())
        classes = read_checkpoint(tmp_path).labels
        assert classes is not None
    else:
        path, classes = tmp_path / "file.pt", LABELS
        torch.save(small_maest().state_dict(), path)
    ours = ours_like_small()
    torch.nn.init.zeros_(ours.head[1].weight)  # else the same as the file's
    notes = initialise(ours, "maest", path, classes).notes
    assert bool(ours.head[1].weight.any()) == named
    words = f"heads: made anew for {CLASSES} classes: the checkpoint does not name its classes"
    assert (words in notes) != named


def test_random_leaves_the_network_alone():
    ours = our_maest(FRAMES)
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    assert initialise(ours, "random", None).notes == ["weights: random"]
    assert all(torch.equal(before[name], value) for name, value in ours.state_dict().items())


def refused(tmp_path, source, state, *, network=None, match):
    """Check that a file is refused and the network left as it was."""
    path = tmp_path / "file.pt"
    torch.save(state, path)
    ours = network or our_maest(FRAMES)
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    with pytest.raises(CheckpointError, match=match):
        initialise(ours, source, path)
    assert all(torch.equal(before[name], value) for name, value in ours.state_dict().items())


def test_checkpoints_of_the_wrong_size_are_refused(tmp_path):
    state = reference_maest(FRAMES).state_dict()
    for network, wanted in (
        (our_maest(FRAMES, dim=96), "width 96, 3 blocks"),
        (our_maest(FRAMES, depth=4), "width 48, 4 blocks"),
    ):
        refused(
            tmp_path, "maest", state, network=network,
            match=f"of the wrong size: found width 48, 3 blocks; wanted {wanted}",
        )  # fmt: skip
    thin = MAEST(dim=48, depth=3, heads=4, classes=7, segment_frames=FRAMES, mlp_ratio=2)
    refused(tmp_path, "maest", state, network=thin, match="wrong size: 'blocks.0.mlp.fc1.weight'")
    refused(tmp_path, "deit", deit_state(dim=96), match="found width 96, 3 blocks; wanted width 48")
    save_folder(tmp_path / "ast", small_ast())
    with pytest.raises(CheckpointError, match="2 attention heads; wanted .* 4 attention heads"):
        initialise(ours_like_small(heads=4), "maest", tmp_path / "ast")


@pytest.mark.parametrize("head", ["mean", "embedding"])
def test_of_a_deeper_start_the_first_blocks_are_taken(tmp_path, head):
    """What its head had learnt was of the last, so that it is made anew."""
    deep = our_maest(FRAMES, head=head)
    torch.save(deep.state_dict(), tmp_path / "deep.pt")
    cut = our_maest(FRAMES, depth=2, head=head)
    drawn = cut.head[1].weight.clone()
    notes = initialise(cut, "maest", tmp_path / "deep.pt").notes
    assert "blocks: the first 2 of 3" in notes
    assert "heads: made anew for 7 classes" in notes
    assert torch.equal(cut.head[1].weight, drawn)
    mel = torch.randn(2, 96, FRAMES)
    assert torch.equal(cut.tokens(mel, 2), deep.tokens(mel, 2))


def test_arrays_that_are_missing_unknown_or_not_finite_are_refused(tmp_path):
    state = dict(reference_maest(FRAMES).state_dict())
    for name in ("norm.weight", "blocks.1.mlp.fc2.bias", "head.1.weight", "time_new_pos_embed"):
        some = {key: value for key, value in state.items() if key != name}
        refused(tmp_path, "maest", some, match=name)
    refused(tmp_path, "maest", state | {"gate": torch.zeros(3)}, match="unknown 'gate'")
    for value in (float("nan"), float("inf")):
        broken = state | {"norm.bias": torch.full((48,), value)}
        refused(tmp_path, "maest", broken, match="'norm.bias' has values that are not finite")
    whole = state | {"norm.bias": torch.zeros(48, dtype=torch.int64)}
    refused(tmp_path, "maest", whole, match="'norm.bias' has values that are not finite numbers")
    bad = state | {"freq_new_pos_embed": torch.zeros(1, 48, 9)}
    refused(tmp_path, "maest", bad, match="'freq_new_pos_embed' has the shape")
    plain = deit_state() | {"pos_embed": torch.zeros(1, 577, 48)}
    refused(tmp_path, "deit", plain, match="distilled DeiT on square images")
    del plain["dist_token"]
    plain["pos_embed"] = torch.zeros(1, 578, 48)
    refused(tmp_path, "deit", plain, match="missing 'dist_token'")


def test_a_file_of_another_kind_is_named(tmp_path):
    state = reference_maest(FRAMES).state_dict()
    refused(tmp_path, "deit", state, match="found no pos_embed; wanted for deit: deit_base")
    refused(tmp_path, "maest", deit_state(), match="found an image transformer")
    refused(tmp_path, "maest", passt_state(), match="12 patch rows.*the initialisation is 'passt'")


def test_damaged_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "maest.ckpt"
    torch.save(reference_maest(FRAMES).state_dict(), path)
    path.write_bytes(path.read_bytes()[:5000])
    for file, message in (
        (path, "damaged"),
        (tmp_path / "none.pt", "does not exist"),
        (tmp_path, "without config.json"),
    ):
        with pytest.raises(CheckpointError, match=message):
            initialise(our_maest(FRAMES), "maest", file)
    refused(tmp_path, "maest", {"layer.weight": torch.zeros(3)}, match="wanted those of MAEST")


def test_arguments_that_do_not_go_together_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="wanted its checkpoint, passt-s"):
        initialise(our_maest(FRAMES), "passt", None)
    with pytest.raises(ConfigError, match="random takes no checkpoint"):
        initialise(our_maest(FRAMES), "random", tmp_path)
    with pytest.raises(ConfigError, match="'vit': wanted random, deit"):
        initialise(our_maest(FRAMES), "vit", tmp_path)
    with pytest.raises(ConfigError, match="only MAEST has it"):
        initialise(resnet50(3), "deit", tmp_path)
