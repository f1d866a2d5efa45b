"""The network as torch exports it, in 8-bit integers by NNCF, for OpenVINO."""

from __future__ import annotations

import numpy as np

from lab.peers.material.request import Request

_PATCHOUTS = ("F0T0", "F3T2", "F3T5")
"""What ranges of activations are taken from: `maest convert`, too, looks at one clip."""


def main() -> None:
    """Write embedding.xml and full.xml, quantised as NNCF's guide says for transformers."""
    import nncf
    import openvino

    request = Request()
    mel = np.load(request.needed("sound") / "normalised.npy")[None, None]
    samples = []
    for patchout in _PATCHOUTS:
        rows, columns = (np.array(kept, np.int64) for kept in request.size.kept(patchout))
        samples.append({"mel": mel, "rows": rows, "columns": columns})
    core = openvino.Core()
    for name in ("embedding", "full"):
        model = core.read_model(request.needed("exported") / f"{name}.onnx")
        quantized = nncf.quantize(
            model,
            nncf.Dataset(samples),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(samples),
        )
        openvino.save_model(quantized, request.folder / f"{name}.xml", compress_to_fp16=False)


if __name__ == "__main__":
    main()
