"""The tables of the training benchmarks, from made-up result files and kernels."""

from lab.training_speed.profile_step import table
from lab.training_speed.report import merged, report


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


def test_several_steps_timed_together_and_files_of_one_case_each():
    machine = {
        "processor": "x86_64",
        "cpus_usable": 16,
        "gpu": "H100, CUDA 13.0",
        "load_before": 0.5,
        "python_version": "3.12",
        "packages": {"torch": "2"},
    }
    group, extra = "training step, GPU", {"steps": 5, "tracks_per_second": 120.0}
    files = [
        {
            "machine_info": machine,
            "benchmarks": [entry(f"test_training_step_on_a_gpu[{peer}]", time, group, **extra)],
        }
        for peer, time in (("bfloat16-reference", 4.0), ("bfloat16-compiled", 2.0))
    ]
    text = report(merged(files))
    assert "; H100, CUDA 13.0; load 0.5" in text
    assert "| bfloat16, compiled | 0.4 | 0.44 | 120 |  |  | 2.00 |" in text
    assert "| bfloat16, compiled | 0.4 | 0.44 | 120 |  |  |  |" in report(merged(files[1:]))


def test_kernels_by_kind():
    kernels = [
        ("nvjet_sm90_tst_192x192_64x4_2x1_v_bz_coopB_bias_TNN", 3000.0),
        ("cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma", 2000.0),
        ("triton_red_fused_gelu_gelu_backward_sum_view_24", 1000.0),
        ("triton_per_fused__to_copy_add_native_layer_norm_backward_view_29", 1000.0),
        ("Memset (Device)", 1000.0),
    ]
    rows = table(kernels * 2, steps=2)
    assert rows[2:4] == [
        "| matrix products | 3.00 | 37.5% | 1 |",
        "| attention | 2.00 | 25.0% | 1 |",
    ]
    assert rows[-1] == "| all | 8.00 | 100% | 5 |"
    assert len(rows) == 8
