"""Files in, results on disk: what `maest analyze` does with one open model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.peers.memory import FirstTimes
from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Open `model`, for one file if `alone` is true; as many decoders as CPUs."""
    import essentia_maest as maest
    from essentia_maest.collection.options import AnalysisOptions
    from essentia_maest.collection.progress import SilentReporter
    from essentia_maest.collection.results import ResultFolder
    from essentia_maest.collection.runner import CollectionRun, threads_of_model
    from essentia_maest.collection.scan import scan

    threads = threads_of_model(1 if options.get("alone") else 2, options["threads"])
    model = maest.Model(options["model"], num_threads=threads)
    # Decoders of mp3 give a sample or two more: whole segments only, as the peers.
    asked = AnalysisOptions.of(output="embeddings", patchout=options["patchout"], tail="discard")

    memory = FirstTimes()

    def work(request: Mapping[str, Any]) -> Any:
        files = sorted(Path(options["tracks"]).glob(request["files"]))
        with tempfile.TemporaryDirectory() as folder, memory.of(request["files"]):
            run = CollectionRun(
                model,
                asked,
                ResultFolder(folder),
                workers=options["threads"],
                threads=options["threads"],
                reporter=SilentReporter(),
            )
            report = run.run(scan(files))
        if report.analyzed != len(files) or not files:
            raise RuntimeError(f"{report.analyzed} of {len(files)} files analysed")
        return memory[request["files"]]

    return work


if __name__ == "__main__":
    serve(open_peer, ("essentia-maest", "essentia", "onnxruntime"))
