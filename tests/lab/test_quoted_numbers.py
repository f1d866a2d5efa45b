"""README, the documents and the card quote only what a benchmark printed."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def numbers(text: str) -> list[list[str]]:
    """Give the rows of tables that have a number."""
    rows = [cells(line) for line in text.splitlines() if line.startswith("|")]
    return [row for row in rows if any(character.isdigit() for character in "".join(row[1:]))]


def test_every_row_was_measured():
    results = (ROOT / "docs" / "results" / "peers" / "peers.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    quoted = readme.partition("## Numbers\n")[2].partition("\n## ")[0]
    performance = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    pages = sorted((ROOT / "docs" / "results").rglob("*.md"))
    measured = [row for page in pages for row in numbers(page.read_text(encoding="utf-8"))]
    assert len(numbers(quoted)) == 2  # the names of the patchouts, and one row
    for text, least in ((quoted, 2), (performance, 65)):
        found = numbers(text)
        assert len(found) >= least
        for row in found:
            assert row in measured, row
    machine = next(line for line in results.splitlines() if line.startswith("Machine:"))
    assert machine in quoted


def test_scores_on_the_card_were_measured():
    results = ROOT / "docs" / "results"
    shipped, former = (
        (results / folder / "quality.md").read_text(encoding="utf-8")
        for folder in ("maest-open-10s", "maest-open-10s-0.1")
    )
    card = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    scores = card.partition("### Scores\n")[2].partition("\n### ")[0]
    for text, measured, least in zip(
        scores.split("measured with the file of 0.1"), (shipped, former), (3, 6), strict=True
    ):
        found = numbers(text)
        assert len(found) >= least
        for row in found:
            assert any(row[1:] == other[1:] for other in numbers(measured)), row
    tracks = numbers((results / "maest-open-10s-0.1" / "tracks.md").read_text(encoding="utf-8"))
    listed = numbers(card.partition("### Twenty real tracks\n")[2])
    assert [row[1:] for row in listed] == [row[1:] for row in tracks]
