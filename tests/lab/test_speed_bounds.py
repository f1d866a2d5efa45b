"""Where a model's time goes, and what faster products would bring."""

import pytest

from essentia_maest import _core
from lab.speed_bounds.__main__ import main
from lab.speed_bounds.operators import KINDS, Measured, measure, seconds_by_kind


def _event(name: str, start: int, duration: int, operator: str = "") -> dict:
    return {"name": name, "ts": start, "dur": duration, "args": {"op_name": operator}}


def test_operators_of_each_run_are_added_up():
    runs = seconds_by_kind(
        [
            _event("model_loading_uri", 0, 5),
            # written as they end: a run after its operators
            _event("a_kernel_time", 11, 30, "MultiplyGeluQuantizeRows"),
            _event("b_kernel_time", 42, 20, "MatMul"),
            _event("c_kernel_time", 10, 60, "If"),
            _event("d_kernel_time", 70, 7, "QuantizedAttention"),
            _event("e_kernel_time", 80, 1, "Gather"),
            _event("model_run", 10, 90),
            _event("f_kernel_time", 110, 9, "AddRows"),
            _event("model_run", 110, 90),
        ]
    )
    nothing = dict.fromkeys(KINDS, 0.0)
    assert runs == [
        pytest.approx({**nothing, "products": 50e-6, "attention": 7e-6}),
        pytest.approx({**nothing, "rows": 9e-6}),
    ]


def test_operations_are_those_of_the_shape():
    measured = Measured({"products": 1.0}, tokens=10, dim=64, blocks=7)
    matrices = 64 * 3 * 64 + 64 * 64 + 2 * 64 * 4 * 64
    assert measured.products == 7 * 2 * 10 * matrices
    assert measured.attention == 7 * 2 * 2 * 10 * 10 * 64


def test_a_model_is_measured():
    measured = measure("default", "F3T5", block=2, seconds=0.0)
    assert (measured.tokens, measured.dim, measured.blocks) == (2 + 6 * 13, 128, 2)
    assert all(measured.seconds[kind] > 0 for kind in ("products", "attention", "rows"))


@pytest.mark.skipif("avx2" not in _core.instruction_sets(), reason="the loops are those of AVX2")
def test_bounds_are_printed(capsys):
    assert main(["default", "--seconds", "0"]) == 0
    out = capsys.readouterr().out
    rows = [line.strip("| ").split(" | ") for line in out.splitlines() if "128 wide" in line]
    assert [row[1] for row in rows] == ["F0T0", "F3T5"] * 2
    for row in rows[:2]:
        assert sum(map(float, row[3:8])) == pytest.approx(100, abs=0.5)
    for row in rows[2:]:
        products, attention, both, none = map(float, row[2:])
        assert 1 <= max(products, attention) <= both
        assert products <= none
