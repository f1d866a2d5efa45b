"""Where the files of the public models are, and what is known of them.

The sha256 of the checkpoints in palonso/MAEST's release are those that `maest-infer` 0.2.0 lists.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..reading.catalogue import PublicModel


@dataclass(frozen=True)
class RemoteFile:
    """A file of a model at its source.

    Parameters
    ----------
    place : str
        Where it goes, below the model's folder.
    host, path : str
        Their concatenation is its address.
    sha256 : str, optional
        None where it is not known.
    size : int, optional
        Bytes.
    needed : bool
        False for what the source may lack.
    instead : RemoteFile, optional
        What the source may have in its place.
    """

    place: str
    host: str
    path: str
    sha256: str | None = None
    size: int | None = None
    needed: bool = True
    instead: RemoteFile | None = None


@dataclass(frozen=True)
class ModelSource:
    """What one source has of one model.

    Parameters
    ----------
    name : str
        Of the source.
    files : tuple of RemoteFile
    convertible : str
        Which file or folder among the places `convert` is given.
    labels : str, optional
        Which file has the names of the classes, where `convertible` has not.
    runs : bool
        Whether `convertible` runs as it is.
    extras : tuple of str
        Extras of this package that converting it needs.
    """

    name: str
    files: tuple[RemoteFile, ...]
    convertible: str
    labels: str | None = None
    runs: bool = False
    extras: tuple[str, ...] = ("convert",)


_ESSENTIA = "https://essentia.upf.edu"
_HUGGING_FACE = "https://huggingface.co"
_GITHUB = "https://github.com"

_Known = tuple[str | None, int | None]
_UNKNOWN: _Known = (None, None)

_ONNX: dict[str, _Known] = {
    "discogs-maest-30s-pw-519l-2": (
        "c90a51a752cdd94f37de886787d5e3a5b2071c6d0ef49ea788058f65f11883b1",
        348_052_337,
    ),
}
_REVISIONS = {"discogs-maest-30s-pw-129e-519l": "6c35f32a350f74351870937d5ae0bae1d898d1df"}
_SAFETENSORS: dict[str, _Known] = {
    "discogs-maest-30s-pw-129e-519l": (
        "881cec6abdcb6ef986367e6c0db02dc760cc0f88a52b625cb9d6e2b54d505548",
        347_827_260,
    ),
}
_CHECKPOINTS: dict[str, _Known] = {
    "discogs-maest-5s-pw-129e": (
        "cc626ee9f0a816cadbef0a698f87424d72d7b5d84aef68983dac83bf2a03052a",
        343_668_755,
    ),
    "discogs-maest-10s-fs-129e": (
        "62f369fbf60e93c1e93869fbac2bc60ecbcc4eb0fe99ab523f8218212490520c",
        343_764_150,
    ),
    "discogs-maest-10s-pw-129e": (
        "9862dbc5945a62de01de0c2cccd5e499563210e307324bf6305f6932ad967f1f",
        343_764_150,
    ),
    "discogs-maest-10s-dw-75e": (
        "1265f4cab278eb1da66a7946f4c870e2ca659076ed1aa1de718f55dc72766b68",
        343_763_987,
    ),
    "discogs-maest-20s-pw-129e": (
        "1ea0880da17aed1b149323ae46c7dbbe6cf6c02c9d30a3f7931a962f7169353b",
        343_957_686,
    ),
    "discogs-maest-30s-pw-129e": (
        "2e8ac8ebdc8ac4a3750583df23fd715605935286cbd9d2c4231dfeaa3736ad01",
        344_148_150,
    ),
    "discogs-maest-30s-pw-73e-ts": (
        "26b954652cd75b0951a67b7ab8f85b8b4c459f63a921a04f62829de85ea801fb",
        344_148_476,
    ),
    "discogs-maest-30s-pw-129e-519l": (
        "d6044e642b6ae295ee1164cc52b33ac663e247f03b4b100a0af1a5edfab18cdb",
        344_878_270,
    ),
}


def _essentia_json(model: PublicModel) -> RemoteFile:
    return _essentia_file(f"{model.essentia}.json")


def _essentia_file(name: str, known: _Known = _UNKNOWN) -> RemoteFile:
    return RemoteFile(name, _ESSENTIA, f"/models/feature-extractors/maest/{name}", *known)


def _essentia(model: PublicModel) -> ModelSource:
    name = f"{model.essentia}.onnx"
    files = (_essentia_json(model), _essentia_file(name, _ONNX.get(model.essentia, _UNKNOWN)))
    return ModelSource("essentia", files, name, runs=True)


def _hugging_face(model: PublicModel) -> ModelSource:
    folder = model.hugging_face
    revision = _REVISIONS.get(folder, "main")

    def file(name: str, known: _Known = _UNKNOWN) -> RemoteFile:
        path = f"/mtg-upf/{folder}/resolve/{revision}/{name}"
        return RemoteFile(f"{folder}/{name}", _HUGGING_FACE, path, *known)

    weights = file("model.safetensors", _SAFETENSORS.get(folder, _UNKNOWN))
    files = (
        file("config.json"),
        replace(file("README.md"), needed=False),
        replace(weights, instead=file("pytorch_model.bin")),
    )
    return ModelSource("huggingface", files, folder)


def _github(model: PublicModel) -> ModelSource:
    name = f"{model.hugging_face}-swa.ckpt"
    path = f"/palonso/MAEST/releases/download/v0.0.0-beta/{name}"
    checkpoint = RemoteFile(name, _GITHUB, path, *_CHECKPOINTS[model.hugging_face])
    labels = _essentia_json(model)  # the checkpoint has no names of classes
    return ModelSource(
        "github", (labels, checkpoint), name, labels=labels.place, extras=("convert", "torch")
    )


_MAKERS = {"essentia": _essentia, "huggingface": _hugging_face, "github": _github}
SOURCES = tuple(_MAKERS)
"""In the order in which they are tried."""


def source_of(model: PublicModel, name: str) -> ModelSource:
    """Give what a source has of a model.

    Parameters
    ----------
    model : PublicModel
    name : str
        One of `SOURCES`.
    """
    return _MAKERS[name](model)
