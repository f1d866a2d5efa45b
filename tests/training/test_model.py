"""MAEST in torch against maest-infer: outputs, gradients, names; compilation; bad input."""

import copy

import pytest
import torch

from essentia_maest.making import metadata
from essentia_maest.making.checkpoints.training_files import SIZE_HEADS
from network_fixtures import ROWS, generator, our_maest, reference_draws, reference_maest
from training.config import ModelConfig, PatchoutConfig
from training.errors import ConfigError
from training.model.build import build_network
from training.model.maest import grid_columns
from training.model.sizes import SIZES, segment_frames

FRAMES = 206  # 20 columns
COLUMNS = 20
KEPT_ROWS = torch.tensor([0, 3, 4, 8])
KEPT_COLUMNS = torch.tensor([1, 2, 5, 6, 11, 19])
KEPT_PATCHES = torch.tensor([0, 1, 5, 7, 8, 13, 20, 21, 23])


def kept_patches(columns):
    return (KEPT_ROWS[:, None] * columns + KEPT_COLUMNS).flatten()


CASES = {
    "everything": {},
    "rows and columns": {"structured": True},
    "rows, columns and patches": {"structured": True, "unstructured": True},
    "patches": {"unstructured": True},
    "short input, offset": {"frames": 166, "offset": 3},
    "short input, offset, patchout": {"frames": 206, "long": 306, "offset": 7, "structured": True},
}


def both(case, head, mode):
    """Give both models in double precision, an input, and what either needs to drop the same."""
    frames = case.get("frames", FRAMES)
    columns = grid_columns(frames)
    settings, keeps = {}, []
    kept = torch.arange(ROWS * columns)
    if case.get("structured"):
        settings |= {"s_patchout_t": columns - len(KEPT_COLUMNS), "s_patchout_f": ROWS - 4}
        keeps += [KEPT_COLUMNS, KEPT_ROWS]
        kept = kept_patches(columns)
    if case.get("unstructured"):
        settings["u_patchout"] = len(kept) - len(KEPT_PATCHES)
        keeps.append(KEPT_PATCHES)
        kept = kept[KEPT_PATCHES]
    length = case.get("long", FRAMES)
    reference = reference_maest(length, head=head, **settings).double()
    ours = our_maest(length, head=head).double()
    ours.load_state_dict(reference.state_dict())
    mel = torch.randn(2, 96, frames, generator=generator(1)).double()
    reference.train(mode == "train")
    ours.train(mode == "train")
    return reference, ours, mel, kept, keeps


@pytest.mark.parametrize("head", ["mean", "separated"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_outputs_and_gradients_are_the_references(case, head):
    reference, ours, mel, kept, keeps = both(case, head, "train")
    offset = case.get("offset", 0)
    with reference_draws(keeps=keeps, offset=offset):
        *wanted, _features = reference(mel[:, None].clone(), melspectrogram_input=True)
    found = [logits for logits in ours(mel, kept=kept, offset=offset) if logits is not None]

    assert len(found) == len(wanted) == (1 if head == "mean" else 2)
    for logits, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(logits, theirs, rtol=1e-9, atol=1e-9)

    weights = torch.randn(found[0].shape, generator=generator(2)).double()
    for outputs in (found, wanted):
        sum((number + 1) * (out * weights).sum() for number, out in enumerate(outputs)).backward()
    theirs = dict(reference.named_parameters())
    for name, parameter in ours.named_parameters():
        gradient = theirs[name].grad
        if gradient is None:
            assert head == "mean"
            assert name.startswith("head_dist.")
            assert parameter.grad is None
            continue
        difference = (parameter.grad - gradient).norm() / gradient.norm()
        assert difference < 1e-8, name


@pytest.mark.parametrize("frames", [FRAMES, 166])
def test_evaluation_keeps_everything_and_starts_at_the_first_column(frames):
    reference, ours, mel, _, _ = both({"frames": frames}, "mean", "eval")
    patchout = PatchoutConfig(3, 5, 4)
    ours.patchout = patchout
    reference.s_patchout_t, reference.s_patchout_f, reference.u_patchout = 5, 3, 4
    with torch.no_grad():
        wanted = reference(mel[:, None].clone(), melspectrogram_input=True)[0]
        torch.testing.assert_close(ours(mel).logits, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("seconds", "classes"), [(5, 400), (10, 519)])
def test_single_precision_is_the_references_within_the_mark(seconds, classes):
    frames = segment_frames(seconds)
    reference = reference_maest(frames, classes)
    ours = our_maest(frames, classes).eval()
    ours.load_state_dict(reference.state_dict())
    mel = torch.randn(2, 96, frames, generator=generator(1))
    with torch.no_grad():
        wanted = reference(mel[:, None].clone(), melspectrogram_input=True)[0]
        found = ours(mel).logits
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_evaluation_of_a_separated_model_gives_the_mean_of_both_heads():
    ours = our_maest(FRAMES, head="separated")
    mel = torch.randn(2, 96, FRAMES, generator=generator(1))
    with torch.no_grad():
        both_logits = ours.train()(mel)
        single = ours.eval()(mel)
    assert single.teacher is None
    torch.testing.assert_close(single.logits, (both_logits.logits + both_logits.teacher) / 2)
    assert not torch.equal(both_logits.logits, both_logits.teacher)


def test_tokens_are_the_references_blocks():
    reference, ours, mel, _, _ = both({}, "mean", "eval")
    tokens = []
    for block in reference.blocks:
        block.register_forward_hook(lambda _module, _inputs, output: tokens.append(output))
    with torch.no_grad():
        reference(mel[:, None].clone(), melspectrogram_input=True)
        for number, wanted in enumerate(tokens, start=1):
            found = ours.tokens(mel, number)
            torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
        kept = kept_patches(COLUMNS)
        some = ours.tokens(mel, 3, kept)
        logits = ours(mel, kept=kept).logits
        pair = ours.norm(some[:, :2])
    assert some.shape == (2, 2 + len(kept), 48)
    torch.testing.assert_close(ours.head(pair.mean(dim=1)), logits)


def test_state_dicts_go_both_ways():
    reference, ours = reference_maest(FRAMES), our_maest(FRAMES)
    names = {name: value.shape for name, value in ours.state_dict().items()}
    assert names == {name: value.shape for name, value in reference.state_dict().items()}
    reference.load_state_dict(ours.state_dict(), strict=True)


def test_weights_start_as_the_references_do():
    ours = build_network(ModelConfig(size="tiny", depth=2, seconds=5), 400, seed=3)
    for name, parameter in ours.named_parameters():
        if name.startswith("patch_embed."):  # torch's own start of a convolution
            assert 0 < parameter.abs().max() <= 256**-0.5
        elif parameter.ndim > 1:
            assert abs(parameter.std().item() - 0.02) < 0.002, name
            assert abs(parameter.mean().item()) < 0.002, name
        else:
            is_scale = name.endswith("weight")
            assert torch.equal(parameter, torch.full_like(parameter, float(is_scale))), name


def test_a_seed_gives_the_same_weights_and_leaves_torchs_generator_alone():
    state = torch.get_rng_state()
    first, again, other = (
        build_network(ModelConfig(size="tiny", depth=1, seconds=5), 3, seed) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert all(map(torch.equal, first.state_dict().values(), again.state_dict().values()))
    assert not torch.equal(first.cls_token, other.cls_token)


def test_sizes_and_segments_are_the_papers():
    network = build_network(ModelConfig(), 400, seed=0)
    read = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert 85e6 < read < 87.5e6  # "close to 87 million"
    assert {seconds: segment_frames(seconds) for seconds in (5, 10, 20, 30)} == {
        5: 316, 10: 626, 20: 1256, 30: 1876,
    }  # fmt: skip
    assert network.columns == metadata.grid_columns(30) == 187
    assert {name: size.heads for name, size in SIZES.items()} == SIZE_HEADS


def test_training_draws_patches_and_offset_anew_each_time_and_the_same_by_generator():
    patchout = PatchoutConfig(frequency=3, time=5, unstructured=6)
    ours = our_maest(306, patchout=patchout).train()
    mel = torch.randn(1, 96, FRAMES, generator=generator(1))
    seen = []
    ours.blocks[0].register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0].shape[1]))
    drawn = generator(5)
    with torch.no_grad():
        first, second = ours(mel, generator=drawn).logits, ours(mel, generator=drawn).logits
        again = ours(mel, generator=generator(5)).logits
    assert set(seen) == {2 + 6 * 15 - 6}
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.allclose(first, second)


def test_every_offset_comes_up_about_as_often():
    ours = our_maest(FRAMES).train()
    mel = torch.zeros(1, 96, 176)  # 17 of 20 columns: offsets 0 to 3
    drawn = generator()
    counts = torch.zeros(4)
    for _ in range(1000):
        _, column, encoding = ours._places(mel, None, None, drawn)
        counts[encoding[0] - column[0]] += 1
    statistic = ((counts - 250) ** 2 / 250).sum()
    assert statistic < 16.27  # chi-squared, 3 degrees of freedom, 0.1 %


def test_nothing_needs_a_generator_where_nothing_is_drawn():
    ours = our_maest(FRAMES).train()
    ours(torch.zeros(1, 96, FRAMES))
    with pytest.raises(ValueError, match="wanted a generator"):
        ours(torch.zeros(1, 96, 106))
    ours.patchout = PatchoutConfig(time=1)
    with pytest.raises(ValueError, match="wanted a generator"):
        ours(torch.zeros(1, 96, FRAMES))


@pytest.mark.slow
@torch._dynamo.config.patch(error_on_recompile=True)  # monkeypatch would leave it deleted
def test_a_compiled_model_gives_the_same_without_graph_breaks_or_recompiling():
    torch._dynamo.reset()
    ours = our_maest(FRAMES, depth=2, patchout=PatchoutConfig(2, 4)).train()
    plain = copy.deepcopy(ours)
    names = list(ours.state_dict())
    # Graph capture and differentiation, as for any backend; the code of one needs a C++ compiler.
    ours.compile(fullgraph=True, backend="aot_eager")
    mel = torch.randn(2, 96, FRAMES, generator=generator(1))
    for seed in range(3):
        results = []
        for model in (ours, plain):
            model.zero_grad()
            logits = model(mel, generator=generator(seed)).logits
            logits.square().sum().backward()
            results.append((logits.detach(), model.time_new_pos_embed.grad.clone()))
        torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)
    assert list(ours.state_dict()) == names
    # A copy, as weight averaging makes, computes with its own weights.
    twin = copy.deepcopy(ours)
    with torch.no_grad():
        twin.head[1].weight.zero_()
        twin.head[1].bias.fill_(2.0)
    assert torch.equal(twin(mel, generator=generator()).logits, torch.full((2, 7), 2.0))


def test_mixed_precision_is_close():
    ours = our_maest(FRAMES).train()
    mel = torch.randn(2, 96, FRAMES, generator=generator(1))
    wanted = ours(mel).logits
    with torch.autocast("cpu", torch.bfloat16):
        found = ours(mel).logits
    assert (found.float() - wanted).norm() < 0.05 * wanted.norm()


def test_input_that_does_not_fit_is_refused():
    ours = our_maest(FRAMES).eval()
    for shape in ((2, 128, 206), (96, 206), (1, 1, 96, 206)):
        with pytest.raises(ValueError, match=r"wanted \[batch, 96, frames\]"):
            ours(torch.zeros(shape))
    for frames in (15, 216):
        with pytest.raises(ValueError, match="wanted 16 to 215"):
            ours(torch.zeros(1, 96, frames))
    assert ours(torch.zeros(1, 96, 215)).logits.shape == (1, 7)
    mel = torch.zeros(1, 96, FRAMES)
    for kept in ([180], [-1], []):
        with pytest.raises(ValueError, match="kept"):
            ours(mel, kept=torch.tensor(kept, dtype=torch.int64))
    with pytest.raises(ValueError, match="wanted int64"):
        ours(mel, kept=torch.zeros(3))
    with pytest.raises(ValueError, match="offset 1: wanted 0 to 0"):
        ours(mel, offset=1)
    for block in (0, 4):
        with pytest.raises(ValueError, match="wanted 1 to 3"):
            ours.tokens(mel, block)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "huge"}, "size 'huge': wanted one of tiny, small, base"),
        ({"heads": 5}, "5 attention heads"),
        ({"dim": 0}, "width 0"),
        ({"depth": 0}, "0 blocks"),
        ({"seconds": 0.1}, "segment of 0.1 s"),
        ({"seconds": float("nan")}, "segment of nan s"),
        ({"head": "both"}, "head 'both'"),
        ({"patchout": PatchoutConfig(frequency=9)}, "drops every patch"),
        ({"architecture": "vgg"}, "architecture 'vgg'"),
        ({"architecture": "resnet50", "depth": 3, "size": "tiny"}, "resnet50 has no size, depth"),
    ],
)
def test_configurations_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        build_network(ModelConfig(**changes), 3, 0)
    with pytest.raises(ConfigError, match="0 classes"):
        build_network(ModelConfig(), 0, 0)
