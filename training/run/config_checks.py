"""What types cannot say about an experiment: ranges, and values that do not go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from training.config import (
    AugmentationConfig,
    Experiment,
    InitialisationConfig,
    LayersConfig,
    ModelConfig,
    RecipeConfig,
    RunConfig,
)
from training.errors import ConfigError
from training.model.sizes import SIZES, segment_frames

_BANDS, _PATCH, _STRIDE = 96, 16, 10


def check_experiment(experiment: Experiment) -> None:
    """Check an experiment before anything is spent on it.

    Raises
    ------
    ConfigError
        With all that is wrong, each by its key.
    """
    found = [
        *_model(experiment.model),
        *_initialisation(experiment.initialisation, experiment.model),
        *_recipe(experiment.recipe, experiment.model),
        *_averaging(experiment.recipe),
        *_layers(experiment.recipe, experiment.model),
        *_masking(experiment),
        *_run(experiment.run, experiment.recipe),
    ]
    if experiment.data.workers < 0:
        found.append(f"data.workers is {experiment.data.workers}, wanted 0 or more")
    if found:
        raise ConfigError("; ".join(found))


def _ranges(prefix: str, values: object, least: Mapping[str, float]) -> Iterator[str]:
    for name, limit in least.items():
        value = getattr(values, name)
        # Written so that NaN is refused too.
        if value is not None and not limit <= value < float("inf"):
            yield f"{prefix}.{name} is {value}, wanted {limit:g} or more"


def _above_zero(name: str, value: float | None) -> Iterator[str]:
    if value is not None and not 0.0 < value < float("inf"):
        yield f"{name} is {value}, wanted more than 0"


def _model(model: ModelConfig) -> Iterator[str]:
    patchout = model.patchout
    yield from _above_zero("model.seconds", model.seconds)
    yield from _ranges("model", model, {"dim": 1, "heads": 1, "depth": 1})
    yield from _ranges("model.patchout", patchout, dict.fromkeys(vars(patchout), 0))
    if model.architecture != "maest":
        if any(vars(patchout).values()) or model.head != "mean":
            yield f"model.architecture is {model.architecture}: no patchout, no head but mean"
        if (model.dim, model.heads, model.depth, model.input_frames) != (None,) * 4:
            yield (
                f"model.architecture is {model.architecture}: dim, heads, depth and input_frames "
                "are MAEST's"
            )
        return
    if not 0.0 < model.seconds < float("inf"):
        return
    try:
        longest = segment_frames(model.seconds)
    except ConfigError as error:
        yield f"model.seconds is {model.seconds}: {error}"
        return
    frames = longest if model.input_frames is None else model.input_frames
    if not _PATCH <= frames <= longest:
        yield f"model.input_frames is {frames}, wanted {_PATCH} to the segment's {longest}"
        return
    rows, columns = (_BANDS - _PATCH) // _STRIDE + 1, (frames - _PATCH) // _STRIDE + 1
    kept = (rows - patchout.frequency) * (columns - patchout.time) - patchout.unstructured
    if patchout.frequency >= rows or patchout.time >= columns or kept < 1:
        yield (
            f"model.patchout leaves nothing of {rows} x {columns} patches: "
            f"{patchout.frequency} rows, {patchout.time} columns, {patchout.unstructured} more"
        )


def _initialisation(initialisation: InitialisationConfig, model: ModelConfig) -> Iterator[str]:
    source, checkpoint = initialisation.source, initialisation.checkpoint
    if source == "random" and checkpoint is not None:
        yield "initialisation.checkpoint is given, but initialisation.source is random"
    if source != "random" and checkpoint is None:
        yield f"initialisation.source is {source}: initialisation.checkpoint is missing"
    if source != "random" and model.architecture != "maest":
        yield f"initialisation.source is {source}, but model.architecture {model.architecture}"


def _recipe(recipe: RecipeConfig, model: ModelConfig) -> Iterator[str]:
    schedule, sampling, teacher = recipe.schedule, recipe.sampling, recipe.teacher
    yield from _ranges("recipe", recipe, {"epochs": 1, "batch": 1, "micro_batch": 1})
    yield from _ranges("recipe", recipe, {"weight_decay": 0})
    if recipe.optimizer == "muon" and model.architecture != "maest":
        yield f"recipe.optimizer is muon: for maest, not {model.architecture}"
    if recipe.optimizer == "muon" and not recipe.decoupled_weight_decay:
        yield "recipe.optimizer is muon: it has no other weight decay than the decoupled one"
    yield from _above_zero("recipe.gradient_clipping", recipe.gradient_clipping)
    yield from _ranges("recipe", recipe, {"patience": 1, "margin": 0})
    yield from _above_zero("recipe.schedule.peak", schedule.peak)
    least = {"warm_up": 0, "constant_until": 0, "fall": 0, "last": 0}
    yield from _ranges("recipe.schedule", schedule, least)
    if schedule.fall > 0 and schedule.warm_up > schedule.constant_until:
        yield "recipe.schedule.warm_up is after recipe.schedule.constant_until"
    yield from _ranges("recipe.sampling", sampling, {"tracks": 1, "frequency_offset": 0})
    if sampling.tracks < recipe.batch:
        yield f"recipe.sampling.tracks is {sampling.tracks}, less than recipe.batch, {recipe.batch}"
    yield from _augmentation(recipe.augmentation)
    if not 0.0 < teacher.threshold < 1.0:
        yield f"recipe.teacher.threshold is {teacher.threshold}, wanted between 0 and 1"
    if teacher.activations is not None and model.head != "separated":
        yield "recipe.teacher.activations need model.head separated: the dist token has its own"
    if teacher.activations is None and model.head == "separated":
        yield "model.head is separated: recipe.teacher.activations are missing"


def _augmentation(augmentation: AugmentationConfig) -> Iterator[str]:
    prefix = "recipe.augmentation"
    least = {"mixup_alpha": 0, "time_groups": 0, "band_groups": 0}
    yield from _ranges(prefix, augmentation, least | {"time_width": 1, "band_width": 1})
    if augmentation.band_width > _BANDS:
        yield f"{prefix}.band_width is {augmentation.band_width}, there are {_BANDS} bands"


def _layers(recipe: RecipeConfig, model: ModelConfig) -> Iterator[str]:
    layers = recipe.layers
    yield from _ranges("recipe.layers", layers, {"frozen_blocks": 0})
    if not 0.0 < layers.rate_decay <= 1.0:
        yield f"recipe.layers.rate_decay is {layers.rate_decay}, wanted above 0 and up to 1"
    if layers == LayersConfig():
        return
    if model.architecture != "maest":
        yield f"recipe.layers are of maest, model.architecture is {model.architecture}"
    depth = SIZES[model.size].depth if model.depth is None else model.depth
    if layers.frozen_blocks > depth:
        yield f"recipe.layers.frozen_blocks is {layers.frozen_blocks}, of {depth} blocks"
    if recipe.optimizer == "muon" and layers.rate_decay != 1.0:
        yield "recipe.layers.rate_decay is for recipe.optimizer adam, not muon"


def _masking(experiment: Experiment) -> Iterator[str]:
    masking = experiment.recipe.masking
    yield from _ranges("recipe.masking", masking, {"weight": 0})
    if not 0.0 < masking.share < 1.0:
        yield f"recipe.masking.share is {masking.share}, wanted between 0 and 1"
    if not masking.weight > 0:
        return
    if experiment.model.architecture != "maest":
        yield f"recipe.masking is for maest, model.architecture is {experiment.model.architecture}"
    if experiment.run.compile:
        yield "recipe.masking.weight is above 0: that is not compiled (run.compile)"


def _averaging(recipe: RecipeConfig) -> Iterator[str]:
    averaging = recipe.averaging
    least = {"start": 1, "every": 1, "statistics_tracks": 1}
    yield from _ranges("recipe.averaging", averaging, least)
    if averaging.start is not None and averaging.start > recipe.epochs:
        yield (
            f"recipe.averaging.start is {averaging.start}, after the last of {recipe.epochs} "
            "epochs; null averages nothing"
        )


def _run(run: RunConfig, recipe: RecipeConfig) -> Iterator[str]:
    least = {
        "seed": 0,
        "devices": 1,
        "nodes": 1,
        "validate_every": 1,
        "evaluation_batch": 1,
        "log_every": 1,
    }
    yield from _ranges("run", run, least)
    yield from _above_zero("run.checkpoint_minutes", run.checkpoint_minutes)
    if recipe.patience is not None and recipe.patience < run.validate_every:
        yield (
            f"recipe.patience is {recipe.patience}, less than run.validate_every, "
            f"{run.validate_every}: training would end before its first validation"
        )
    share = recipe.micro_batch * run.devices * run.nodes
    if share > 0 and recipe.batch % share:
        yield (
            f"recipe.batch is {recipe.batch}, not a multiple of recipe.micro_batch "
            f"{recipe.micro_batch} x run.devices {run.devices} x run.nodes {run.nodes}"
        )
    if run.precision == "16-mixed" and run.accelerator == "cpu":
        yield "run.precision 16-mixed is for GPUs; bf16-mixed and 32-true are for CPUs too"
