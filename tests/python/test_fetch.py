"""`maest fetch`: from three kinds of sources to `Model` by name; the server is on this machine."""

import hashlib
import io
import json
import os
import subprocess
import sys

import pytest
import torch

import essentia_maest as maest
from checkpoint_files import (
    LABELS,
    export_official,
    properties,
    save_folder,
    save_lightning,
    small_ast,
    small_maest,
)
from essentia_maest.commands.cli import main
from essentia_maest.fetching import download, fetch, sources
from essentia_maest.reading import catalogue
from essentia_maest.reading.store import resolve
from model_server import serving

NAME = "discogs-maest-10s-pw"
FOLDER = "discogs-maest-10s-pw-129e"
ESSENTIA = "/models/feature-extractors/maest/discogs-maest-10s-pw-2"
HUGGING_FACE = f"/mtg-upf/{FOLDER}/resolve/main"
GITHUB = f"/palonso/MAEST/releases/download/v0.0.0-beta/{FOLDER}-swa.ckpt"
ABOUT = json.dumps({"name": NAME, "classes": LABELS, "citation": "@x"}).encode()


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    path = tmp_path_factory.mktemp("official") / "o.onnx"
    export_official(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hugging_face")
    save_folder(folder, small_ast())
    torch.save(small_ast().state_dict(), folder / "pytorch_model.bin")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("github") / "a.ckpt"
    save_lightning(path, small_maest().state_dict())
    return path.read_bytes()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(download, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setenv("ESSENTIA_MAEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(monkeypatch, cache):
    with serving() as running:
        monkeypatch.setenv("ESSENTIA_MAEST_FETCH_FROM", running.url)
        yield running


def run(capsys, *arguments):
    code = main(["fetch", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def at_essentia(server, official):
    server.files |= {f"{ESSENTIA}.onnx": official, f"{ESSENTIA}.json": ABOUT}


def test_a_model_by_name(server, cache, official, capsys):
    at_essentia(server, official)
    with pytest.raises(maest.ModelError, match=f"was not fetched; `maest fetch {NAME}` brings it"):
        maest.Model(NAME)
    code, _, said = run(capsys, NAME, "--accept-licence")
    assert code == 0, said
    assert catalogue.LICENCE in said
    assert catalogue.LICENCE_URL in said
    assert server.asked == [f"{ESSENTIA}.json", f"{ESSENTIA}.onnx"]
    for name in (NAME, f"{NAME}-2", f"{NAME}-129e", f"mtg-upf/{NAME}-129e"):
        model = maest.Model(name)
        assert model.labels == tuple(LABELS)
        assert model.path.read_bytes() == official
    assert main(["models"]) == 0
    assert f"{NAME}  " in capsys.readouterr().out
    _, listed, _ = run(capsys, "--list")
    marked = [line for line in listed.splitlines() if "(fetched)" in line]
    assert len(listed.splitlines()) == len(catalogue.MODELS)
    assert [line.split()[0] for line in marked] == [NAME]


def test_unknown_hashes_are_told_recorded_and_then_wanted(server, cache, official, capsys):
    at_essentia(server, official)
    _, _, said = run(capsys, NAME, "--accept-licence")
    sha256 = hashlib.sha256(official).hexdigest()
    assert f"not known beforehand; {sha256} is recorded" in said
    record = json.loads((cache / NAME / "fetched.json").read_text())
    assert record["licence"] == catalogue.LICENCE
    assert record["files"][f"{NAME}-2.onnx"] == {
        "from": f"{server.url}{ESSENTIA}.onnx",
        "bytes": len(official),
        "sha256": sha256,
        "known_beforehand": False,
    }
    (cache / NAME / f"{NAME}-2.onnx").unlink()
    server.files[f"{ESSENTIA}.onnx"] = official + b"\n"
    code, _, said = run(capsys, NAME)
    assert code == 1
    assert "the one recorded when it was fetched first" in said
    server.files[f"{ESSENTIA}.onnx"] = official
    code, _, said = run(capsys, NAME)
    assert code == 0, said
    assert "not known beforehand" not in said


def test_known_hashes_are_wanted(server, cache, official, capsys, monkeypatch):
    at_essentia(server, official)
    known = (hashlib.sha256(official).hexdigest(), len(official))
    monkeypatch.setitem(sources._ONNX, f"{NAME}-2", known)
    server.files[f"{ESSENTIA}.onnx"] = official[:-1]
    code, _, said = run(capsys, NAME, "--accept-licence")
    assert code == 1
    assert f"what came is not the file that is wanted (sha256 {known[0]})" in said
    server.files[f"{ESSENTIA}.onnx"] = official
    code, _, said = run(capsys, NAME, "--accept-licence")
    assert code == 0, said
    assert f"{NAME}-2.onnx: its sha256 was not known" not in said


def test_what_is_here_needs_no_connection(server, cache, official, capsys, monkeypatch):
    at_essentia(server, official)
    run(capsys, NAME, "--accept-licence")
    monkeypatch.setenv("ESSENTIA_MAEST_FETCH_FROM", "http://127.0.0.1:9")
    code, _, said = run(capsys, NAME)
    assert code == 0, said
    code, _, said = run(capsys, "discogs-maest-5s-pw", "--accept-licence")
    assert code == 1
    assert "127.0.0.1 cannot be reached" in said


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_fetched_and_converted_at_once(server, cache, official, capsys, precision):
    at_essentia(server, official)
    code, _, said = run(capsys, NAME, "--accept-licence", "--convert", "--precision", precision)
    assert code == 0, said
    name = NAME if precision == "fp32" else f"{NAME}-int8"
    path = maest.Model(name).path
    assert path.parent == cache / NAME
    stored = properties(path)
    assert stored["precision"] == precision
    assert stored["license"] == catalogue.LICENCE
    assert stored["source_sha256"] == hashlib.sha256(official).hexdigest()
    assert stored["labels"].split("\n") == LABELS
    # the name without -int8 is never the int8 file
    assert maest.Model(NAME).precision == "fp32"
    assert main(["models"]) == 0
    assert f"{name}  " in capsys.readouterr().out


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_hugging_face_where_essentia_has_none(server, cache, hugging_face, capsys, weights):
    kept = {"config.json", "README.md", weights}
    server.files |= {
        f"{HUGGING_FACE}/{name}": content for name, content in hugging_face.items() if name in kept
    }
    code, _, said = run(capsys, NAME, "--accept-licence")
    assert code == 0, said
    assert f"essentia does not have {NAME}" in said
    assert "a model file is made of it" in said
    model = maest.Model(NAME)
    assert model.labels == tuple(LABELS)
    assert properties(model.path)["source"] == f"{FOLDER}/{weights} (Hugging Face)"
    server.files.clear()
    code, _, said = run(capsys, NAME)
    assert code == 0, said


def test_a_release_of_github(server, cache, checkpoint, capsys, monkeypatch):
    server.files |= {GITHUB: checkpoint, f"{ESSENTIA}.json": ABOUT}
    code, _, said = run(capsys, NAME, "--accept-licence", "--source", "github")
    assert code == 1
    assert "9862dbc5945a62de01de0c2cccd5e499563210e307324bf6305f6932ad967f1f" in said
    known = (hashlib.sha256(checkpoint).hexdigest(), None)
    monkeypatch.setitem(sources._CHECKPOINTS, FOLDER, known)
    code, _, said = run(capsys, NAME, "--accept-licence", "--source", "github")
    assert code == 0, said
    assert maest.Model(NAME).labels == tuple(LABELS)


def test_no_source_has_it(server, cache, capsys):
    code, _, said = run(capsys, NAME, "--accept-licence")
    assert code == 1
    for source in sources.SOURCES:
        assert f"{source}: http" in said
    assert "(HTTP 404)" in said


def test_what_came_is_opened_once(server, cache, official, capsys):
    at_essentia(server, b"<html>log in</html>")
    code, _, said = run(capsys, NAME, "--accept-licence")
    assert code == 1
    assert "not the model that is wanted, and was removed" in said
    assert os.listdir(cache / NAME) == []
    at_essentia(server, official)
    assert run(capsys, NAME, "--accept-licence")[0] == 0


def test_the_licence_is_agreed_to(server, cache, official, capsys, monkeypatch):
    at_essentia(server, official)
    code, _, said = run(capsys, NAME)
    assert code == 2
    assert catalogue.LICENCE_URL in said
    assert "wanted --accept-licence" in said
    assert server.requests == []

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", shown := Terminal())
    for answer, code in (("n\n", 2), ("\n", 2), ("", 2), ("y\n", 0), ("", 0)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert main(["fetch", NAME, "--quiet"]) == code, shown.getvalue()
    assert shown.getvalue().count("Do you agree?") == 4
    assert shown.getvalue().count("its licence is not agreed to") == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no NAME found"),
        (["nonsense"], "'nonsense' is no public MAEST model; wanted one of discogs-maest-5s-pw,"),
        ([NAME, "--precision", "int8"], "--precision is for --convert"),
        ([NAME, "--accept-licence", "--source", "x"], "wanted one of essentia, huggingface, git"),
    ],
)
def test_bad_usage(cache, capsys, arguments, words):
    code, _, said = run(capsys, *arguments)
    assert code == 2
    assert words in said


def test_extras_are_named_before_anything_comes(server, cache, capsys, monkeypatch):
    found = fetch.importlib.util.find_spec
    monkeypatch.setattr(
        fetch.importlib.util, "find_spec", lambda name: None if name == "onnx" else found(name)
    )
    for more in (["--convert"], ["--source", "huggingface"]):
        code, _, said = run(capsys, NAME, "--accept-licence", *more)
        assert code == 2
        assert "pip install 'essentia-maest[convert]'" in said
    monkeypatch.setattr(
        fetch.importlib.util, "find_spec", lambda name: None if name == "torch" else found(name)
    )
    code, _, said = run(capsys, NAME, "--accept-licence", "--source", "github")
    assert "pip install 'essentia-maest[torch]'" in said
    assert server.requests == []


def test_every_source_has_an_address_for_every_model():
    hosts = {
        "essentia": "essentia.upf.edu",
        "huggingface": "huggingface.co",
        "github": "github.com",
    }
    addresses = set()
    for model in catalogue.MODELS:
        for name, host in hosts.items():
            source = sources.source_of(model, name)
            for file in source.files:
                assert file.host == f"https://{host}" or file.place == source.labels
                addresses.add(file.host + file.path)
        checkpoint = sources.source_of(model, "github").files[-1]
        assert len(checkpoint.sha256) == 64
    pinned = sources.source_of(catalogue.find_model("discogs-maest-30s-pw-519l"), "essentia")
    assert pinned.files[-1].size == 348_052_337
    assert len(addresses) == len(catalogue.MODELS) * (2 + 3 + 1)


def test_the_name_of_a_file_that_exists_is_not_needed(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve("default").is_file()
    with pytest.raises(maest.ModelError, match="maest fetch discogs-maest-5s-pw --convert --prec"):
        resolve("discogs-maest-5s-pw-int8")


def test_fetching_is_not_imported_by_what_reads():
    code = (
        "import sys, essentia_maest as m; m.Model('default')\n"
        "assert not {'requests', 'pooch', 'onnx'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
