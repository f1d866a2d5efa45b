"""Checkpoints to model files: equal to torch on audio, or refused with nothing left behind."""

import json
import logging
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

import essentia_maest as maest
from essentia_maest.errors import InvalidArgumentError, ModelError
from essentia_maest.making.checkpoints import maest_naming
from essentia_maest.making.conversion import convert
from reference_models import randomize
from spectrogram_fixtures import make_store
from training.cli import main
from training.config import (
    DataConfig,
    Experiment,
    ModelConfig,
    RecipeConfig,
    RunConfig,
    TeacherConfig,
)
from training.errors import CheckpointError, ExportError
from training.export import engine_model, export, listening
from training.model.build import build_network
from training.model.initialisation import initialise
from training.run.checkpoint import Checkpoint, save_checkpoint
from training.run.config_file import plain

CLASSES = ["Rock---Punk", "Jazz---Bop", "Folk---Ballad"]
MEAN, STD = 1.25, 0.75
SMALL = {"dim": 48, "heads": 3, "depth": 2, "seconds": 1.0}
RATE = 16000


@pytest.fixture(scope="module")
def audio(tmp_path_factory) -> list[Path]:
    """Chords with noise: 3.5 s, and 0.6 s, which is shorter than a segment."""
    folder = tmp_path_factory.mktemp("audio")
    rng = np.random.default_rng(0)
    paths = []
    for number, seconds in enumerate((3.5, 0.6)):
        time = np.arange(int(seconds * RATE)) / RATE
        chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220, 277, 330, 1760))
        sound = 0.1 * chord * (1 + np.sin(5 * time)) + 0.02 * rng.standard_normal(len(time))
        paths.append(folder / f"{number}.wav")
        soundfile.write(paths[-1], sound.astype(np.float32), RATE)
    return paths


def save_run(folder: Path, *, averaged=True, dataset="/no/such/dataset", **model) -> Path:
    """Write RUN/final.ckpt; its last weights differ from the mean ones."""
    config = ModelConfig(**(model or SMALL))
    teacher = folder / "teacher.npy" if config.head == "separated" else None
    experiment = Experiment(
        data=DataConfig(dataset=Path(dataset)),
        run=RunConfig(folder=folder),
        model=config,
        recipe=RecipeConfig(teacher=TeacherConfig(activations=teacher)),
    )
    states = []
    for seed in range(2):
        network = build_network(config, len(CLASSES), seed)
        if config.architecture == "maest":
            randomize(network, seed)
        states.append(network.state_dict())
    folder.mkdir()
    path = folder / "final.ckpt"
    save_checkpoint(
        path,
        Checkpoint(
            config=plain(experiment),
            classes=CLASSES,
            mean=MEAN,
            std=STD,
            dataset=str(dataset),
            network=states[0],
            averaged=states[1] if averaged else None,
            averaged_models=3 if averaged else 0,
            optimizer={},
            progress={"epoch": 2, "step": 8, "position": 0},
            random_state={"seed": 0},
        ),
    )
    (folder / "epochs.csv").write_text(
        "epoch,mean_average_precision,roc_auc,averaged_mean_average_precision,averaged_roc_auc\n"
        "1,0.1,0.2,0.3,0.4\n2,0.5,0.6,0.7,0.8\n"
    )
    return path


def torch_activations(run: Path, path: Path, *, weights: str, head_type="mean") -> np.ndarray:
    """What the network says of the first second of a file, computed without the export's code."""
    content = torch.load(run, weights_only=True)
    settings = content["config"]["model"]
    network = build_network(
        ModelConfig(**{key: settings[key] for key in SMALL}, head=head_type), len(CLASSES), 9
    ).eval()
    network.load_state_dict(
        {
            name.removeprefix(weights): value
            for name, value in content["state_dict"].items()
            if name.startswith(weights)
        }
    )
    mel = maest.mel_spectrogram(maest.load_audio(path))[: network.segment_frames]
    normalised = torch.from_numpy((mel.T - MEAN) / (2 * STD)).float()[None]
    with torch.no_grad():
        return network(normalised).logits.sigmoid()[0].numpy()


def engine_activations(model: maest.Model, path: Path) -> np.ndarray:
    return model.predict(maest.load_audio(path))[0]


@pytest.mark.parametrize("head", ["mean", "separated", "embedding"])
@pytest.mark.parametrize("averaged", [True, False])
def test_the_model_file_gives_what_the_network_gives(tmp_path, audio, head, averaged):
    run = save_run(tmp_path / "run", head=head, **SMALL)
    target = export(run, tmp_path / "model.onnx", audio=audio, averaged=averaged, license="CC0")
    model = maest.Model(target)
    wanted = torch_activations(
        run, audio[0], weights="net_swa." if averaged else "net.", head_type=head
    )
    found = engine_activations(model, audio[0])
    assert np.abs(found - wanted).max() <= 1e-4 * wanted.max()
    assert list(model.labels) == CLASSES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.onnx", "run"]

    info = json.loads(target.with_suffix(".json").read_text())
    assert info == model.info
    assert (info["name"], info["license"], info["trained"]) == ("maest-1s-run", "CC0", True)
    assert info["classes"] == CLASSES
    assert ("mean of 3 sets of weights" if averaged else "last weights") in info["description"]
    metrics = (0.7, 0.8) if averaged else (0.5, 0.6)
    assert info["dataset"]["name"] == "dataset"
    assert tuple(info["dataset"]["metrics"].values()) == metrics


@pytest.mark.parametrize("head", ["mean", "separated", "embedding"])
def test_maest_convert_makes_the_same_model_of_a_checkpoint(tmp_path, audio, head):
    run = save_run(tmp_path / "run", head=head, **SMALL)
    exported = export(run, tmp_path / "exported.onnx", audio=audio[:1])
    converted = convert(run, tmp_path / "converted.onnx")
    models = [maest.Model(path) for path in (exported, converted)]
    assert list(models[1].labels) == CLASSES
    found, wanted = (engine_activations(model, audio[0]) for model in models)
    np.testing.assert_array_equal(found, wanted)


def test_a_head_on_the_embedding_is_read_back_as_a_start(tmp_path, audio):
    run = save_run(tmp_path / "run", head="embedding", averaged=False, **SMALL)
    export(run, tmp_path / "model.onnx", audio=audio, averaged=False)
    network = build_network(ModelConfig(**SMALL, head="embedding"), len(CLASSES), 7)
    start = initialise(network, "maest", tmp_path / "model.onnx", CLASSES)
    assert "head: kept, of 3 classes: the data set's, by name" in start.notes
    wanted = engine_activations(maest.Model(tmp_path / "model.onnx"), audio[0])
    mel = (maest.mel_spectrogram(maest.load_audio(audio[0])) - MEAN) / (2 * STD)
    frames = mel[: network.segment_frames].T
    with torch.no_grad():
        logits = network.eval()(torch.from_numpy(np.ascontiguousarray(frames))[None].float()).logits
    np.testing.assert_allclose(logits[0].sigmoid(), wanted, atol=1e-5)


def test_int8_is_compared_and_told(tmp_path, audio, caplog):
    caplog.set_level(logging.INFO, "training")
    run = save_run(tmp_path / "run")
    target = export(run, tmp_path / "model.onnx", audio=audio, precision="int8")
    told = [record.getMessage() for record in caplog.records]
    assert told[0].startswith("fp32 against torch: largest difference")
    assert told[1].startswith("int8 against torch: largest difference")
    assert "same strongest class in" in told[1]
    assert told[2] == f"{target}: written"
    found = engine_activations(maest.Model(target), audio[0])
    wanted = torch_activations(run, audio[0], weights="net_swa.")
    assert 1e-4 < np.abs(found - wanted).max() / wanted.max() < 0.2


def nothing_written(folder: Path) -> bool:
    return sorted(path.name for path in folder.iterdir()) == ["run"]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_model_that_differs_is_refused(tmp_path, audio, monkeypatch, precision):
    run = save_run(tmp_path / "run")

    def damaged(tensors, heads, *, head="mean"):
        weights = maest_naming.weights_from_maest(tensors, heads, head=head)
        weights.blocks[1].fc1_weight[3] *= 1.05
        return weights

    monkeypatch.setattr(engine_model, "weights_from_maest", damaged)
    with pytest.raises(ExportError, match=r"differs from the trained network.*Nothing was written"):
        export(run, tmp_path / "model.onnx", audio=audio, precision=precision)
    assert nothing_written(tmp_path)


def test_another_normalisation_is_refused(tmp_path, audio, monkeypatch):
    run = save_run(tmp_path / "run")
    mel = maest.mel_spectrogram
    monkeypatch.setattr(engine_model.maest, "mel_spectrogram", lambda x: mel(x) + 0.01)
    with pytest.raises(ExportError, match="differs from the trained network"):
        export(run, tmp_path / "model.onnx", audio=audio)
    assert nothing_written(tmp_path)


def test_weights_that_are_not_finite_are_refused(tmp_path, audio):
    run = save_run(tmp_path / "run")
    content = torch.load(run, weights_only=True)
    content["state_dict"]["net_swa.norm.bias"][0] = float("nan")
    torch.save(content, run)
    with pytest.raises(ExportError, match=r"norm_bias: 1 of 48 values are NaN"):
        export(run, tmp_path / "model.onnx", audio=audio)
    assert nothing_written(tmp_path)


def test_audio_is_asked_for_where_there_is_none(tmp_path, audio):
    run = save_run(tmp_path / "run")
    with pytest.raises(ExportError, match=r"--audio FILE .*data set cannot be used.*/no/such"):
        export(run, tmp_path / "model.onnx")
    silent = tmp_path / "run" / "silent.wav"
    soundfile.write(silent, np.zeros(RATE), RATE)
    broken = tmp_path / "run" / "broken.wav"
    broken.write_bytes(b"RIFF and nothing more")
    with pytest.raises(ExportError, match="none of 2 audio files can be used.* 1 cannot be decod"):
        export(run, tmp_path / "model.onnx", audio=[silent, broken])
    assert nothing_written(tmp_path)
    export(run, tmp_path / "model.onnx", audio=[silent, broken, audio[0]])


def test_validation_tracks_of_the_data_set_are_the_default(tmp_path, audio, monkeypatch):
    store = make_store(tmp_path / "dataset", tracks=48, classes=3)
    chosen = listening.validation_audio(tmp_path / "dataset")
    validation = [store.path(int(index)) for index in store.indices("validation")]
    assert len(validation) == 12
    assert len(set(chosen)) == len(chosen) == 8
    assert set(chosen) <= set(validation)
    assert (chosen[0], chosen[-1]) == (validation[0], validation[-1])

    monkeypatch.setattr(listening.SpectrogramStore, "path", lambda _store, _index: audio[0])
    run = save_run(tmp_path / "run", dataset=tmp_path / "dataset")
    assert export(run, tmp_path / "model.onnx").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["efficientnet-b0", "resnet50"])
def test_a_baseline_becomes_plain_onnx(tmp_path, audio, architecture):
    run = save_run(tmp_path / "run", architecture=architecture, seconds=1.0)
    target = export(run, tmp_path / "model.onnx", audio=audio[:1], name="A baseline")
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    mel = maest.mel_spectrogram(maest.load_audio(audio[0])).T[np.newaxis]
    batch = np.repeat(mel[:, :, :90], 3, axis=0)  # other sizes than those of the export
    names = ["activations", "logits", "embeddings"]
    activations, logits, embeddings = session.run(names, {"melspectrogram": batch})

    content = torch.load(run, weights_only=True)["state_dict"]
    network = build_network(ModelConfig(architecture=architecture), 3, 5).eval()
    network.load_state_dict(
        {
            name.removeprefix("net_swa."): value
            for name, value in content.items()
            if name.startswith("net_swa.")
        }
    )
    with torch.no_grad():
        normalised = torch.from_numpy((batch - MEAN) / (2 * STD)).float()
        wanted = network(normalised).logits.numpy(), network.embed(normalised).numpy()
    for found, theirs in zip((logits, embeddings), wanted, strict=True):
        assert np.abs(found - theirs).max() <= 1e-4 * np.abs(theirs).max()
    np.testing.assert_allclose(activations, 1 / (1 + np.exp(-logits)), rtol=1e-5)
    info = json.loads(target.with_suffix(".json").read_text())
    assert (info["name"], info["classes"], info["trained"]) == ("A baseline", CLASSES, True)

    with pytest.raises(ExportError, match="'int8': only MAEST"):
        export(run, tmp_path / "other.onnx", audio=audio, precision="int8")
    with pytest.raises(ModelError, match=f"the baseline '{architecture}'.*training export"):
        convert(run, tmp_path / "other.onnx")


def test_what_cannot_be_exported_is_refused(tmp_path, audio):
    run = save_run(tmp_path / "run", averaged=False)
    with pytest.raises(CheckpointError, match="no averaged weights yet"):
        export(run, tmp_path / "model.onnx", audio=audio)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        export(tmp_path / "none.ckpt", tmp_path / "model.onnx", audio=audio)
    with pytest.raises(InvalidArgumentError, match=r"must end in \.onnx"):
        export(run, tmp_path / "model.pt", audio=audio, averaged=False)
    assert nothing_written(tmp_path)


def test_a_run_can_start_from_another_runs_checkpoint(tmp_path):
    run = save_run(tmp_path / "run")
    network = build_network(ModelConfig(**SMALL), len(CLASSES), 7)
    notes = initialise(network, "maest", run).notes
    assert notes[1:] == ["head: kept, of 3 classes"]
    averaged = torch.load(run, weights_only=True)["state_dict"]
    for name, value in network.state_dict().items():
        assert torch.equal(value, averaged[f"net_swa.{name}"])
    again = build_network(ModelConfig(**SMALL), len(CLASSES), 8)
    named = initialise(again, "maest", run, CLASSES).notes
    assert named == [notes[0], "head: kept, of 3 classes: the data set's, by name"]
    assert torch.equal(again.head[1].weight, network.head[1].weight)
    other = build_network(ModelConfig(**SMALL | {"heads": 4}), len(CLASSES), 7)
    with pytest.raises(CheckpointError, match="3 attention heads; wanted .* 4 attention heads"):
        initialise(other, "maest", run)


def test_a_head_in_another_order_is_put_right(tmp_path):
    run = save_run(tmp_path / "run")
    network = build_network(ModelConfig(**SMALL), len(CLASSES), 7)
    notes = initialise(network, "maest", run, CLASSES[::-1]).notes
    kept = "head: kept, of 3 classes: the data set's, by name, put into its order"
    assert [note for note in notes if note.startswith("head")] == [kept]
    averaged = torch.load(run, weights_only=True)["state_dict"]
    for name, value in network.state_dict().items():
        wanted = averaged[f"net_swa.{name}"]
        ordered = name in ("head.1.weight", "head.1.bias", "head_dist.weight", "head_dist.bias")
        assert torch.equal(value, wanted.flip(0) if ordered else wanted), name


def test_a_head_of_other_classes_is_made_anew(tmp_path):
    """Also where they are as many: names decide."""
    run = save_run(tmp_path / "run")
    classes = [CLASSES[0], "Metal---Doom", CLASSES[2]]
    network = build_network(ModelConfig(**SMALL), len(classes), 7)
    random = {name: value.clone() for name, value in network.state_dict().items()}
    notes = initialise(network, "maest", run, classes).notes
    assert notes[1:] == ["heads: made anew for 3 classes: the checkpoint has other classes"]
    averaged = torch.load(run, weights_only=True)["state_dict"]
    for name, value in network.state_dict().items():
        anew = name.startswith(("head.1.", "head_dist."))
        assert torch.equal(value, random[name] if anew else averaged[f"net_swa.{name}"]), name


def test_the_command_line(tmp_path, audio):
    run = save_run(tmp_path / "run")
    arguments = ["export", str(run), str(tmp_path / "model.onnx")]
    assert main(arguments) == 2
    assert nothing_written(tmp_path)
    given = json.dumps([str(path) for path in audio])
    assert main([*arguments, "--audio", given, "--license", "CC0", "--averaged", "false"]) == 0
    model = maest.Model(tmp_path / "model.onnx")
    assert model.info["license"] == "CC0"
    assert model.label_families == ()
    assert main([*arguments, "--audio", given, "--families", "true"]) == 0
    assert maest.Model(tmp_path / "model.onnx").label_families == ("Rock", "Jazz", "Folk")


def test_training_checkpoints_of_another_version_or_incomplete_are_refused(tmp_path):
    run = save_run(tmp_path / "run")
    content = torch.load(run, weights_only=True)
    for change, message in (
        ({"format": "essentia-maest training 2"}, "of version '2', wanted '1'"),
        ({"config": {}}, "configuration has model.architecture"),
        ({"classes": None}, "classes, mean and std"),
        ({"std": 0.0}, "standard deviation of 0.0"),
    ):
        torch.save(content | change, run)
        with pytest.raises(ModelError, match=message):
            convert(run, tmp_path / "model.onnx")
    assert nothing_written(tmp_path)
