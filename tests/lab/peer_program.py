"""A peer of the benchmark that does as it is told; run by `test_peers.py` in processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    if options.get("refuses"):
        raise RuntimeError("no model\nof that name")
    calls = 0

    def work(request: Mapping[str, Any]) -> Any:
        nonlocal calls
        calls += 1
        print("libraries print")
        with open(options["diary"], "a", encoding="utf-8") as diary:
            diary.write(f"{options['name']} {request['case']}\n")
        if calls == options.get("dies_at"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if calls == options.get("hangs_at"):
            time.sleep(60)
        time.sleep(options.get("seconds", 0.0))
        values = options.get("values", [3.0, 4.0])
        return {"shape": [1, len(values)], "values": values}

    return work


if __name__ == "__main__":
    serve(open_peer, ("numpy",))
