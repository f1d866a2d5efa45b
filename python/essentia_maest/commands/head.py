"""`maest head`: a tagger of one's own, out of labels and tables of results."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collection.options import block_of
from ..errors import InvalidArgumentError
from ..reading.plain_text import printable
from ..request import Request
from .saying import ALL_DONE, SOME_FAILED, STOPPED_EARLY, complain, open_model
from .surroundings import show

# What computes is imported where it is needed: `maest --help` is to answer at once.
if TYPE_CHECKING:
    from ..heads.fit import Account
    from ..heads.labels import Labels
    from ..model import Model
    from ..results.opened import Results

_KINDS = ("multi-class", "multi-label")
_GROUPINGS = ("column", "folder", "none")
_ACTIVATIONS = ("sigmoid", "softmax", "none")
_LABELS_HELP = (
    "sheet (CSV) with a column of files (path) and one of labels (label; several with | or ; "
    "between them), or one of 0 and 1 for each label; perhaps a column group (album, artist). Or a "
    "folder with a folder for each class"
)


def add(commands: Any) -> None:
    """Add the sub-command `head`, and what it does, to the parsers of `maest`."""
    parser = commands.add_parser(
        "head",
        help="make a tagger of one's own, and use it",
        description="Heads: small models on embeddings. `fit` makes one of labelled music, `test` "
        "scores one on other labelled music, `apply` predicts all tracks of tables of results, "
        "`info` describes one.",
        allow_abbrev=False,
    )
    parser.set_defaults(command="head")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for add_one in (_add_fit, _add_test, _add_apply, _add_info):
        add_one(actions)
    for action in actions.choices.values():
        action.add_argument(
            "--verbose",
            action="store_true",
            default=argparse.SUPPRESS,
            help="tell on stderr what is chosen and done",
        )


def _add_fit(actions: Any) -> None:
    parser = actions.add_parser(
        "fit",
        help="make a head of labelled music",
        description="Fit a head on labelled tracks (logistic regression on the mean embedding of "
        "each, as regularised as cross-validation says), score it by cross-validation in which no "
        "album is on both sides, and write it as ONNX. Labelled files that are not in OUT are "
        "analysed into it first. Exit code: 0 all done, 1 some files failed, 2 bad usage.",
        allow_abbrev=False,
    )
    _add_labelled(parser)
    add = parser.add_argument
    add("-o", dest="head", required=True, metavar="HEAD.onnx", help="file to write")
    add(
        "--leave-out-small",
        action="store_true",
        help="leave classes out that have too few files, rather than refuse",
    )
    add(
        "--skip-unknown",
        action="store_true",
        help="leave labelled files out that are nowhere, rather than refuse",
    )
    add("--model", metavar="M", help="model for files that are not in OUT (default: as OUT)")
    add("--block", type=int, metavar="N", help="likewise (default: as OUT, 7 in a new one)")
    add(
        "--tokens",
        type=lambda text: tuple(text.split(",")),
        metavar="T,T",
        help="likewise (default: as OUT, cls,dist,avg in a new one)",
    )
    add("--patchout", metavar="FnTn", help="likewise (default: as OUT, F0T0 in a new one)")
    parser.set_defaults(run=_fit)


def _add_test(actions: Any) -> None:
    parser = actions.add_parser(
        "test",
        help="score a head on other labelled music",
        description="Score a head on labelled tracks of OUT that it was not fitted on.",
        allow_abbrev=False,
    )
    parser.add_argument("head", metavar="HEAD.onnx", help="the head")
    _add_labelled(parser)
    _add_activation(parser)
    parser.set_defaults(run=_test)


def _add_apply(actions: Any) -> None:
    parser = actions.add_parser(
        "apply",
        help="predict all tracks of tables of results",
        description="Write what heads say of every track and segment into OUT/heads, without "
        "analysing anything again. What is there already stays.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("heads", nargs="+", metavar="HEAD.onnx", help="the heads")
    add("--results", required=True, metavar="OUT", help="what `maest analyze -o OUT` wrote")
    add("--top-k", type=int, default=5, metavar="K", help="labels named (default: %(default)s)")
    add("--quiet", action="store_true", help="print warnings only")
    _add_activation(parser)
    parser.set_defaults(run=_apply)


def _add_info(actions: Any) -> None:
    parser = actions.add_parser("info", help="describe a head", allow_abbrev=False)
    parser.add_argument("head", metavar="HEAD.onnx", help="the head")
    parser.add_argument("--json", action="store_true", help="as JSON")
    _add_activation(parser)
    parser.set_defaults(run=_info)


def _add_labelled(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("labels", metavar="LABELS", help=_LABELS_HELP)
    add("--results", required=True, metavar="OUT", help="what `maest analyze -o OUT` wrote")
    add("--path-column", metavar="C", help="column of files (default: path, file or similar)")
    add(
        "--label",
        dest="label_columns",
        action="append",
        default=[],
        metavar="C",
        help="column of labels, or of 0 and 1; may be given several times (default: label or "
        "similar, or all columns of 0 and 1)",
    )
    add("--kind", choices=_KINDS, help="one label a file, or any number (default: as it looks)")
    add(
        "--group",
        choices=_GROUPINGS,
        help="what is never on both sides of a split: what the column group says, or the folder of "
        "a file, or each file by itself (default: the first of them that there is)",
    )
    add("--seed", type=int, default=0, metavar="N", help="of splits and intervals (%(default)s)")
    add("--json", action="store_true", help="print the account as JSON")
    add("--quiet", action="store_true", help="print the account and warnings only")


def _add_activation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--activation",
        choices=_ACTIVATIONS,
        help="for a head whose output is logits: sigmoid (a track may have several labels) or "
        "softmax (it has one)",
    )


def _fit(arguments: argparse.Namespace) -> int:
    from ..heads.fit import fit
    from ..heads.writing import checked_head_file

    _require_sklearn()
    path = checked_head_file(Path(arguments.head))
    labels = _labels(arguments)
    results, failed, stopped = _with_all_analysed(arguments, labels)
    account = fit(
        labels,
        results,
        path,
        grouping=arguments.group,
        leave_out_small=arguments.leave_out_small,
        seed=arguments.seed,
        tell=(lambda text: None) if arguments.quiet else complain,
    )
    _show(account, arguments)
    if not arguments.quiet:
        complain(f"wrote {path}, and {path.with_suffix('.json').name} beside it")
    if stopped:
        return STOPPED_EARLY
    return SOME_FAILED if failed else ALL_DONE


def _test(arguments: argparse.Namespace) -> int:
    from ..head import Head
    from ..heads.examples import named, unmatched
    from ..heads.fit import score_head
    from ..results.opened import Results

    _require_sklearn()
    head = Head(arguments.head, activation=arguments.activation)
    labels, results = _labels(arguments), Results(arguments.results)
    missing = [file.path for file in unmatched(labels, results)]
    if missing:
        complain(f"warning: {len(missing)} files are not in {arguments.results}: {named(missing)}")
    account = score_head(head, labels, results, grouping=arguments.group, seed=arguments.seed)
    _show(account, arguments)
    return ALL_DONE


def _apply(arguments: argparse.Namespace) -> int:
    from ..heads.applying import apply_heads, open_heads
    from ..results.opened import Results

    if arguments.top_k < 1:
        raise InvalidArgumentError(f"top-k is {arguments.top_k}; 1 or more wanted")
    results = Results(arguments.results)
    apply_heads(
        open_heads(arguments.heads, arguments.activation),
        results.folder,
        top_k=arguments.top_k,
        tell=(lambda text: None) if arguments.quiet else complain,
    )
    return ALL_DONE


def _info(arguments: argparse.Namespace) -> int:
    from ..files import sha256_of
    from ..head import Head

    head = Head(arguments.head, activation=arguments.activation)
    described = {
        "name": head.info.get("name", head.path.stem),
        "kind": head.kind or "not told",
        "labels": list(head.labels),
        "input": ["any" if size < 0 else size for size in head.input_shape],
        "pooling": head.pooling,
        "embedding": head.embedding.as_json() if head.embedding else None,
        "file": str(head.path.absolute()),
        "file_sha256": sha256_of(head.path),
    }
    if arguments.json:
        show(json.dumps({**described, "metadata": head.info}, indent=1, ensure_ascii=False))
        return ALL_DONE
    described["labels"] = ", ".join(head.labels)
    described["embedding"] = head.embedding.in_words if head.embedding else "not told"
    metrics = head.info.get("dataset", {}).get("metrics", {})
    if isinstance(metrics, dict) and isinstance(metrics.get("scores"), dict):
        for name, score in metrics["scores"].items():
            described[name] = f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"
    width = max(map(len, described))
    for key, value in described.items():
        show(f"{key.replace('_', ' '):{width}}  {printable(str(value))}")
    return ALL_DONE


def _require_sklearn() -> None:
    from importlib.util import find_spec

    if find_spec("sklearn") is None:
        raise ImportError(
            "heads are fitted and scored with scikit-learn: pip install 'essentia-maest[head]'"
        )


def _labels(arguments: argparse.Namespace) -> Labels:
    from ..heads.labels import read_labels

    source = Path(arguments.labels)
    if not source.exists():
        raise InvalidArgumentError(f"{printable(str(source))}: no such file or folder")
    labels = read_labels(
        source,
        path_column=arguments.path_column,
        label_columns=arguments.label_columns,
        kind=arguments.kind,
    )
    for warning in labels.warnings:
        complain(f"warning: {warning}")
    return labels


def _with_all_analysed(
    arguments: argparse.Namespace, labels: Labels
) -> tuple[Results, int, str | None]:
    """Give tables that have the labelled files, how many failed, and why it was stopped."""
    from ..heads.analysing import analyse, model_of, model_threads, options_of, place_of_file
    from ..heads.examples import named, unmatched
    from ..results.opened import Results
    from ..results.parts import PartsFolder

    folder = Path(arguments.results)
    results = Results(folder) if PartsFolder(folder).files("tracks") else None
    missing = [file.path for file in unmatched(labels, results)]
    places = [place_of_file(path, labels.base) for path in missing]
    nowhere = [path for path, place in zip(missing, places, strict=True) if not _is_file(place)]
    if nowhere:
        what = (
            f"{len(nowhere)} labelled files are neither in {folder} nor on the disk (looked for "
            f"below {labels.base.absolute()} and the folders that OUT was made of): "
            f"{named(nowhere)}"
        )
        if not arguments.skip_unknown:
            raise InvalidArgumentError(f"{what}; wanted their paths, or --skip-unknown")
        complain(f"warning: {what}")
    places = [place for place in places if _is_file(place)]
    asked = {
        name: getattr(arguments, name)
        for name in ("block", "tokens", "patchout")
        if getattr(arguments, name) is not None
    }
    if not places:
        if results is None:
            raise InvalidArgumentError(f"{folder}: has no tracks, and no labelled file is there")
        return results, 0, None
    name = arguments.model or (model_of(results) if results else "default")
    model = open_model(name, model_threads(len(places)))
    told = dict(results.info["options"]) if results else {"output": "both", **_defaults(model)}
    options = options_of({**told, **asked})
    report = analyse(places, folder, model, options, results, quiet=arguments.quiet)
    if report.failures:
        failed = [failure.path for failure in report.failures]
        complain(f"warning: {len(failed)} labelled files failed and are left out: {named(failed)}")
    return Results(folder), len(report.failures), report.stopped


def _defaults(model: Model) -> dict[str, Any]:
    asked = Request()
    return {"block": block_of(model), "tokens": asked.tokens, "patchout": asked.patchout}


def _is_file(path: str) -> bool:
    return Path(path).is_file()


def _show(account: Account, arguments: argparse.Namespace) -> None:
    from ..heads.lines import lines_of

    for warning in account.warnings:
        complain(f"warning: {warning}")
    if arguments.json:
        show(json.dumps(account.as_json(), indent=1, ensure_ascii=False))
    else:
        show("\n".join(lines_of(account)))
