"""One segment of 30 s to its embedding at block 7, one thread: ours against torch (maest-infer)."""

import pytest
import torch

import essentia_maest as maest
from reference_models import make_maest

PATCHOUTS = {
    "F0T0": {},
    "F3T2": {"s_patchout_f_indices": [0, 7, 8], "s_patchout_t_interleaved": 2},
    "F3T5": {"s_patchout_f_indices": [0, 7, 8], "s_patchout_t_interleaved": 5},
}
ROUNDS = {"F0T0": 5, "F3T2": 10, "F3T5": 20}


def torch_runner(patchout):
    torch.set_num_threads(1)
    model = make_maest(1876, 400, dim=768, heads=12, depth=12)
    for name, value in PATCHOUTS[patchout].items():
        setattr(model, name, value)

    @torch.inference_mode()
    def run(audio):
        mel = maest.mel_spectrogram(audio)  # ours: the model is what is compared
        x = torch.from_numpy((mel.T - 2.06755686) / 2.53658564)[None]
        return model(x, transformer_block=6)[1].numpy()

    return run


def our_runner(path, patchout):
    model = maest.Model(path, num_threads=1)

    def run(audio):
        return model.embed(audio, block=7, patchout=patchout)

    return run


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
@pytest.mark.parametrize("patchout", PATCHOUTS)
@pytest.mark.parametrize("peer", ["torch", "fp32", "int8"])
def test_model(benchmark, audio, base_models, peer, patchout):
    benchmark.group = f"MAEST-30s, block 7, {patchout}"
    run = torch_runner(patchout) if peer == "torch" else our_runner(base_models[peer], patchout)
    embedding = benchmark.pedantic(run, (audio,), rounds=ROUNDS[patchout], warmup_rounds=1)
    assert embedding.shape == (1, 3 * 768)
