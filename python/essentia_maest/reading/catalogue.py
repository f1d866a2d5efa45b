"""The public MAEST models and the names that they go by."""

from __future__ import annotations

from dataclasses import dataclass

LICENCE = "CC BY-NC-SA 4.0"
LICENCE_URL = "https://creativecommons.org/licenses/by-nc-sa/4.0/"


@dataclass(frozen=True)
class PublicModel:
    """One of the public models.

    Parameters
    ----------
    name : str
        Essentia's, without the version.
    version : str
        Of Essentia's files.
    hugging_face : str
        Its name on Hugging Face, and in the releases of palonso/MAEST.
    seconds, classes : int
        Length of a segment, and how many labels.
    """

    name: str
    version: str
    hugging_face: str
    seconds: int
    classes: int

    @property
    def essentia(self) -> str:
        """The name of Essentia's files."""
        return f"{self.name}-{self.version}"


_PREFIX = "discogs-maest-"

MODELS = tuple(
    PublicModel(_PREFIX + name, "2", _PREFIX + hugging_face, seconds, classes)
    for name, hugging_face, seconds, classes in (
        ("5s-pw", "5s-pw-129e", 5, 400),
        ("10s-dw", "10s-dw-75e", 10, 400),
        ("10s-fs", "10s-fs-129e", 10, 400),
        ("10s-pw", "10s-pw-129e", 10, 400),
        ("20s-pw", "20s-pw-129e", 20, 400),
        ("30s-pw", "30s-pw-129e", 30, 400),
        ("30s-pw-ts", "30s-pw-73e-ts", 30, 400),
        ("30s-pw-519l", "30s-pw-129e-519l", 30, 519),
    )
)


def find_model(name: str) -> PublicModel | None:
    """Find a public model by any of its names.

    Parameters
    ----------
    name : str
        Essentia's name with or without version (1 or 2), or Hugging Face's with or without its
        organisation, or that of a release's file.

    Returns
    -------
    PublicModel or None
    """
    wanted = name.lower().removeprefix("mtg-upf/").removesuffix("-swa")
    for model in MODELS:
        if wanted in (model.name, f"{model.name}-1", model.essentia, model.hugging_face):
            return model
    return None
