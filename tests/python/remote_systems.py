"""Places elsewhere: an object store, and a server that moves files by copying them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import fsspec
import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

BUCKET = "bucket"


class CopyingFileSystem(LocalFileSystem):
    """A server's files, as far as fsspec knows no better: to move is to copy, then to remove."""

    protocol = "copying"
    local_file = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(str(path).removeprefix("copying://"))

    def unstrip_protocol(self, name: str) -> str:
        return f"copying://{self._strip_protocol(name)}"

    def mv(self, path1: str, path2: str, **more: object) -> None:
        AbstractFileSystem.mv(self, path1, path2)

    def cp_file(self, path1: str, path2: str, **more: object) -> None:
        with open(path1, "rb") as source, open(path2, "wb") as target:
            content = source.read()
            target.write(content[: len(content) // 2])
            target.flush()
            self.in_the_middle()
            target.write(content[len(content) // 2 :])

    def in_the_middle(self) -> None:
        """Do nothing: the place to do something else."""


def register() -> None:
    """Have fsspec know it, in this process."""
    fsspec.register_implementation("copying", CopyingFileSystem, clobber=True)


@contextlib.contextmanager
def object_store() -> Iterator[str]:
    """Serve an object store (moto's S3) meanwhile, and give the URL of a bucket that it has.

    What finds it is in the environment, for processes that are started, too.
    """
    moto = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    told = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        s3fs.S3FileSystem.clear_instance_cache()
        fsspec.filesystem("s3").mkdir(BUCKET)
        yield f"s3://{BUCKET}"
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
