"""The tables of the training benchmarks, from a made-up result file."""

from lab.training_speed.report import report


def entry(name: str, seconds: float, group: str, **extra) -> dict:
    stats = {"min": seconds, "median": 1.1 * seconds}
    return {"name": name, "group": group, "stats": stats, "extra_info": extra}


def test_report():
    step, reading = "training step, 10 s", "random segments"
    text = report(
        {
            "machine_info": {
                "processor": "x86_64",
                "cpus_usable": 2,
                "load_before": 0.5,
                "python_version": "3.11",
                "packages": {"torch": "2"},
            },
            "benchmarks": [
                entry("test_training_step[10-eager]", 2.0, step, tracks_per_second=3.0),
                entry("test_training_step[10-reference]", 4.0, step, tracks_per_second=1.5),
                entry("test_reading[ours-2]", 1.0, reading, tracks_per_second=9.0),
                entry("test_reading[npy_files-2]", 3.0, reading, tracks_per_second=3.0),
                entry("test_item[626]", 1e-6, "one segment"),
            ],
        }
    )
    assert "x86_64, 2 CPUs usable, no AVX2; load 0.5 before the run" in text
    assert "| 10, eager | 2 | 2.2 | 3 |  |  | 2.00 |" in text
    assert "| ours, 2 | 1 | 1.1 | 9 |  |  | 3.00 |" in text
    assert "test_item" not in text
