"""Several nodes, long segments, data in object storage."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import fsspec.implementations.memory
import numpy as np
import pytest
import torch

import training.command_line
from network_fixtures import generator, our_maest
from run_fixtures import CLASSES, make_dataset, make_experiment, rows_without_clock
from test_loop import without_key_bias
from training.config import DataConfig, LayersConfig, ModelConfig, PatchoutConfig
from training.data.places import is_remote
from training.data.store import SpectrogramStore
from training.errors import ConfigError, DataError
from training.model.build import build_network
from training.model.layer_rates import freeze_layers
from training.run.checkpoint import load_checkpoint
from training.run.config_checks import check_experiment
from training.run.config_file import write_experiment
from training.run.fit import fit
from training.run.logs import read_rows

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("scale") / "dataset")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


Launched = list[tuple[list[str], dict[str, str]]]
"""Commands, and what is in their environment besides."""


def by_torchrun(port: int) -> Launched:
    """Two nodes of two processes; the nodes meet at a port."""
    command = [
        "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=2",
        "--master-addr=127.0.0.1", f"--master-port={port}",
    ]  # fmt: skip
    return [([*command, f"--node-rank={node}"], {}) for node in range(2)]


def by_srun(port: int) -> Launched:
    """Two nodes of one process, each with what `srun` tells it."""
    told = {
        "SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "fit", "SLURM_NTASKS": "2", "SLURM_NNODES": "2",
        "SLURM_NTASKS_PER_NODE": "1", "SLURM_NODELIST": "127.0.0.1", "SLURM_LOCALID": "0",
        "MASTER_PORT": str(port),
    }  # fmt: skip
    return [([], {**told, "SLURM_PROCID": node, "SLURM_NODEID": node}) for node in "01"]


@pytest.mark.slow
@pytest.mark.parametrize(("launched", "devices"), [(by_torchrun, 2), (by_srun, 1)])
def test_two_nodes_compute_what_one_process_does(
    launched: Callable[[int], Launched], devices: int, dataset: Path, tmp_path: Path
) -> None:
    experiment = make_experiment(dataset, tmp_path / "one", epochs=2)
    experiment = replace(experiment, recipe=replace(experiment.recipe, micro_batch=2))
    fit(experiment)
    run = replace(experiment.run, folder=tmp_path / "several", devices=devices, nodes=2)
    write_experiment(replace(experiment, run=run), tmp_path / "several.yaml")
    fitting = ["-m", "training", "fit", "--config", str(tmp_path / "several.yaml")]
    with ExitStack() as held:
        nodes = [
            held.enter_context(
                subprocess.Popen(
                    [sys.executable, *command, *fitting],
                    cwd=ROOT,
                    env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for command, environment in launched(free_port())
        ]
        told = [node.communicate(timeout=400)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], told
    # The first process of all speaks, not the first of each node.
    assert "epoch 2 of 2" in told[0]
    assert "epoch 2 of 2" not in told[1]
    one, several = (load_checkpoint(tmp_path / name / "final.ckpt") for name in ("one", "several"))
    for name, value in one.network.items():
        ours, theirs = (without_key_bias(name, part) for part in (several.network[name], value))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    rows = [read_rows(tmp_path / name / "epochs.csv") for name in ("one", "several")]
    for single, shared in zip(*rows, strict=True):
        for name in ("step", "train_loss", "loss", "mean_average_precision"):
            assert shared[name] == pytest.approx(single[name], rel=1e-4)


@pytest.mark.parametrize(
    ("given", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "RANK": "2"}, False),
        ({"LOCAL_RANK": "0", "RANK": "0"}, True),
        ({"SLURM_PROCID": "3", "SLURM_NTASKS": "4"}, False),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, True),
    ],
)
def test_one_process_of_all_nodes_speaks(
    given: dict[str, str], first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCAL_RANK", "NODE_RANK", "RANK", "SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert training.command_line.first_process() == first


def test_a_batch_is_shared_out_among_all_nodes(tmp_path: Path) -> None:
    experiment = make_experiment(tmp_path, tmp_path / "run")  # batch 8, micro-batch 4
    for nodes, message in ((4, "not a multiple of .* x run.nodes 4"), (0, "run.nodes is 0")):
        with pytest.raises(ConfigError, match=message):
            check_experiment(replace(experiment, run=replace(experiment.run, nodes=nodes)))
    check_experiment(replace(experiment, run=replace(experiment.run, nodes=2)))


def kept_bytes(network: torch.nn.Module, mel: torch.Tensor) -> tuple[int, dict[str, Any]]:
    """Bytes that a forward pass keeps for the backward pass, and the gradients."""
    kept = 0

    def keep(value: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += value.numel() * value.element_size()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        logits = network(mel, generator=generator()).logits
    logits.square().sum().backward()
    return kept, {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("frozen", [0, 2])
def test_recomputing_keeps_less_and_changes_nothing(frozen: int) -> None:
    mel = torch.randn(2, 96, 206, generator=generator(1))
    found = []
    for recompute in (False, True):
        network = our_maest(206, depth=4, patchout=PatchoutConfig(frequency=1, time=4)).train()
        freeze_layers(network, LayersConfig(frozen_blocks=frozen))
        network.recompute = recompute
        found.append(kept_bytes(network, mel))
    (everything, wanted), (inputs, gradients) = found
    assert inputs < everything / 2
    assert gradients.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(gradients[name], value), name
    network = build_network(ModelConfig(size="tiny", depth=1, seconds=1.0, recompute=True), 3, 0)
    assert network.recompute


@pytest.mark.slow
def test_segments_of_a_minute_and_more_are_trained(tmp_path: Path) -> None:
    """Their time encoding is the start's, interpolated."""
    from spectrogram_fixtures import make_store
    from training.config import InitialisationConfig

    make_store(tmp_path / "set", tracks=32, classes=CLASSES, frames=4096)
    experiment = make_experiment(tmp_path / "set", tmp_path / "short", epochs=1)
    averaging = replace(experiment.recipe.averaging, start=None)
    experiment = replace(experiment, recipe=replace(experiment.recipe, averaging=averaging))
    fit(experiment)
    start = load_checkpoint(tmp_path / "short" / "final.ckpt").network["time_new_pos_embed"]
    patchout = PatchoutConfig(frequency=3, time=300)
    long = replace(
        experiment,
        model=replace(experiment.model, seconds=64.0, patchout=patchout, recompute=True),
        initialisation=InitialisationConfig("maest", tmp_path / "short" / "final.ckpt"),
        run=replace(experiment.run, folder=tmp_path / "long", evaluation_batch=2),
    )
    fit(long)
    assert start.shape[3] == 6
    encoding = load_checkpoint(tmp_path / "long" / "final.ckpt").network["time_new_pos_embed"]
    assert encoding.shape[3] == 400
    # A step or two from where it began: the ends of the line are still the start's.
    spread = start.std()
    assert (encoding[..., 0] - start[..., 0]).abs().mean() < spread
    assert (encoding[..., -1] - start[..., -1]).abs().mean() < spread


@pytest.fixture
def remote(dataset: Path) -> Iterator[Path]:
    """The data set in fsspec's memory, as it would lie in object storage."""
    system = fsspec.filesystem("memory")
    system.put(str(dataset), "/bucket/set", recursive=True)
    yield Path("memory://bucket/set")
    system.rm("/bucket", recursive=True)


def test_a_data_set_in_object_storage_is_read_like_a_local_one(dataset: Path, remote: Path) -> None:
    assert is_remote(remote)
    assert not is_remote(dataset)
    here, there = SpectrogramStore(dataset), SpectrogramStore(remote)
    assert there.classes == here.classes
    assert (there.mean, there.std, len(there)) == (here.mean, here.std, len(here))
    for track in range(0, len(here), 7):
        assert np.array_equal(there.read(track, 3, 40), here.read(track, 3, 40))
        np.testing.assert_array_equal(there.targets(track), here.targets(track))
    assert there.ids([3, 1]) == here.ids([3, 1])


@pytest.mark.slow
def test_a_run_on_it_is_the_same_to_the_bit(dataset: Path, remote: Path, tmp_path: Path) -> None:
    experiment = make_experiment(dataset, tmp_path / "here", epochs=1)
    averaging = replace(experiment.recipe.averaging, start=None)
    experiment = replace(experiment, recipe=replace(experiment.recipe, averaging=averaging))
    fit(experiment)
    run = replace(experiment.run, folder=tmp_path / "there")
    fit(replace(experiment, data=DataConfig(remote, workers=0), run=run))
    here, there = (load_checkpoint(tmp_path / name / "final.ckpt") for name in ("here", "there"))
    assert SpectrogramStore(Path(there.dataset)).classes == tuple(there.classes)
    for name, value in here.network.items():
        assert torch.equal(there.network[name], value), name
    logs = [rows_without_clock(tmp_path / name / "epochs.csv") for name in ("here", "there")]
    assert logs[0] == logs[1]


class OtherProtocol(fsspec.implementations.memory.MemoryFileSystem):  # type: ignore[misc]
    """fsspec's memory under another name."""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + str(path).removeprefix(f"{cls.protocol}://").strip("/")


class NamesOnly(OtherProtocol):
    """Lists names without sizes, as a web server does."""

    protocol = "namesonly"

    def ls(self, path: str, detail: bool = True, **options: object) -> list[Any]:
        return [{**entry, "size": None} for entry in super().ls(path, detail=True, **options)]


class Unlisted(OtherProtocol):
    """Lists nothing, and fails as its own library does."""

    protocol = "unlisted"

    def ls(self, path: str, detail: bool = True, **options: object) -> list[Any]:
        raise LookupError("403, Forbidden")

    def cat_file(self, path: str, *rest: Any, **options: Any) -> bytes:
        if "forbidden" in path:
            raise LookupError("403, Forbidden")
        content: bytes = super().cat_file(path, *rest, **options)
        return content


@pytest.mark.parametrize("kind", [NamesOnly, Unlisted])
def test_folders_that_cannot_be_listed_with_sizes(
    kind: type[fsspec.AbstractFileSystem], dataset: Path, remote: Path
) -> None:
    fsspec.register_implementation(kind.protocol, kind, clobber=True)
    store = SpectrogramStore(Path(f"{kind.protocol}://bucket/set"))
    np.testing.assert_array_equal(store.read(5, 3, 40), SpectrogramStore(dataset).read(5, 3, 40))
    with fsspec.filesystem("memory").open("/bucket/set/shards/000000.arrow", "ab") as shard:
        shard.write(b"more")
    with pytest.raises(DataError, match="not the shard of this data set"):
        SpectrogramStore(Path(f"{kind.protocol}://bucket/set"))
    if kind is Unlisted:
        with pytest.raises(DataError, match="LookupError: 403, Forbidden"):
            SpectrogramStore(Path("unlisted://forbidden/set"))


def test_what_is_wrong_in_object_storage_is_named(remote: Path) -> None:
    system = fsspec.filesystem("memory")
    shard = next(path for path in system.find("/bucket/set") if path.endswith("0.arrow"))
    content = system.cat_file(shard)
    system.pipe_file(shard, content[:-100])
    with pytest.raises(DataError, match=r"000000\.arrow: cut short"):
        SpectrogramStore(remote)
    system.pipe_file(shard, content)
    system.rm("/bucket/set/index.parquet")
    with pytest.raises(DataError, match=r"index\.parquet: cannot be read"):
        SpectrogramStore(remote)
    with pytest.raises(DataError, match="finished"):
        SpectrogramStore(Path("memory://bucket/nothing"))
    with pytest.raises(DataError, match="nosuch"):
        SpectrogramStore(Path("nosuch://bucket/set"))
