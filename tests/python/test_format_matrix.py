"""Files of every format that can be made here, decoded, against what was encoded and others.

`python -m lab formats measure` does the same for all rates and channels, and prints tables.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from essentia_maest import _core
from essentia_maest.decoding.libraries import use_libraries
from essentia_maest.errors import AudioFileError
from lab.formats.comparison import largest_difference, likeness
from lab.formats.decoders import OWN, libsndfile, maest_file, mixed
from lab.formats.measuring import make_files, measure, wanted_sound
from lab.formats.recipe import ByLibsndfile, Recipe
from lab.formats.recipes import all_recipes
from lab.formats.routes_table import routes_table
from lab.formats.verdicts import verdict

ROOT = Path(__file__).parents[2]
HAS_PYAV = find_spec("av") is not None
OURS = OWN[0]

LOSSLESS = r"pcm|flac|alac|wavpack|tta|ape|PCM|FLOAT|DOUBLE|ULAW|ALAW"
# codec -> how far two good decoders may be from one another
CLOSE = {LOSSLESS: 1e-6, "mp3": 1e-4}
# One step of 16 bits, and what resampling makes of it.
MP3_FROM_MONOLOADER = 3.6e-5
# Right, though another decoder says otherwise.
HEARD_OTHERWISE = {
    "wavpack_wavpack_lossy": "is not lossless",
    "wmav": "FFmpeg's own versions differ in what they cut",
    "matroska_truehd": "PyAV's FFmpeg cannot",
    "rm_": "FFmpeg 2.8 calls the end of the file an error",
    "wav_aac": "ffmpeg writes what it cannot read",
    "wavpack_wavpack_joined": "WavPack files do not change in the middle",
    "mp4_aac_ELD": "FFmpeg does not decode it",
}


def readable(path: Path) -> bool:
    """Tell whether a decoder is here for a file, by the engine's own table."""
    use_libraries()
    readers = _core.route_of(_core.identify(bytes(path))).readers
    return any(reader != "extra" or HAS_PYAV for reader in readers)


def made_by_libsndfile() -> dict[str, list[Recipe]]:
    """Give recipes that need no program, by container."""
    found: dict[str, list[Recipe]] = {}
    for recipe in all_recipes():
        usual = recipe.rate in (8000, 44100, 48000) and not recipe.quiet
        if isinstance(recipe.make, ByLibsndfile) and usual:
            found.setdefault(recipe.container, []).append(replace(recipe, seconds=0.5))
    return found


SIMPLE = made_by_libsndfile()


@pytest.mark.parametrize("container", SIMPLE)
def test_what_libsndfile_writes_is_read_right(container: str, tmp_path: Path) -> None:
    refused = make_files(SIMPLE[container], tmp_path)
    read = 0
    for recipe in SIMPLE[container]:
        path = tmp_path / recipe.name
        if recipe.name in refused:
            continue
        if container in UNKNOWN or not readable(path):
            with pytest.raises(AudioFileError):
                maest_file_or_raise(path)
            continue
        found = maest_file(str(path)).samples[:, 0]
        (wanted,) = wanted_sound(recipe)
        there = likeness(found, wanted)
        exact = re.match(LOSSLESS, recipe.codec)
        least = 0.85 if not exact else 0.99 if recipe.codec in ("PCM_U8", "PCM_S8") else 0.999
        assert there.correlation > least, recipe
        assert there.offset == 0 or not exact, recipe
        assert abs(len(found) - len(wanted)) < (2 if exact else 2500), recipe
        if exact:
            second = mixed(libsndfile(str(path)))
            assert largest_difference(found, second) < 1e-6, recipe
        read += 1
    assert bool(read) != (container in UNKNOWN), container


UNKNOWN = {"mat4", "mat5", "htk", "sds", "xi", "wve", "mpc2k", "pvf"}
UNKNOWN |= {"gsm", "g722", "adx", "sbc", "aptx", "truehd", "mlp", "nut", "loas"}
"""Containers of other uses than music, or without a mark of their own: refused."""


def maest_file_or_raise(path: Path) -> None:
    from essentia_maest import AudioFile

    with AudioFile(path) as file:
        file.read()


# Decoders start once for each group.
GROUP_OF = {
    **dict.fromkeys(("mp3", "mp2", "flac", "ogg", "wav"), None),
    **dict.fromkeys(("mp4", "mov", "adts", "loas"), "mp4"),
    **dict.fromkeys(("matroska", "webm"), "matroska"),
    **dict.fromkeys(("aiff", "au", "caf", "rf64", "w64"), "others of PCM"),
}


def groups() -> dict[str, list[Recipe]]:
    """Give recipes that need programs, by container; not every rate of every codec."""
    found: dict[str, list[Recipe]] = {}
    for recipe in all_recipes():
        usual = recipe.rate in (8000, 16000, 24000, 44100, 48000)
        quiet = recipe.quiet and recipe.container not in ("caf", "aiff", "wav")
        if usual and not quiet and not isinstance(recipe.make, ByLibsndfile):
            group = GROUP_OF.get(recipe.container, "others") or recipe.container
            found.setdefault(group, []).append(replace(recipe, seconds=1.0))
    return found


GROUPS = groups()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the program ffmpeg makes the files")
@pytest.mark.parametrize("group", GROUPS)
def test_every_format_is_read_right(group: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    not_made = make_files(GROUPS[group], folder)
    recipes = [recipe for recipe in GROUPS[group] if recipe.name not in not_made]
    if not recipes:
        pytest.skip("no encoder for it on this machine")
    references = ["PyAV"] * HAS_PYAV + ["ffmpeg", "libsndfile"]
    results = measure(recipes, folder, [OURS, "MonoLoader", *references], references)
    faults = [
        f"{recipe.name}: {fault}"
        for recipe in recipes
        for fault in faults_of(recipe, folder / recipe.name, results[recipe.name])
    ]
    assert not faults, "\n".join(faults)


def faults_of(recipe: Recipe, path: Path, records: dict[str, dict[str, object]]) -> list[str]:
    """List what is wrong with what `AudioFile` made of a file."""
    own = records[OURS]
    if any(recipe.name.startswith(name) or name in recipe.codec for name in HEARD_OTHERWISE):
        return [] if own["outcome"] in ("samples", "refused") else [str(own)]
    if own["outcome"] == "refused":
        if not readable(path):
            return [] if recipe.container in UNKNOWN or not HAS_PYAV else [str(own["words"])]
        others = [name for name in records if name != OURS and verdict(records[name]) == "ok"]
        return [f"refused, read by {others}: {own['words']}"] if others else []
    if own["outcome"] != "samples":
        return [str(own)]
    # Soft music in 8 bits by a law is far from what was encoded, for every decoder.
    same = own.get("difference", 1) < 1e-6 and own.get("shift") == 0
    found = [] if verdict(own) == "ok" or same else [f"{verdict(own)}: {own}"]
    close = next((far for name, far in CLOSE.items() if re.match(name, recipe.codec)), None)
    # Newer FFmpegs take other bands than MonoLoader's at this rate.
    other_bands = recipe.codec == "mp3" and recipe.rate == 24000
    compared = close is not None and not recipe.parts and not other_bands
    if compared and own.get("difference", 0) > close:
        found.append(f"{own['difference']} from {own['reference']}")
    if verdict(records["MonoLoader"]) == "ok" and not recipe.parts:
        far = MP3_FROM_MONOLOADER if recipe.codec in ("mp3", "mp2", "libmp3lame") else 0
        if own["from MonoLoader"] > far or own["longer than MonoLoader"]:
            found.append(f"{own['from MonoLoader']} from MonoLoader")
    return found


def test_the_page_on_formats_has_the_engines_table() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert routes_table() in page, "`python -m lab formats routes` prints it"
