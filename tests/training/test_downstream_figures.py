"""From audio to figures and tables: embeddings by the engine, kept; the commands, by hand."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import soundfile
from sklearn.metrics import average_precision_score

import essentia_maest as maest
from essentia_maest.making.conversion import OWN_LICENSE
from essentia_maest.making.metadata import ModelDescription, grid_columns
from essentia_maest.making.model_writing import write_model
from essentia_maest.making.weights import random_weights
from training.cli import main
from training.data.tracks import read_tracks
from training.downstream.datasets.making import DatasetFacts, _write_facts
from training.downstream.embeddings import Wanted, compute
from training.downstream.published import FIGURE_2, TABLE_4, TABLE_5
from training.downstream.speed_figure import _told
from training.downstream.speed_picture import Point
from training.errors import DataError
from training.recipe.bootstrap import Interval

SECONDS = 1.0
RATE = 16000
DEPTH, DIM = 6, 8


def write_untrained(path: Path, labels: tuple[str, ...]) -> Path:
    weights = random_weights(
        dim=DIM,
        depth=DEPTH,
        heads=2,
        hidden=16,
        classes=len(labels),
        columns=grid_columns(SECONDS),
        seed=0,
    )
    description = ModelDescription(
        name="random",
        description="",
        labels=labels,
        trained=False,
        license=OWN_LICENSE,
        source="random",
        source_sha256="",
    )
    write_model(weights, description, "fp32", path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_untrained(tmp_path_factory.mktemp("model") / "random.onnx", ("a", "b", "c"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes that any embedding tells apart: low tones and noise."""
    folder = tmp_path_factory.mktemp("music")
    random = np.random.default_rng(0)
    rows = ["path,tags,group,split"]
    for number in range(24):
        seconds = 1.3 + 0.2 * (number % 3)
        time = np.arange(int(seconds * RATE)) / RATE
        noise = number % 2
        audio = random.normal(0, 0.1, len(time)) if noise else 0.3 * np.sin(900 * time + number)
        soundfile.write(folder / f"{number}.wav", audio, RATE)
        split = ("train", "train", "validation", "test")[number // 2 % 4]
        rows.append(f"{number}.wav,Sound---{'noise' if noise else 'tone'},g{number // 8},{split}")
    (folder / "tags.csv").write_text("\n".join(rows) + "\n")
    path = folder / "tracks.parquet"
    assert main(["downstream", "dataset", "table", str(folder / "tags.csv"), str(path)]) == 0
    return path


def own_embedding(model: maest.Model, path: Path, block: int) -> np.ndarray:
    """Compute the mean over half-overlapped segments by hand."""
    audio = maest.load_audio(path)
    hop = model.segment_seconds / 2
    found = model.embed(audio, block=block, hop=hop)
    starts = np.arange(len(found)) * hop
    held = np.clip(len(audio) / RATE - starts, 0, model.segment_seconds)
    return np.average(found, axis=0, weights=held)


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_embeddings_are_means_over_half_overlapped_segments(
    model: Path, table: Path, tmp_path: Path
) -> None:
    tracks = read_tracks(table)
    kept = compute(tracks, Wanted(model, (2, 5, 6, 9)), tmp_path, workers=1, quiet=True)
    assert kept.blocks == (2, 5, 6)  # the model has six
    values, rows = kept.read(tracks, [(2, ("cls", "dist", "avg")), (6, ("cls", "dist", "avg"))])
    assert rows.tolist() == list(range(24))
    opened = maest.Model(model)
    paths = tracks.table["path"].to_pylist()
    for row in (0, 11):
        path = tracks.folder / paths[row]
        expected = np.concatenate([own_embedding(opened, path, block) for block in (2, 6)])
        np.testing.assert_allclose(values[row], expected, atol=2e-5)
    # stacks of fewer tokens are parts, in the order asked
    few, _ = kept.read(tracks, [(6, ("avg", "cls"))])
    np.testing.assert_array_equal(few[:, :DIM], values[:, 5 * DIM :])
    np.testing.assert_array_equal(few[:, DIM:], values[:, 3 * DIM : 4 * DIM])
    with pytest.raises(DataError, match="no block 4 found; there are 2, 5, 6"):
        kept.read(tracks, [(4, ("cls",))])


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_what_is_kept_is_not_computed_again(model: Path, table: Path, tmp_path: Path) -> None:
    tracks = read_tracks(table)
    kept = compute(tracks, Wanted(model, (2,)), tmp_path, workers=1, quiet=True)
    parts = sorted((kept.folder / "tracks").iterdir())
    before = [part.stat().st_mtime_ns for part in parts]
    segments = sum(path.stat().st_size for path in (kept.folder / "segments").iterdir())
    assert segments < 10_000  # none are kept
    again = compute(tracks, Wanted(model, (2,)), tmp_path, workers=1, quiet=True)
    assert again == kept
    assert [
        part.stat().st_mtime_ns for part in sorted((kept.folder / "tracks").iterdir())
    ] == before
    # what a killed run had not written is done, and nothing else
    other = compute(tracks, Wanted(model, (2,), "F0T2"), tmp_path, workers=1, quiet=True)
    assert other.folder != kept.folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_embedding_goes_on_after_a_kill(model: Path, table: Path, tmp_path: Path) -> None:
    """Killed at any moment, parent and workers, then repeated: what was never killed has."""
    few = read_tracks(table)
    rows = ["path,tags,split"]
    for number in range(150):
        name = f"{number}.wav"
        os.link(few.folder / few.table["path"][number % 24].as_py(), tmp_path / name)
        rows.append(f"{name},Sound---a,{('train', 'validation', 'test')[number % 3]}")
    (tmp_path / "tags.csv").write_text("\n".join(rows) + "\n")
    many, cache = tmp_path / "many.parquet", tmp_path / "killed"
    assert main(["downstream", "dataset", "table", str(tmp_path / "tags.csv"), str(many)]) == 0
    wanted = Wanted(model, (2, 6))
    command = [sys.executable, "-m", "training", "downstream", "embed", str(many), str(model)]
    with subprocess.Popen(
        [*command, str(cache), "--blocks", "[2, 6]", "--workers", "1"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while process.poll() is None and not list(cache.glob("*/tracks")):
            time.sleep(0.01)
        time.sleep(random.SystemRandom().uniform(0, 0.5))
        with suppress(ProcessLookupError):  # it may be done
            os.killpg(process.pid, signal.SIGKILL)
    tracks = read_tracks(many)
    stacks = [(2, ("cls", "dist", "avg")), (6, ("cls", "dist", "avg"))]
    found = compute(tracks, wanted, cache, workers=1, quiet=True).read(tracks, stacks)
    whole = compute(tracks, wanted, tmp_path / "whole", workers=1, quiet=True).read(tracks, stacks)
    np.testing.assert_array_equal(found[1], np.arange(150))
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_blocks_in_one_pass_are_those_of_their_own_passes(model: Path) -> None:
    opened = maest.Model(model)
    audio = np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
    for blocks in ((1, 3, 6), (6, 2), (5,)):
        together = opened.embed(audio, block=blocks, patchout="F3T2")
        alone = [opened.embed(audio, block=block, patchout="F3T2") for block in blocks]
        np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))
    predictions, embeddings = opened.analyze(audio, block=(2, 4))
    np.testing.assert_array_equal(predictions, opened.predict(audio))
    assert embeddings.shape[1] == 2 * 3 * DIM
    with pytest.raises(maest.InvalidArgumentError, match="asked for twice"):
        opened.embed(audio, block=(2, 2))
    with pytest.raises(maest.InvalidArgumentError, match="has blocks 1 to 6"):
        opened.embed(audio, block=(2, 7))
    with pytest.raises(maest.InvalidArgumentError, match="wanted is one block"):
        opened.tokens(audio, block=(2, 3))  # type: ignore[arg-type]


@pytest.mark.slow
def test_eight_blocks_do_not_cost_eight_runs() -> None:
    """Runs to blocks 5 to 12 would take 5.7 times what one to block 12 takes."""
    opened = maest.Model("default", num_threads=1)
    audio = np.random.default_rng(0).normal(0, 0.1, 10 * RATE).astype(np.float32)
    blocks = tuple(range(5, 13))
    spent = {}
    for block in (blocks, 12, blocks, 12, blocks, 12):
        begun = time.process_time()
        opened.embed(audio, block=block)
        spent.setdefault(block, []).append(time.process_time() - begun)
    assert min(spent[blocks]) < 2.5 * min(spent[12])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_figures_and_tables_by_their_commands(model: Path, table: Path, tmp_path: Path) -> None:
    out, cache = str(tmp_path / "out"), str(tmp_path / "cache")
    few = ["--cache", cache, "--draws", "20", "--probe", "linear"]
    files = [str(table), str(model), out]
    assert main(["downstream", "probe", *files, "--blocks", "[2, 5]", *few]) == 0
    told = json.loads((tmp_path / "out" / "probe.json").read_text())
    assert told["scores"]["Sound"]["roc_auc"][0] == 1.0
    assert main(["downstream", "figure2", *files, "--blocks", "[2, 5, 6]", *few]) == 0
    with (tmp_path / "out" / "figure2.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["tokens"] for row in rows] == ["c", "d", "a", "cd", "ca", "cda"]
    assert list(rows[0]) == ["tokens", "block 2", "block 5", "block 6"]
    page = (tmp_path / "out" / "figure2.md").read_text()
    assert "Highest: block" in page
    assert "paper (MAEST-30s)" not in page
    assert (tmp_path / "out" / "figure2.png").stat().st_size > 5000
    patchouts = '["F0T0", "F3T2"]'
    speeds = ["--block", "2", "--patchouts", patchouts, "--timed_tracks", "1", "--rounds", "1"]
    assert main(["baselines", str(tmp_path / "nets"), "--frames", "64", "--classes", "3"]) == 0
    networks = {"EffNet-B0": "efficientnet_b0", "ResNet50": "resnet50"}
    nets = {name: str(tmp_path / "nets" / f"{file}.onnx") for name, file in networks.items()}
    speeds += ["--baselines", json.dumps(nets)]
    # mAP of a network that was not trained is the paper's, on its data set and where it tells one
    for dataset, paper in (("table", None), ("magnatagatune", 37.4)):
        _write_facts(table, DatasetFacts(dataset, whole := dataset == "magnatagatune"))
        assert main(["downstream", "figure3", *files, *speeds, *few]) == 0
        points = json.loads((tmp_path / "out" / "figure3.json").read_text())["points"]
        assert [point["name"] for point in points] == ["F0T0", "F3T2", *networks]
        assert all(point["throughput"] > 0 for point in points)
        assert [point["mAP"] and point["mAP"][0] for point in points] == [1.0, 1.0, None, None]
        assert [point["mAP in the paper"] for point in points] == [None, None, paper, None]
        assert points[1]["mAP lost"] == [0.0, 0.0, 0.0]
        page = (tmp_path / "out" / "figure3.md").read_text()
        assert ("| 37.4 in the paper |" in page) == whole
        assert "F3T2 is" in page
        assert (tmp_path / "out" / "figure3.png").stat().st_size > 5000
    # published numbers stand beside ours only where the data set is the published one
    models = ["--models", json.dumps({"MAEST-T:10s": str(model)}), "--block", "2", *few]
    for whole in (False, True):
        _write_facts(table, DatasetFacts("magnatagatune", whole))
        assert main(["downstream", "table4", str(table), out, *models]) == 0
        page = (tmp_path / "out" / "table4.md").read_text()
        assert ("MAEST-T-swa, paper" in page) == whole
        assert (
            main(
                [
                    "downstream",
                    "table5",
                    out,
                    "--tracks",
                    json.dumps({"MTT": str(table)}),
                    "--models",
                    json.dumps({"ours": str(model)}),
                    "--block",
                    "2",
                    *few,
                ]
            )
            == 0
        )
        page = (tmp_path / "out" / "table5.md").read_text()
        assert ("| MAEST-30s, paper | 92.0 | 41.9 |" in page) == whole
    wrong = ["--models", json.dumps({"ours": str(model)})]
    assert main(["downstream", "table3", str(table), out, *wrong]) == 2


def weighed_mean(model: maest.Model, path: Path) -> np.ndarray:
    """Of a file's activations, by what each segment holds of it."""
    told = model.analyze_file(path, outputs=("predictions",), tail="repeat")
    held = np.minimum(told.seconds - told.start_seconds, told.segment_seconds)
    return np.average(told.predictions, axis=0, weights=held)


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_models_on_the_task_that_they_were_trained_on(
    model: Path, table: Path, tmp_path: Path
) -> None:
    """The upper half of Tables 3 and 4: a model's activations, scored as scikit-learn does."""
    labels = ("other", "Sound---tone", "Sound---noise")
    knowing = write_untrained(tmp_path / "knowing.onnx", labels)
    out = tmp_path / "out"
    given = ["--models", json.dumps({"ours": str(knowing)}), "--block", "2", "--draws", "5"]
    given += ["--own_task", str(table), "--probe", "linear", "--workers", "1"]
    assert main(["downstream", "table4", str(table), str(out), *given]) == 0
    with (out / "table4.csv").open() as file:
        rows = list(csv.DictReader(file))
    # the file tells the length of its segments, which none of the paper's columns has
    ours = [row["task"] for row in rows if row[""] == "ours"]
    assert ours == ["pre-training", "downstream"]
    assert list(rows[0])[2:] == ["5s", "10s", "20s", "30s", "1.06s"]
    tracks = read_tracks(table)
    tested = tracks.table.filter(pc.field("split") == "test")
    opened = maest.Model(knowing)
    found = np.array(
        [weighed_mean(opened, tracks.folder / path) for path in tested["path"].to_pylist()]
    )
    truth = [labels[0] for labels in tested["labels"].to_pylist()]
    expected = [
        average_precision_score([label == name for label in truth], found[:, column])
        for column, name in enumerate(labels)
        if column
    ]
    told = json.loads((out / "table4.json").read_text())["scores"]["pre-training, ours:1.06s"]
    assert told["mAP"][0] == pytest.approx(np.mean(expected), abs=1e-9)
    for wrong in (["--models", json.dumps({"ours": str(model)})], ["--models", "{}"]):
        assert main(["downstream", "table4", str(table), str(out), *given, *wrong]) == 2


def test_the_papers_numbers() -> None:
    """What the text says of its tables holds for ours."""
    best = max((value, name) for name, line in FIGURE_2.items() for value in line)
    assert best == (41.3, "cda")
    assert FIGURE_2["cda"].index(41.3) + 5 == 7
    assert max(TABLE_4["MAEST-T"], key=TABLE_4["MAEST-T"].get) == "30s"
    # all MAEST models outperform the baseline in all tasks, in mAP but for one tie
    for name, values in TABLE_5.items():
        if name != "EffNet-B0":
            assert all(values[d][1] >= TABLE_5["EffNet-B0"][d][1] - 0.1 for d in values)


def test_a_point_that_is_ahead_is_told_to_be_higher() -> None:
    points = [Point(name, speed, None, 1.0) for name, speed in (("F0T0", 2.0), ("F3T0", 5.0))]
    told = _told(points, {"F3T0": Interval(-0.001, -0.021, 0.019)})
    assert "its mAP higher by 0.1 points (-1.9 to 2.1, which is not told apart from none)" in told
    told = _told(points, {"F3T0": Interval(0.066, 0.042, 0.091)})
    assert "2.5 times as fast, its mAP lower by 6.6 points (4.2 to 9.1)" in told
