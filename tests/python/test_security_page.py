"""The page on security names tests that there are."""

import re

from core_program import ROOT

PAGE = (ROOT / "docs/security.md").read_text()


def test_tests_that_it_names_exist() -> None:
    named = set(re.findall(r"`(test_\w+\.py)\b", PAGE))
    assert len(named) > 8
    for name in named:
        assert (ROOT / "tests/python" / name).exists(), name


def test_functions_that_it_names_exist() -> None:
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE))
    assert len(named) > 30
    for file, function in named:
        text = (ROOT / "tests/python" / file).read_text()
        assert re.search(rf"^(async )?def {function}\(", text, re.M), f"{file}::{function}"


def test_no_row_without_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (?!what (a file|happens))\w", line)]
    assert len(rows) > 8
    for row in rows:
        assert "test_" in row, row
