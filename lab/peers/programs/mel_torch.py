"""A mel front end as torchaudio's: torch's STFT times a dense Slaney filterbank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Read the samples; the filterbank is that of `transformers`."""
    import numpy as np
    import torch

    from reference_models import _import_with_torchaudio

    torch.set_num_threads(options["threads"])
    audio = torch.from_numpy(np.load(options["audio"]))
    window = torch.hann_window(512)
    mel_filter_bank = _import_with_torchaudio("transformers.audio_utils").mel_filter_bank
    filters = torch.from_numpy(
        mel_filter_bank(257, 96, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
    ).float()

    @torch.inference_mode()
    def work(_request: Mapping[str, Any]) -> Any:
        spectrum = torch.stft(
            audio, 512, 256, window=window, pad_mode="constant", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log10(1 + 10000 * (power.T @ filters)).numpy()

    return work


if __name__ == "__main__":
    serve(open_peer, ("torch", "transformers"))
