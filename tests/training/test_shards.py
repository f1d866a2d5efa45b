"""Shards: what is written is read, any range of it, and damage is named."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from essentia_maest.files import UNFINISHED
from training.data.outcomes import Spectrogram, written_shard
from training.data.shards import SCHEMA, Shard, ShardWriter
from training.errors import DataError


def random_mels(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(2, 1, (int(n), 96)).astype(np.float16) for n in rng.integers(1, 90, count)]


def write_shard(path, mels):
    with ShardWriter(path) as writer:
        for i, mel in enumerate(mels):
            writer.append(f"träck {i}", mel)
    return path


@pytest.fixture(scope="module")
def mels():
    return random_mels(40)


@pytest.fixture(scope="module")
def path(tmp_path_factory, mels):
    return write_shard(tmp_path_factory.mktemp("shard") / "0.arrow", mels)


def test_what_is_written_is_read(path, mels):
    shard = Shard(path)
    assert len(shard) == len(mels)
    for row in np.random.default_rng(1).permutation(len(mels)):
        assert shard.id(int(row)) == f"träck {row}"
        np.testing.assert_array_equal(shard.read(int(row)), mels[row])


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_range_of_frames(path, mels, data):
    row = data.draw(st.integers(0, len(mels) - 1))
    start = data.draw(st.integers(0, len(mels[row])))
    frames = data.draw(st.none() | st.integers(0, len(mels[row]) - start))
    wanted = mels[row][start:] if frames is None else mels[row][start : start + frames]
    found = Shard(path).read(row, start, frames)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, wanted)


def test_reading_takes_views_of_the_file_and_no_memory(path, mels):
    shard = Shard(path)
    before = pa.total_allocated_bytes()
    views = [shard.read(row, 1) for row in range(len(mels)) if len(mels[row]) > 1]
    assert pa.total_allocated_bytes() - before < 1024
    assert all(not view.flags.owndata and not view.flags.writeable for view in views)
    # A view outlives the shard object and its file.
    kept, wanted = shard.read(3), mels[3]
    del shard, views
    np.testing.assert_array_equal(kept, wanted)


def test_other_arrow_programs_can_read_it(path, mels):
    with pa.OSFile(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    assert table.schema == SCHEMA
    assert table["frames"].to_pylist() == [len(mel) for mel in mels]
    np.testing.assert_array_equal(np.array(table["mel"][5].as_py(), np.float16), mels[5])


def test_same_tracks_same_bytes(path, mels, tmp_path):
    assert write_shard(tmp_path / "again.arrow", mels).read_bytes() == path.read_bytes()


def test_a_shard_of_no_tracks(tmp_path):
    assert len(Shard(write_shard(tmp_path / "0.arrow", []))) == 0


def test_an_abandoned_shard_leaves_nothing(tmp_path, mels):
    def abandon():
        with written_shard(tmp_path, 0) as shard:
            shard.append("a", Spectrogram.of(mels[0]))
            assert len(list(tmp_path.rglob(UNFINISHED))) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        abandon()
    assert not list((tmp_path / "shards").iterdir())


@pytest.mark.parametrize(
    ("row", "start", "frames"),
    [(40, 0, None), (-1, 0, None), (0, 0, 1000), (0, -1, 1), (0, 95, None), (0, 2, -1)],
)
def test_what_is_not_there(path, row, start, frames):
    with pytest.raises(DataError, match=r"0\.arrow.*wanted"):
        Shard(path).read(row, start, frames)


@pytest.mark.parametrize("left", [0, 7, 100, 0.5, 0.999])
def test_cut_short(path, tmp_path, left):
    data = path.read_bytes()
    cut = tmp_path / "cut.arrow"
    cut.write_bytes(data[: left if isinstance(left, int) else int(left * len(data))])
    with pytest.raises(DataError, match=r"cut\.arrow: not a whole shard"):
        Shard(cut)


def test_missing(tmp_path):
    with pytest.raises(DataError, match=r"none\.arrow"):
        Shard(tmp_path / "none.arrow")


def test_foreign_arrow_file(tmp_path):
    path = tmp_path / "foreign.arrow"
    schema = SCHEMA.with_metadata({"maest.format": "essentia-maest spectrograms 0"})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema):
        pass
    with pytest.raises(DataError, match="spectrograms 0"):
        Shard(path)


def test_damage_anywhere_is_an_error_of_ours_or_finite_reading(path, tmp_path, mels):
    """Bytes flipped in a shard never crash the process."""
    data = path.read_bytes()
    rng = np.random.default_rng(2)
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 8):
            damaged[place] ^= 1 << int(rng.integers(8))
        # Near the end is the footer, where damage matters most.
        damaged[-int(rng.integers(1, 3000))] ^= 0xFF
        file = tmp_path / "damaged.arrow"
        file.write_bytes(damaged)
        try:
            shard = Shard(file)
            for row in range(len(shard)):
                assert shard.read(row).shape[1] == 96
        except DataError:
            refused += 1
        file.unlink()
    assert refused > 10
