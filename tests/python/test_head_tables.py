"""Heads on tables of results: predictions of every track, and who says what when it does not go."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_helpers import write_head
from essentia_maest import InvalidArgumentError
from essentia_maest.commands.cli import main
from essentia_maest.files import sha256_of
from essentia_maest.heads.applying import apply_heads
from essentia_maest.results.columns import page
from head_fixtures import DIM, embeddings_of, write_linear_head, write_results
from untrained import UNTRAINED


@pytest.fixture
def out(tmp_path) -> Path:
    """Two parts of tables."""
    for number, names in enumerate((["x", "y", "x"], ["y"])):
        files = [f"{number}-{place}.mp3" for place in range(len(names))]
        write_results(tmp_path / "out", files, embeddings_of(names, number))
    return tmp_path / "out"


def test_a_head_of_ours_predicts_mean_embeddings(tmp_path, out):
    head = write_linear_head(tmp_path / "style.onnx")
    apply_heads([head], out, top_k=2)
    results = maest.open_results(out)
    assert results.heads == ("style",)
    found = results.head("style")
    assert found.labels == head.labels
    np.testing.assert_array_equal(found.predictions(), head.predict(results.embeddings()[0]))
    top = found.tracks["top"].to_pylist()
    for row, predictions in zip(top, found.predictions(), strict=True):
        best = np.argsort(-predictions)[:2]
        assert [one["label"] for one in row] == [head.labels[index] for index in best]
    assert found.tracks["track"].to_pylist() == results.ids.tolist()
    assert found.segments["track"].to_pylist() == results.segments["track"].to_pylist()
    assert found.info["head"]["sha256"] == sha256_of(head.path)
    line = (
        f"SELECT t.path, h.top[1].label FROM '{out}/tracks/*.parquet' t "
        f"JOIN '{out}/heads/style/tracks/*.parquet' h ON h.track = t.id ORDER BY t.path"
    )
    joined = duckdb.sql(line).fetchall()
    assert joined[0] == ("0-0.mp3", top[0][0]["label"])
    assert len(joined) == 4


def test_other_heads_average_their_predictions(tmp_path, out):
    write_head(tmp_path / "other.onnx", ["n", DIM], DIM, outputs=["activations"])
    head = maest.Head(tmp_path / "other.onnx")
    apply_heads([head], out)
    found = maest.open_results(out).head("other")
    # Segments of a track hold 5 and 2 seconds of it.
    rows = head.predict(np.concatenate([embeddings_of(["x", "y", "x"], 0)[0]]))
    np.testing.assert_allclose(found.predictions()[0], (5 * rows[0] + 2 * rows[1]) / 7, atol=1e-6)


def test_what_is_there_stays_and_what_is_new_is_added(tmp_path, out):
    head = write_linear_head(tmp_path / "style.onnx")
    apply_heads([head], out)
    parts = sorted((out / "heads" / "style" / "tracks").iterdir())
    before = [part.stat().st_mtime_ns for part in parts]
    write_results(out, ["new.mp3"], embeddings_of(["x"]))
    with pytest.raises(InvalidArgumentError, match="lacks predictions .* `maest head apply`"):
        maest.open_results(out).head("style").predictions()
    said: list[str] = []
    apply_heads([head], out, tell=said.append)
    assert "1 tracks predicted" in said[0]
    assert [part.stat().st_mtime_ns for part in parts] == before
    assert len(maest.open_results(out).head("style").predictions()) == 5
    # Another head under the same name: all of it anew.
    other = write_linear_head(tmp_path / "style.onnx", classes=("a", "b"))
    apply_heads([other], out, tell=said.append)
    assert "5 tracks predicted" in said[1]
    assert maest.open_results(out).head("style").labels == ("a", "b")
    with pytest.raises(InvalidArgumentError, match="no predictions of a head 'mood'; found style"):
        maest.open_results(out).head("mood")


def test_several_heads_and_a_sheet(tmp_path, out):
    from essentia_maest.results.csv_files import write_csv

    write_csv(out)
    heads = [write_linear_head(tmp_path / f"{name}.onnx") for name in ("one", "two")]
    apply_heads(heads, out)
    assert maest.open_results(out).heads == ("one", "two")
    with (out / "tracks.csv").open() as file:
        rows = list(csv.DictReader(file))
    wanted = maest.open_results(out).head("two").predictions()[1, 0]
    assert float(rows[1]["two: folk"]) == pytest.approx(wanted, abs=1e-4)
    assert "one: rock" in rows[0]
    # Tracks are analysed, and the sheet is written, before heads are applied to them.
    write_results(out, ["new.mp3"], embeddings_of(["x"]))
    apply_heads(heads[:1], out)
    with (out / "tracks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert "one: folk" in rows[0]
    assert not [name for name in rows[0] if name.startswith("two: ")]


def test_tables_that_do_not_go_with_a_head(tmp_path, out):
    apply = ["head", "apply", "--results", str(out)]
    head = write_linear_head(tmp_path / "style.onnx", model="cd" * 32)
    with pytest.raises(InvalidArgumentError, match=r"made for other embeddings \(model\)"):
        apply_heads([head], out)
    assert main([*apply, str(head.path)]) == 2
    (tmp_path / "sub").mkdir()
    twin = write_linear_head(tmp_path / "sub" / "style.onnx")
    assert main([*apply, str(head.path), str(twin.path)]) == 2
    segments = embeddings_of(["x"])
    segments[0, 1, 0] = np.inf
    write_results(tmp_path / "bad", ["bad.mp3"], segments)
    with pytest.raises(InvalidArgumentError, match="bad.mp3: an embedding is not finite"):
        apply_heads([twin], tmp_path / "bad")


def test_the_page_has_these_columns():
    assert "### heads/NAME/tracks" in page()


# --- the command --------------------------------------------------------------------------------

MODEL = ["--model", str(UNTRAINED), "--block", "1"]


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for number in range(8):
        place = folder / ("low" if number % 2 else "high") / f"{number}.wav"
        place.parent.mkdir(exist_ok=True)
        write_audio(place, 2 + number % 3, 16000, 1, seed=number)
    return folder


def test_from_labelled_files_to_tags(tmp_path, music, capsys):
    head, out = tmp_path / "pitch.onnx", tmp_path / "out"
    fit = ["head", "fit", str(music), "--results", str(out), "-o", str(head), "--quiet"]
    assert main([*fit, *MODEL]) == 0
    told = capsys.readouterr()
    assert "8 tracks, 8 groups, 2 classes (multi-class)" in told.out
    assert "few files of 'high' (4), 'low' (4)" in told.err
    assert "no groups are known" in told.err

    assert main([*fit, "--json"]) == 0  # all are analysed: no model is wanted
    account = json.loads(capsys.readouterr().out)
    assert account["tracks"] == 8
    assert np.sum(account["confusion"]) == 8

    write_audio(music / "low" / "more.wav", 3, 16000, 1, seed=9)
    assert main(fit) == 0  # the new one is analysed as the others were
    assert "9 tracks" in capsys.readouterr().out
    (music / "low" / "more.wav").unlink()

    song = music / "low" / "1.wav"
    analyze = ["analyze", str(song), "-o", str(tmp_path / "new"), *MODEL]
    assert main([*analyze, "--head", str(head)]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-1].startswith("pitch  ")
    found = maest.open_results(tmp_path / "new").head("pitch")
    embedding = maest.open_results(tmp_path / "new").embeddings()[0]
    np.testing.assert_array_equal(found.predictions(), maest.Head(head).predict(embedding))

    assert main(["head", "test", str(head), str(music), "--results", str(out)]) == 0
    assert "as the head predicts them" in capsys.readouterr().out
    assert main(["head", "info", str(head)]) == 0
    assert "high, low" in capsys.readouterr().out
    assert main(["head", "info", str(head), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["embedding"]["block"] == 1


def test_a_head_that_does_not_go_with_the_run_stops_it_first(tmp_path, music, capsys):
    head = write_linear_head(tmp_path / "head.onnx")
    analyze = ["analyze", str(music), "-o", str(tmp_path / "out"), *MODEL, "--head", str(head.path)]
    for more, words in (
        ([], "takes embeddings of 12 values"),
        (["--output", "predictions"], "wanted: --output both or embeddings"),
        (["--format", "files"], "format files keeps none"),
    ):
        assert main([*analyze, *more]) == 2
        assert words in capsys.readouterr().err
    assert main(["analyze", str(music), "-o", str(tmp_path / "out"), "--activation", "none"]) == 2
    assert "no --head was given" in capsys.readouterr().err
    assert not (tmp_path / "out" / "tracks").exists()


def test_what_fit_refuses(tmp_path, music, capsys):
    sheet = tmp_path / "labels.csv"
    files = sorted(music.rglob("*.wav"))
    rows = [f"{file},{file.parent.name}" for file in files]
    sheet.write_text("\n".join(["path,label", *rows, "gone.wav,low"]))
    fit = ["head", "fit", str(sheet), "--results", str(tmp_path / "out")]
    fit += ["-o", str(tmp_path / "head.onnx"), "--quiet", *MODEL]
    assert main(fit) == 2
    assert "1 labelled files are neither in" in capsys.readouterr().err
    assert not (tmp_path / "out" / "tracks").exists()
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    sheet.write_text("\n".join(["path,label", *rows, "gone.wav,low", "broken.wav,low"]))
    assert main([*fit, "--skip-unknown"]) == 1  # one failed, the head is of the others
    assert "broken.wav" in capsys.readouterr().err
    assert maest.Head(tmp_path / "head.onnx").labels == ("high", "low")
    assert main([*fit[:2], str(tmp_path / "none.csv"), *fit[3:]]) == 2
    assert "no such file or folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["head"])
    assert "ACTION" in capsys.readouterr().err
