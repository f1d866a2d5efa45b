"""A task beside the labels that needs none: to tell patches that were not shown.

As in masked autoencoders (He et al., CVPR 2022) and SSAST (Gong et al., AAAI 2022), but with the
masked patches among the others, as a learnt token, so that the network stays what it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from essentia_maest.making.weights import PATCH_VALUES
from training.config import MaskingConfig
from training.model.layers import NORM_EPSILON
from training.model.maest import MAEST
from training.model.network import Predictions

_INITIAL_STD = 0.02
_EPSILON = 1e-6


class MaskedPatches(nn.Module):
    """Trains a MAEST on labels and on its own input.

    Parameters
    ----------
    network : MAEST
        Is trained; its weights are all that is left in the end.
    masking : MaskingConfig
    """

    def __init__(self, network: MAEST, masking: MaskingConfig) -> None:
        super().__init__()
        self.network = network
        self._share = masking.share
        self.mask = nn.Parameter(torch.zeros(network.dim))
        self.norm = nn.LayerNorm(network.dim, eps=NORM_EPSILON)
        self.decoder = nn.Linear(network.dim, PATCH_VALUES)
        drawn = torch.Generator().manual_seed(0)
        nn.init.trunc_normal_(self.decoder.weight, std=_INITIAL_STD, generator=drawn)
        nn.init.zeros_(self.decoder.bias)

    def own(self) -> dict[str, Tensor]:
        """Give the weights that are not the network's, by name."""
        state = self.state_dict()
        return {name: value for name, value in state.items() if not name.startswith("network.")}

    def load_own(self, state: dict[str, Tensor]) -> None:
        """Take over what `own` gave."""
        self.load_state_dict(state, strict=False)

    def forward(self, mel: Tensor, *, generator: torch.Generator) -> Predictions:
        """Classify with some patches masked, and tell how far those are from what is said of them.

        Parameters
        ----------
        mel : Tensor of floating point [batch, 96, frames]
            Normalised.
        generator : torch.Generator
            Of the CPU; patchout and what is masked are drawn from it.

        Returns
        -------
        Predictions
            With `reconstruction`: the mean squared error of the masked patches, each brought to
            mean 0 and variance 1.
        """
        predictions, tokens, patches = self.network.predict_masked(
            mel, self.mask, self._share, generator
        )
        wanted = patches.float()
        centred = wanted - wanted.mean(-1, keepdim=True)
        wanted = centred * (wanted.var(-1, keepdim=True, unbiased=False) + _EPSILON).rsqrt()
        told = self.decoder(self.norm(tokens)).float()
        return predictions._replace(reconstruction=(told - wanted).square().mean())
