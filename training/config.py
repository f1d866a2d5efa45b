"""The configuration of an experiment: typed, and every value with its default."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class PatchoutConfig:
    """How much of the patch grid a training step drops (paper, section 3.2).

    Parameters
    ----------
    frequency : int
        Rows dropped, drawn anew each step.
    time : int
        Columns dropped, drawn anew each step.
    unstructured : int
        Single patches dropped from what is left.
    """

    frequency: int = 0
    time: int = 0
    unstructured: int = 0


@dataclass(frozen=True)
class ModelConfig:
    """A network.

    Parameters
    ----------
    architecture : {"maest", "efficientnet-b0", "resnet50"}
    size : {"tiny", "small", "base"}
        Of MAEST; the paper's is base.
    dim, heads, depth : int, optional
        Width of a token, attention heads and blocks, where they differ from the size's.
    seconds : float
        Length of a segment.
    input_frames : int, optional
        Mel frames of an input, where they are fewer than the segment's: in training its place in
        the time encoding is then drawn, as in the authors' code.
    head : {"mean", "separated", "embedding"}
        One head on the mean of cls and dist, one head each (teacher and student), or one on the
        embedding of the last block: cls, dist and the mean of the patches' tokens, stacked.
    patchout : PatchoutConfig
    narrow_stream : bool
        In mixed precision, carry tokens from block to block in 16 bits too, not in float32 as the
        paper's code does: faster on a GPU, and each block's sum is rounded.
    recompute : bool
        Keep only each block's input in training, and compute the rest anew in the backward pass:
        for segments whose activations do not fit, at the cost of another forward pass.
    """

    architecture: Literal["maest", "efficientnet-b0", "resnet50"] = "maest"
    size: Literal["tiny", "small", "base"] = "base"
    dim: int | None = None
    heads: int | None = None
    depth: int | None = None
    seconds: float = 30.0
    input_frames: int | None = None
    head: Literal["mean", "separated", "embedding"] = "mean"
    patchout: PatchoutConfig = field(default_factory=PatchoutConfig)
    narrow_stream: bool = False
    recompute: bool = False


@dataclass(frozen=True)
class InitialisationConfig:
    """What the weights start from (paper, section 3.2).

    Parameters
    ----------
    source : {"random", "deit", "passt", "maest"}
        deit: DeiT B distilled 384; passt: PaSST-S; maest: any MAEST checkpoint.
    checkpoint : path, optional
        The file, for all but random; or the name of a model that ships or was fetched.
    normalisation : {"checkpoint", "dataset"}
        Inputs are normalised by the mean and standard deviation that the weights learnt with, where
        they come from a MAEST, or by the data set's own.
    """

    source: Literal["random", "deit", "passt", "maest"] = "random"
    checkpoint: Path | None = None
    normalisation: Literal["checkpoint", "dataset"] = "checkpoint"


@dataclass(frozen=True)
class DataConfig:
    """Where the spectrograms are and how they are read.

    Parameters
    ----------
    dataset : path
        Folder that `python -m training spectrograms` wrote, or the URL of a copy in object storage
        (``s3://bucket/set``; fsspec reads it).
    workers : int
        Processes that read, for each device; 0 reads in the training process.
    """

    dataset: Path
    workers: int = 8


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate over epochs (paper, section 3.2).

    Parameters
    ----------
    peak : float
        Learning rate after the warm-up.
    warm_up : float
        Epochs of exponential rise to the peak; 0 is none.
    constant_until : float
        Epoch at which the linear fall begins.
    fall : float
        Epochs that the fall takes; 0 keeps the peak.
    last : float
        Learning rate after the fall.
    """

    peak: float = 1e-4
    warm_up: float = 5.0
    constant_until: float = 50.0
    fall: float = 50.0
    last: float = 1e-7


@dataclass(frozen=True)
class SamplingConfig:
    """Which tracks make an epoch (paper, section 3.1).

    Parameters
    ----------
    tracks : int
        Drawn for an epoch.
    replacement : bool
        Draw a track as often as its weight says. Without, as in the paper, each is drawn once at
        most, so that a training set of no more than `tracks` is used whole, and not balanced.
    frequency_offset : float
        Added to each label's count before it is inverted, so that the rarest do not rule.
    """

    tracks: int = 200_000
    replacement: bool = False
    frequency_offset: float = 100.0


@dataclass(frozen=True)
class AugmentationConfig:
    """How inputs are varied (paper, section 3.2); 0 switches an item off.

    Parameters
    ----------
    mixup_alpha : float
        Both parameters of the Beta distribution of the mix.
    time_groups, time_width : int
        Most groups of masked frames, and frames of a group.
    band_groups, band_width : int
        Most groups of masked mel bands, and bands of a group.
    """

    mixup_alpha: float = 0.3
    time_groups: int = 20
    time_width: int = 8
    band_groups: int = 5
    band_width: int = 8


@dataclass(frozen=True)
class AveragingConfig:
    """The mean of the weights along the training: SWA (paper, section 3.2).

    Parameters
    ----------
    start : int, optional
        Epochs after which the first weights are taken; None never averages.
    every : int
        Epochs from one to the next.
    statistics_tracks : int
        Training tracks over which batch normalisation is measured anew for the mean weights;
        only networks that have it (the baselines) use this.
    """

    start: int | None = 50
    every: int = 5
    statistics_tracks: int = 10_000


@dataclass(frozen=True)
class TeacherConfig:
    """A trained network's activations as a second target (paper, footnote 5).

    Parameters
    ----------
    activations : path, optional
        File that `python -m training teach` wrote; None is no teacher.
    threshold : float
        Activations above count as the teacher's labels.
    """

    activations: Path | None = None
    threshold: float = 0.45


@dataclass(frozen=True)
class MaskingConfig:
    """A task beside the labels that needs none: telling patches that were masked.

    Parameters
    ----------
    weight : float
        Of its loss, beside that of the labels; 0 is none.
    share : float
        Of the patches that patchout keeps.
    """

    weight: float = 0.0
    share: float = 0.3


@dataclass(frozen=True)
class LayersConfig:
    """How much each layer of a MAEST may change, for fine-tuning.

    Parameters
    ----------
    frozen_blocks : int
        Blocks, from the first, that keep their weights, and with them the patch embedding, tokens
        and encodings; 0 trains everything.
    rate_decay : float
        Each layer's learning rate is that of the layer above it times this: the head and the last
        norm have the schedule's, the last block that times it, and so on down to the patch
        embedding (as in ELECTRA and BEiT). 1 is one rate for all.
    """

    frozen_blocks: int = 0
    rate_decay: float = 1.0


@dataclass(frozen=True)
class RecipeConfig:
    """How the weights are found (paper, section 3.2).

    Parameters
    ----------
    epochs : int
    batch : int
        Tracks of one step of the optimizer, over all devices.
    micro_batch : int
        Tracks of one forward pass. A step is `batch / micro_batch` of them, shared out among the
        devices and done one after the other on each: how many devices there are does not change
        what is computed (but for the running statistics of the baselines' batch normalisation,
        which are those of the first device).
    optimizer : {"adam", "muon"}
        The paper's, or Muon for the matrices of MAEST's blocks: with it a small network that begins
        with random weights needs fewer steps.
    weight_decay : float
    decoupled_weight_decay : bool
        AdamW, rather than Adam with an L2 penalty. The paper writes "Adam", its code runs AdamW;
        the penalty would outweigh the small gradients of a mean over 400 classes.
    gradient_clipping : float, optional
        Largest norm of all gradients together; None clips nothing.
    patience : int, optional
        Epochs after the best validation mAP at which training ends before the last epoch;
        final.ckpt is then best.ckpt. The first weights are validated, too, as epoch 0. None always
        trains to the last.
    margin : float
        With patience, a trained epoch counts as better than the first weights only if its
        validation mAP is above theirs by more than so many standard errors of the difference
        (bootstrap over tracks, or over groups of them in `finetune`): of those the highest is
        best.ckpt, else the first weights are. 0 lets any lead count.
    layers : LayersConfig
    masking : MaskingConfig
    schedule : ScheduleConfig
    sampling : SamplingConfig
    augmentation : AugmentationConfig
    averaging : AveragingConfig
    teacher : TeacherConfig
    """

    epochs: int = 130
    batch: int = 48
    micro_batch: int = 12
    optimizer: Literal["adam", "muon"] = "adam"
    weight_decay: float = 1e-4
    decoupled_weight_decay: bool = True
    gradient_clipping: float | None = None
    patience: int | None = None
    margin: float = 2.0
    layers: LayersConfig = field(default_factory=LayersConfig)
    masking: MaskingConfig = field(default_factory=MaskingConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    averaging: AveragingConfig = field(default_factory=AveragingConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)


@dataclass(frozen=True)
class RunConfig:
    """Where and on what an experiment runs.

    Parameters
    ----------
    folder : path
        For logs and checkpoints; made by the run.
    seed : int
        Of every random draw.
    precision : {"32-true", "bf16-mixed", "16-mixed"}
        Numbers of the forward and backward pass; weights are float32 always.
    matmul_precision : {"highest", "high"}
        How a GPU multiplies float32 matrices: in float32, or on its matrix units in TF32, which has
        float32's range and 10 bits of its fraction (bf16-mixed has 7). CPUs always multiply in
        float32.
    accelerator : {"auto", "cpu", "cuda"}
    devices : int
        GPUs, or processes on the CPU, of each node.
    nodes : int
        Machines. Each runs the command; torchrun or SLURM tells which is which, or NODE_RANK,
        MASTER_ADDR and MASTER_PORT do. All must see the run's folder.
    compile : bool
        Compile the network with `torch.compile`: a slow start, then faster steps on a GPU.
    validate_every : int
        Epochs from one validation to the next; the last epoch always has one.
    validation_windows : {"centre", "all"}
        What is heard of each validation track: its central segment, or all of them, as the model
        file does, whose activations are averaged.
    evaluation_batch : int
        Segments of one forward pass in validation.
    checkpoint_minutes : float
        Longest time between checkpoints; there is one after every epoch anyway.
    log_every : int
        Steps from one row of log.csv to the next.
    tracker : {"wandb", "mlflow"}, optional
        A service that is told the same numbers as TensorBoard.
    """

    folder: Path
    seed: int = 0
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    matmul_precision: Literal["highest", "high"] = "high"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    nodes: int = 1
    compile: bool = False
    validate_every: int = 1
    validation_windows: Literal["centre", "all"] = "centre"
    evaluation_batch: int = 20
    checkpoint_minutes: float = 10.0
    log_every: int = 50
    tracker: Literal["wandb", "mlflow"] | None = None


@dataclass(frozen=True)
class Experiment:
    """All that a training run is made from.

    Parameters
    ----------
    data : DataConfig
    run : RunConfig
    model : ModelConfig
    initialisation : InitialisationConfig
    recipe : RecipeConfig
    """

    data: DataConfig
    run: RunConfig
    model: ModelConfig = field(default_factory=ModelConfig)
    initialisation: InitialisationConfig = field(default_factory=InitialisationConfig)
    recipe: RecipeConfig = field(default_factory=RecipeConfig)
