"""Opens and runs model files that it is told: `python -m lab.torture.model_worker`.

A line on stdin names a file, a line on stdout tells what became of it, as JSON. What a hostile file
does to this process, it does to nobody else.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from typing import Any

import numpy as np

import essentia_maest as maest

MOST_MEMORY = 8 << 30
_PATCHOUT = "F4T10"


def main() -> None:
    """Answer until stdin ends."""
    if "--unlimited" not in sys.argv:  # a sanitizer takes terabytes of addresses
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    warnings.simplefilter("ignore")
    audio = np.random.default_rng(0).normal(0, 0.1, 11 * 16000).astype(np.float32)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        try:
            answer = _outcome(json.loads(line), audio)
        except KeyboardInterrupt:
            answer = {"outcome": "interrupted"}
        except maest.MaestError as error:
            answer = {"outcome": "refused", "words": str(error)}
        except MemoryError:
            answer = {"outcome": "refused", "words": "no memory"}
        except Exception as error:
            answer = {"outcome": "raised", "words": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def _outcome(path: str, audio: Any) -> dict[str, str]:
    model = maest.Model(path, num_threads=1)
    segments = model.segments(len(audio)) if hasattr(model, "segments") else None
    wrong = []
    results: list[tuple[str, Any, tuple[Any, ...]]] = []
    try:
        predictions = model.predict(audio, patchout=_PATCHOUT)
        results.append(("activations", predictions, (len(predictions), len(model.labels))))
    except maest.MaestError as error:
        if "activations" not in str(error) and "logits" not in str(error):
            raise
    embeddings = model.embed(audio, block=1, patchout=_PATCHOUT)
    results.append(("embeddings", embeddings, (segments or len(embeddings), 3 * model.dim)))
    for name, found, shape in results:
        if found.shape != shape or found.dtype != np.float32:
            wrong.append(f"{name} of shape {found.shape}, promised {shape}")
        elif not np.isfinite(found).all():
            wrong.append(f"{name} that are not finite")
        elif name == "activations" and not ((found >= 0) & (found <= 1)).all():
            wrong.append("activations beyond 0 to 1")
    return {"outcome": "wrong" if wrong else "ran", "words": ", ".join(wrong)}


if __name__ == "__main__":
    main()
