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
    return [row for row in found if row[0] != "instruction set"]


@pytest.mark.slow
def test_a_file_and_itself(capfd):
    assert file_comparison.main([str(UNTRAINED), str(UNTRAINED)]) == 0
    text = capfd.readouterr().out
    assert "0 of them differ" in text
    assert "- metadata: the same" in text
    assert text.count("alone: none") == 2
    assert {row[0] for row in rows(text)} >= {"baseline"}
    assert all(row[2:] == ["0.0000", "1.00000", "yes"] for row in rows(text))


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


def test_the_card_names_the_file_that_ships_and_the_one_that_was_scored():
    card = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    shipped, scored = re.findall(r"^\| sha256.*`([0-9a-f]{64})`", card, re.MULTILINE)
    assert shipped == sha256_of(ROOT / "models" / "maest-open-10s.onnx")
    folder = ROOT / "docs" / "results" / "maest-open-10s"
    assert scored in (folder / "quality.md").read_text(encoding="utf-8").splitlines()[0]
    compared = (folder / "files.md").read_text(encoding="utf-8")
    assert re.findall(r"sha256 ([0-9a-f]{64})", compared) == [scored, shipped]
    assert " 0 of them differ" in compared
    assert "- metadata: the same" in compared
    measured = rows(compared)
    told = card.partition("### Which file was scored\n")[2].partition("\n### ")[0]
    assert all(row[-1] == "yes" for row in measured if row[0] == "baseline")
    ours = [row for row in measured if row[0] != "baseline"]
    assert min(row[3] for row in ours) in told
    for isas in (("avx2", "avx512"), ("avx512vnni",)):
        assert max(row[2] for row in ours if row[0] in isas) in told
