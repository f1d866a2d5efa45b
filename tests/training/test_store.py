"""The store: what was written is found, and whatever is missing or damaged is named."""

import json
import os
import pickle
import resource
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spectrogram_fixtures import SHARD_TRACKS, make_mel, make_store, make_tracks, write_store
from training.data.store import SpectrogramStore
from training.errors import DataError

TRACKS, CLASSES = 70, 6
REFUSED = (0, 5, 37)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data") / "set"


@pytest.fixture(scope="module")
def store(folder):
    return make_store(
        folder, tracks=TRACKS, classes=CLASSES, frames=(20, 50), families=True, refused=REFUSED
    )


@pytest.fixture
def copy(tmp_path):
    """A data set to be damaged."""
    make_store(tmp_path / "set", tracks=40, classes=4, frames=20)
    return tmp_path / "set"


def test_every_usable_track_is_there(store):
    table = make_tracks(tracks=TRACKS, classes=CLASSES, seed=0, families=True).table.to_pylist()
    wanted = [row for i, row in enumerate(table) if i not in REFUSED]
    assert len(store) == len(wanted)
    assert store.ids(range(len(store))) == [row["id"] for row in wanted]
    for i, row in enumerate(wanted):
        assert str(store.path(i)) == f"/music/{row['path']}"
        assert store.frames[i] == len(store.read(i))
        targets = store.targets(i)
        assert targets.shape == (CLASSES,)
        for name, target in zip(store.classes, targets, strict=True):
            if name in row["labels"]:
                assert target == 1
            elif row["families"] is None or name.split("---")[0] in row["families"]:
                assert target == 0
            else:
                assert np.isnan(target)
    assert any(row["families"] for row in wanted)
    assert store.partly_annotated


def test_all_annotated(copy):
    assert not SpectrogramStore(copy).partly_annotated


def test_mels_are_those_of_their_tracks(store):
    """Labels can be told from the mel: the louder bands are the labels'."""
    width = 96 // CLASSES
    for i in range(len(store)):
        loud = store.read(i).astype(np.float32).mean(0)[: width * CLASSES].reshape(CLASSES, width)
        np.testing.assert_array_equal(loud.mean(1) > 3.0, store.targets(i) == 1)


def test_splits(store):
    parts = [store.indices(split) for split in ("train", "validation", "test")]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(store)))
    assert all(part.dtype == np.int64 for part in parts)
    index = pq.read_table(store.folder / "index.parquet")["split"].to_pylist()
    assert [index[i] for i in parts[1]] == ["validation"] * len(parts[1])
    with pytest.raises(DataError, match="'dev'.*validation"):
        store.indices("dev")


def test_statistics_are_those_of_all_training_values(store):
    values = np.concatenate([store.read(i) for i in store.indices("train")]).astype(np.float64)
    assert store.mean == pytest.approx(values.mean(), rel=1e-12)
    assert store.std == pytest.approx(values.std(), rel=1e-12)


def test_label_matrix(store):
    indices = store.indices("validation")[::-1]
    offsets, classes, weights = store.label_matrix(indices)
    assert (offsets.dtype, classes.dtype, weights.dtype) == (np.int64, np.int32, np.float32)
    dense = np.zeros((len(indices), CLASSES), np.float32)
    dense[np.repeat(np.arange(len(indices)), np.diff(offsets)), classes] = weights
    wanted = np.nan_to_num([store.targets(i) for i in indices])
    np.testing.assert_array_equal(dense, wanted)
    assert len(store.label_matrix(np.zeros(0, np.int64)).row_offsets) == 1


def test_soft_labels_keep_their_weight(tmp_path):
    tracks = make_tracks(tracks=8, classes=4, seed=0)
    soft = [[0.25] * len(row) for row in tracks.table["labels"].to_pylist()]
    field = tracks.table.schema.field("weights")
    place = tracks.table.schema.get_field_index("weights")
    table = tracks.table.set_column(place, field, pa.array(soft, field.type))
    store = write_store(tmp_path / "set", type(tracks)(table, tracks.classes, tracks.folder))
    assert set(store.targets(0)) == {0.0, 0.25}


def test_ranges(store):
    whole = store.read(9)
    np.testing.assert_array_equal(store.read(9, 3, 10), whole[3:13])
    np.testing.assert_array_equal(store.read(9, 3), whole[3:])
    with pytest.raises(DataError, match="frames, wanted 3 to"):
        store.read(9, 3, 1000)


@pytest.mark.parametrize("index", [-1, TRACKS - len(REFUSED)])
def test_tracks_that_are_not_there(store, index):
    for method in (store.read, store.targets, store.path):
        with pytest.raises(IndexError, match="of 67"):
            method(index)


def test_pickling_is_cheap_and_gives_the_same(store):
    store.read(3)
    data = pickle.dumps(store)
    assert len(data) < 2000
    other = pickle.loads(data)
    np.testing.assert_array_equal(other.read(11), store.read(11))
    np.testing.assert_array_equal(other.targets(11), store.targets(11))
    assert other.ids([4]) == store.ids([4])


def test_pickled_store_notices_that_the_data_set_was_made_anew(copy):
    data = pickle.dumps(SpectrogramStore(copy))
    make_store(copy, tracks=40, classes=4, frames=21)
    with pytest.raises(DataError, match="changed while it was in use"):
        pickle.loads(data)


def test_more_shards_than_files_may_be_open(tmp_path):
    """160 shards under a limit of 64 open files."""
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "import sys, numpy as np; from pathlib import Path; import spectrogram_fixtures as f\n"
        "f.SHARD_TRACKS = 1\n"
        "store = f.make_store(Path(sys.argv[1]), tracks=160, classes=4, frames=2)\n"
        "views = [store.read(int(i)) for i in np.random.default_rng(0).permutation(160)]\n"
        "assert all(view.shape == (2, 96) for view in views)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 64
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", script, str(tmp_path / "set")]
    subprocess.run(command, check=True, timeout=60, env=environment)


def test_refused_tracks_are_counted_and_listed(store):
    report = json.loads((store.folder / "spectrograms.report.json").read_text())
    assert report["refused"] == {"too short": len(REFUSED)}
    listed = (store.folder / "spectrograms.refused.csv").read_text().splitlines()
    assert len(listed) == 1 + len(REFUSED)
    assert "track 37" in listed[-1]


def test_no_training_track(tmp_path):
    training = tuple(i for i in range(40) if i % 4 < 2)
    with pytest.raises(DataError, match=r"no track of the training split(.|\n)*too short: 20"):
        make_store(tmp_path / "set", tracks=40, classes=4, refused=training)
    with pytest.raises(DataError, match=r"no dataset\.json"):
        SpectrogramStore(tmp_path / "set")


@pytest.mark.parametrize("missing", ["dataset.json", "index.parquet", "shards/000001.arrow"])
def test_missing_parts(copy, missing):
    (copy / missing).unlink()
    with pytest.raises(DataError, match=os.path.basename(missing)):
        SpectrogramStore(copy)


@pytest.mark.parametrize("name", ["dataset.json", "index.parquet", "shards/000001.arrow"])
@pytest.mark.parametrize("left", [0, 0.5, 0.99])
def test_parts_cut_short(copy, name, left):
    file = copy / name
    os.truncate(file, int(left * file.stat().st_size))
    with pytest.raises(DataError, match=os.path.basename(name)):
        SpectrogramStore(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "essentia-maest spectrograms 2"}, "format is.*2'; wanted"),
        ({"front_end": {"sample_rate": 22050}}, "front_end is.*22050"),
        ({"classes": ["a", "b", "c", "d"]}, "is none of the 4"),
        ({"mean": "2"}, "mean is '2'; wanted float"),
        ({"classes": [1, 2, 3, 4]}, r"classes is \[1.*wanted list\[str\]"),
        ({"shard_bytes": ["a"]}, r"shard_bytes is.*wanted list\[int\]"),
        ({"splits": {"train": "a"}}, r"splits is.*wanted dict"),
        ({"std": 0.0}, "std 0.0 are not usable"),
        ({"tracks": 39}, "40 tracks, wanted 39"),
        ({"shard_bytes": []}, "names shards 0 to 2"),
        ({"colour": 1}, r"unknown \['colour'\]"),
    ],
)
def test_wrong_description(copy, change, message):
    file = copy / "dataset.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(DataError, match=message):
        SpectrogramStore(copy)


def test_a_shard_of_another_data_set(copy, tmp_path):
    make_store(tmp_path / "other", tracks=40, classes=4, frames=30)
    os.replace(tmp_path / "other/shards/000001.arrow", copy / "shards/000001.arrow")
    with pytest.raises(DataError, match=r"000001\.arrow: not the shard of this data set"):
        SpectrogramStore(copy)


def test_fixture_labels_are_loud_bands():
    mel = make_mel([1], 4, 10, np.random.default_rng(0)).astype(np.float32)
    assert mel[:, 24:48].mean() > mel[:, :24].mean() + 1
    assert SHARD_TRACKS < TRACKS  # several shards in these tests
