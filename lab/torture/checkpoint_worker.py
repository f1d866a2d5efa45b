"""Converts checkpoints that it is told: `python -m lab.torture.checkpoint_worker FOLDER`.

First it writes good ones into the folder. Each question is then answered by a process forked for
it: what a hostile file does, it does to that one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from essentia_maest.commands.cli import main as maest

FRAMES, CLASSES, DIM, HEADS, DEPTH = 166, 7, 128, 2, 3
SECONDS = 90.0
"""What one conversion may take; a good one takes one."""
_MOST_MEMORY = 16 << 30


def main() -> None:
    """Answer until stdin ends."""
    torch.set_num_threads(1)
    write_good_ones(Path(sys.argv[1]))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_in_a_child(json.loads(line))), flush=True)


def write_good_ones(folder: Path) -> None:
    """Write one model as a Lightning file, in PyTorch's older format, safetensors, and a folder.

    Parameters
    ----------
    folder : Path
        Where they go.
    """
    from reference_models import ast_from_maest, make_maest

    model = make_maest(FRAMES, CLASSES, dim=DIM, heads=HEADS, depth=DEPTH)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    named = {f"net.{name}": tensor for name, tensor in state.items()}
    torch.save({"epoch": 3, "state_dict": named}, folder / "good.ckpt")
    torch.save(state, folder / "good.pt", _use_new_zipfile_serialization=False)
    save_file(state, folder / "good.safetensors")
    ast_from_maest(model, FRAMES, HEADS).save_pretrained(folder / "good")
    card = "---\nlicense: cc-by-nc-sa-4.0\ntags: [x]\n---\n# A model\n"
    (folder / "good" / "README.md").write_text(card)


def _in_a_child(question: dict[str, Any]) -> dict[str, Any]:
    words = question["words"]
    child = os.fork()
    if child == 0:
        _convert(question["arguments"], words)
    begun = time.monotonic()
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            break
        over = time.monotonic() - begun - SECONDS
        if over > 0 and over > _starved_seconds(child):
            os.kill(child, signal.SIGKILL)
            os.wait4(child, 0)
            return {"code": None, "seconds": SECONDS, "memory": 0}
        time.sleep(0.01)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - begun,
        "memory": usage.ru_maxrss * 1024,
    }


def _starved_seconds(process: int) -> float:
    """Give how long a process wanted to run while others ran."""
    return int(Path("/proc", str(process), "schedstat").read_text().split()[1]) / 1e9


def _convert(arguments: list[str], words: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    taken = os.open(words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(taken, 1)
    os.dup2(taken, 2)
    code = 70
    try:
        code = maest(arguments)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 71
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
