"""What several files of tests read, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sound_table_fixtures import OPTIONS, make_collection
from training.data.spectrograms import make_spectrograms


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracks table of short sounds."""
    return make_collection(tmp_path_factory.mktemp("collection"))


@pytest.fixture(scope="session")
def dataset(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of `collection`."""
    folder = tmp_path_factory.mktemp("whole") / "set"
    make_spectrograms(collection, folder, **{**OPTIONS, "workers": 2})
    return folder
