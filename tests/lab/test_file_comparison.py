"""python -m lab.file_comparison, and what the card says with it."""

import re
from pathlib import Path

import pytest

from essentia_maest.files import sha256_of
from essentia_maest.making.conversion import convert_random
from lab import file_comparison
from untrained import UNTRAINED

ROOT = Path(__file__).resolve().parents[2]


def rows(text: str) -> list[list[str]]:
    found = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [row for row in found if len(row) == 6 and row[0] != "instruction set"]


@pytest.mark.slow
def test_a_file_and_itself(capfd):
    assert file_comparison.main([str(UNTRAINED), str(UNTRAINED), "--rounds", "3"]) == 0
    text, _, times = capfd.readouterr().out.partition("\n| patchout | CPU time")
    ratios = [float(line.split(" | ")[1].strip(" |")) for line in times.splitlines()[2:]]
    assert len(ratios) == 6
    assert all(0.3 < ratio < 3 for ratio in ratios)
    assert "0 of them differ" in text
    assert "- metadata: the same" in text
    assert text.count("alone: none") == 2
    assert {row[0] for row in rows(text)} >= {"baseline"}
    assert all(row[2:] == ["0.0000", "1.00000", "1.00000", "yes"] for row in rows(text))


@pytest.mark.slow
def test_other_weights(tmp_path, capfd):
    other = convert_random("tiny", tmp_path / "other.onnx", seed=7)
    assert file_comparison.main([str(UNTRAINED), str(other)]) == 1
    text = capfd.readouterr().out
    assert not re.search(r" 0 of them differ", text)
    assert rows(text)
    assert all(row[-1] == "no" for row in rows(text))


def test_no_model(tmp_path, capfd):
    (tmp_path / "x.onnx").write_bytes(b"nothing of the kind")
    assert file_comparison.main([str(tmp_path / "none.onnx"), str(UNTRAINED)]) == 2
    assert "none.onnx" in capfd.readouterr().err
    assert file_comparison.main([str(tmp_path / "x.onnx"), str(UNTRAINED)]) == 2
    assert "x.onnx" in capfd.readouterr().err


def test_the_card_and_the_scores_are_of_the_file_that_ships():
    card = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    shipped = sha256_of(ROOT / "models" / "maest-open-10s.onnx")
    assert re.findall(r"^\| sha256 \| `([0-9a-f]{64})`", card, re.MULTILINE) == [shipped]
    folder = ROOT / "docs" / "results" / "maest-open-10s"
    scored = (folder / "quality.md").read_text(encoding="utf-8").splitlines()[0]
    assert f"in int8 (sha256 {shipped})" in scored


def test_what_the_card_says_of_rounding_was_measured():
    folder = ROOT / "docs" / "results" / "maest-open-10s"
    compared = (folder / "files.md").read_text(encoding="utf-8")
    shipped = sha256_of(ROOT / "models" / "maest-open-10s.onnx")
    assert re.findall(r"sha256 ([0-9a-f]{64})", compared)[1] == shipped
    measured = rows(compared.partition("\n## The file of 0.1")[0])
    assert all(float(row[4]) >= 0.9999 for row in measured if row[1] == "F0T0")
    card = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    told = card.partition("### Patchout and precision\n")[2].partition("\n### ")[0]
    whole = [row for row in measured if row[1] == "F0T0"]
    assert min(row[4] for row in whole) in told
    assert min(row[4] for row in measured) in told
    assert max(row[2] for row in measured) in told
