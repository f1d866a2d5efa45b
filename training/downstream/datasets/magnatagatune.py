"""MagnaTagATune: top 50 tags, the 12-1-3 split by folder (van den Oord et al., ISMIR 2014)."""

from __future__ import annotations

import csv
from pathlib import Path

from training.downstream.datasets.collected import Collected, Item, find_file
from training.errors import DataError

FAMILY = "MagnaTagATune"
# The tags that most clips have, most frequent first, as every publication since has them.
TOP_50 = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast",
    "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male",
    "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman",
    "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice",
    "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip
FOLDERS = {
    **dict.fromkeys("0123456789ab", "train"),
    "c": "validation",
    **dict.fromkeys("def", "test"),
}
_SILENT_FILES = (
    "6/norine_braun-now_and_zen-08-gently-117-146.mp3",
    "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233.mp3",
    "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-"
    "le_petit_rien_xiv_ordre_couperin-88-117.mp3",
)


def read_magnatagatune(folder: Path) -> Collected:
    """Read ``annotations_final.csv``: columns clip_id, 188 tags of 0 and 1, mp3_path; tabs between.

    Every clip is kept, also those with none of the 50 tags; three, whose files in the published
    archive are empty, are left out. The group is the artist, as names of files have it.

    Parameters
    ----------
    folder : Path
        With the annotations.

    Raises
    ------
    DataError
        They are missing, or not in this form.
    """
    path = find_file(folder, "annotations_final.csv", "annotations/annotations_final.csv")
    items, left_out = [], {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, delimiter="\t")
            columns = reader.fieldnames or []
            missing = [name for name in ("clip_id", *TOP_50, "mp3_path") if name not in columns]
            if missing:
                raise DataError(
                    f"{path}: no column {missing[0]!r} among {len(columns)} found; wanted clip_id, "
                    "the tags and mp3_path, with tabs between"
                )
            for row in reader:
                if row["mp3_path"] in _SILENT_FILES:
                    left_out[row["clip_id"]] = "its file is empty as it was published"
                else:
                    items.append(_item(row, path, reader.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    return Collected(tuple(f"{FAMILY}---{tag}" for tag in TOP_50), items, left_out)


def _item(row: dict[str, str], path: Path, line: int) -> Item:
    audio = row["mp3_path"] or ""
    split = FOLDERS.get(audio.partition("/")[0])
    values = [row[tag] for tag in TOP_50]
    wrong = [value for value in values if value not in ("0", "1")]
    if split is None or wrong:
        found = f"mp3_path {audio!r}" if split is None else f"a tag of {wrong[0]!r}"
        raise DataError(
            f"{path}: line {line} has {found}; wanted a file in a folder 0 to f, and tags of 0 or 1"
        )
    labels = tuple(
        f"{FAMILY}---{tag}" for tag, value in zip(TOP_50, values, strict=True) if value == "1"
    )
    name = audio.partition("/")[2]
    return Item(row["clip_id"], audio, labels, f"artist/{name.partition('-')[0]}", split)
