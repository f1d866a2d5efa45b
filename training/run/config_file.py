"""Experiments in YAML files, on command lines, in checkpoints: read and written."""

from __future__ import annotations

from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from jsonargparse import ArgumentParser, Namespace

from essentia_maest.files import write_whole
from training.config import Experiment
from training.errors import ConfigError

from .config_checks import check_experiment


def add_experiment_arguments(parser: ArgumentParser) -> None:
    """Let a parser take an experiment: `--config FILE`, and every value as `--group.name`."""
    parser.add_argument("--config", action="config", help="YAML file of an experiment")
    parser.add_class_arguments(Experiment, None)


def experiment_of(parser: ArgumentParser, parsed: Namespace) -> Experiment:
    """Make the experiment from what the parser found.

    Raises
    ------
    ConfigError
        Values are possible each, but not together.
    """
    values = parser.instantiate(parsed)
    experiment = Experiment(**{name.name: values[name.name] for name in fields(Experiment)})
    check_experiment(experiment)
    return experiment


def read_experiment(path: Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment from a YAML file.

    Parameters
    ----------
    path : Path
    overrides : sequence of str
        As on the command line, for instance ``["--run.seed=1"]``.

    Raises
    ------
    ConfigError
        An unknown key, a value of the wrong type, values that do not go together; the message
        names the file and the key.
    """
    return parse_experiment(["--config", str(path), *overrides], str(path))


def parse_experiment(arguments: Sequence[str], source: str) -> Experiment:
    """Make an experiment from what a command line says; what comes later wins.

    Raises
    ------
    ConfigError
        As `read_experiment`; `source` is named.
    """
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    add_experiment_arguments(parser)
    try:
        return experiment_of(parser, parser.parse_args(list(arguments)))
    except (ArgumentError, ConfigError) as error:
        raise ConfigError(f"{source}: {one_line(error)}") from None


def experiment_from(values: Mapping[str, Any], source: str) -> Experiment:
    """Make an experiment from plain nested values, as a checkpoint keeps them.

    Raises
    ------
    ConfigError
        As `read_experiment`; `source` is named instead of a file.
    """
    parser = ArgumentParser(exit_on_error=False)
    add_experiment_arguments(parser)
    try:
        return experiment_of(parser, parser.parse_object(dict(values)))
    except (ArgumentError, ConfigError) as error:
        raise ConfigError(f"{source}: {one_line(error)}") from None


def plain(experiment: Experiment) -> dict[str, Any]:
    """Turn an experiment into nested dicts of numbers, texts and None."""
    return {key: _plain(value) for key, value in asdict(experiment).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, Path) else value


def write_experiment(experiment: Experiment, path: Path) -> None:
    """Write a YAML file that `read_experiment` takes."""
    write_whole(path, yaml.safe_dump(plain(experiment), sort_keys=False))


def one_line(error: Exception) -> str:
    """Put an error's message on one line."""
    return " ".join(str(error).split())


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> dict[str, tuple[Any, Any]]:
    """Compare two configurations in plain form.

    Returns
    -------
    dict
        Dotted key -> (old, new) where they differ; a missing side is None.
    """
    found: dict[str, tuple[Any, Any]] = {}
    for key in [*old, *(key for key in new if key not in old)]:
        name = prefix + str(key)
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found |= differences(before, after, f"{name}.")
        elif before != after:
            found[name] = (before, after)
    return found
