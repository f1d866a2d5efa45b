"""`maest similar`: the tracks of a collection that are nearest to one."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgumentError, ModelError
from ..reading.plain_text import printable
from .opened_results import Library, add_results
from .saying import ALL_DONE, complain, open_model
from .surroundings import show

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..library.ranks import RankedLabel
    from ..model import Model

_SHOWN_LABELS = 3
#: Of each track, by rank, so many are looked at for what two have in common.
_COMPARED_LABELS = 12
#: The rank of a label that all tracks have alike.
_MIDDLE = 50


def add(commands: Any) -> None:
    """Add the sub-command `similar` to the parsers of `maest`."""
    parser = commands.add_parser(
        "similar",
        help="find tracks that sound alike",
        description="Print the tracks of a collection that are nearest to one: the cosine of their "
        "embeddings, their path, and labels that both have more of than most of the collection. "
        "Every track is looked at; of copies of the same audio one is printed.",
        allow_abbrev=False,
    )
    add_results(parser)
    add = parser.add_argument
    add(
        "track",
        metavar="TRACK",
        help="path of a track of the collection, or a part of it that no other has; or any other "
        "audio file, which is analysed as the collection was",
    )
    add(
        "-k",
        type=int,
        default=10,
        metavar="K",
        help="how many to print (default: %(default)s)",
    )
    add(
        "--mmr",
        type=float,
        metavar="LAMBDA",
        help="maximal marginal relevance, of the nearest 10 K: 1 is nearness only, the less the "
        "more they differ from each other (default: the K nearest)",
    )
    add(
        "--model",
        metavar="M",
        help="for a file outside: the model of the results, where it is somewhere else now",
    )
    add("--json", action="store_true", help="as JSON")
    parser.set_defaults(command="similar", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what is near, and give the exit code."""
    import numpy as np

    from ..library.variety import POOL, varied

    if arguments.k < 1:
        raise InvalidArgumentError(f"k is {arguments.k}; 1 or more wanted")
    if arguments.mmr is not None and not 0 <= arguments.mmr <= 1:
        raise InvalidArgumentError(f"mmr is {arguments.mmr:g}; wanted: 0 to 1")
    library = Library.of(arguments)
    vectors, search = library.vectors, library.search
    asked = _asked(library, arguments.track, arguments.model)
    wanted = arguments.k if arguments.mmr is None else POOL * arguments.k
    rows, scores = search.nearest(asked.vector, wanted, leaving_out=asked.rows)
    if arguments.mmr is not None:
        order = varied(vectors[rows], scores, arguments.k, arguments.mmr)
        rows, scores = rows[order], scores[order]
    if len(rows) < arguments.k:
        complain(f"{len(rows)} other tracks are all that can be found ({arguments.k} asked for)")
    labels = library.standing_out(rows.tolist(), _COMPARED_LABELS)
    own = asked.labels(library)
    shown = [library.shown(row) for row in rows.tolist()]
    found = [
        {
            "score": round(float(score), 6),
            "path": library.files[row],
            "shared": [label.label for label in _shared(own, theirs)],
        }
        for row, score, theirs in zip(rows.tolist(), np.asarray(scores), labels, strict=True)
    ]
    if arguments.json:
        told = {"track": asked.file, "similar": found}
        show(
            json.dumps(told, indent=1, ensure_ascii=False)
            .encode("utf-8", "backslashreplace")
            .decode()
        )
    else:
        for one, path in zip(found, shown, strict=True):
            shared = f"  ({', '.join(map(printable, one['shared']))})" if one["shared"] else ""
            show(f"{one['score']:.3f}  {path}{shared}")
    return ALL_DONE


class _Asked:
    """What was asked for.

    Attributes
    ----------
    file : str
        Its path.
    vector : numpy.ndarray
        Its embedding.
    rows : list of int
        Those of the table that are the same audio.
    """

    def __init__(
        self,
        file: str,
        vector: npt.NDArray[Any],
        rows: list[int],
        activations: npt.NDArray[np.float32] | None = None,
    ) -> None:
        self.file, self.vector, self.rows = file, vector, rows
        self._activations = activations

    def labels(self, library: Library) -> list[RankedLabel]:
        """Give its labels by rank."""
        if self.rows:
            return library.standing_out(self.rows[:1], _COMPARED_LABELS)[0]
        if self._activations is None:
            return []
        from ..library.ranks import percentiles_among, standing_out

        ranks = percentiles_among(self._activations, library.results.predictions()[0])
        return standing_out(self._activations, ranks, library.results.labels, _COMPARED_LABELS)


def _asked(library: Library, track: str, model: str | None) -> _Asked:
    from ..library.finding import is_of_library
    from ..results.audio_hash import audio_hash

    outside = os.path.isfile(track) and not is_of_library(track, library.files)
    if outside and track in library.names:
        outside = False  # it is called so in the tables
    if not outside:
        row = library.find(track)
        return _Asked(library.files[row], library.vectors[row], [row])
    file = os.path.abspath(track)
    own_hash = audio_hash(file)
    rows = [row for row, one in enumerate(library.column("audio_hash")) if one == own_hash]
    if rows:
        return _Asked(file, library.vectors[rows[0]], rows)
    return _analysed(library, file, model)


def _analysed(library: Library, file: str, name: str | None) -> _Asked:
    from ..collection.options import AnalysisOptions
    from ..collection.track_summary import means_of_file

    options = AnalysisOptions.from_json(library.results.info["options"])
    means = means_of_file(_same_model(library, name), options, file)
    return _Asked(file, means["embedding"], [], means.get("predictions"))


def _same_model(library: Library, name: str | None) -> Model:
    """Open the model that made the results."""
    from ..files import sha256_of

    told = library.results.info.get("model", {})
    wanted = str(told.get("sha256"))
    tried = [name] if name is not None else [str(told.get("name")), str(told.get("path"))]
    found = []
    for one in tried:
        try:
            model = open_model(one, threads=0)
        except (ModelError, OSError) as error:
            found.append(f"{printable(one)}: {error}")
            continue
        sha256 = sha256_of(model.path)
        if sha256 == wanted:
            return model
        found.append(f"{printable(str(model.path))}: sha256 {sha256}")
    raise InvalidArgumentError(
        f"the results are of model '{told.get('name')}' with sha256 {wanted}; found: "
        f"{'; '.join(found)}. Wanted to analyse a file outside of the collection: --model with the "
        "same file"
    )


def _shared(own: list[RankedLabel], theirs: list[RankedLabel]) -> list[RankedLabel]:
    """Give the labels that both have, those first in which the lower rank is highest."""
    ranks = {label.label: label.rank for label in own if label.rank > _MIDDLE}
    both = [label for label in theirs if label.label in ranks and label.rank > _MIDDLE]
    both.sort(key=lambda label: -min(label.rank, ranks[label.label]))
    return both[:_SHOWN_LABELS]
