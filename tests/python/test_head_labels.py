"""Labels: from sheets of any kind and folders, what contradicts itself, what is one group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audio_fixtures import write_audio
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.heads.examples import examples_of, unmatched, without_small
from essentia_maest.heads.fitting import folds_of
from essentia_maest.heads.groups import groups_of
from essentia_maest.heads.labels import read_labels
from head_fixtures import embeddings_of, labelled, write_results


def sheet(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return path


def names_in(path: Path, **options) -> dict[str, tuple[str, ...]]:
    return {file.path: file.names for file in read_labels(path, **options).files}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("path,label\na.mp3,rock\nb.mp3,jazz\n", "utf-8"),
        ("path,label\r\na.mp3,rock\r\n\r\nb.mp3,jazz", "utf-8-sig"),
        ("path;label\na.mp3;rock\nb.mp3;jazz\n", "utf-8"),
        ("Path\tLabel\na.mp3\trock\nb.mp3\tjazz\n", "utf-16"),
        ("label|file\nrock|a.mp3\njazz|b.mp3\n", "utf-8"),
        ('genre,filename,year\n"rock",a.mp3,1970\njazz, b.mp3 ,1960\n', "utf-8"),
        ("a file of mine,label\na.mp3,rock\nb.mp3,jazz\n", "utf-8"),
    ],
)
def test_sheets_of_one_label_a_file(tmp_path, text, encoding):
    path = sheet(tmp_path, text, encoding)
    assert names_in(path) == {"a.mp3": ("rock",), "b.mp3": ("jazz",)}
    assert read_labels(path).kind == "multi-class"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("path,tags\na.mp3,rock|loud\nb.mp3,loud\nc.mp3,rock\n", {}),
        ("path,tags\na.mp3,rock; loud\nb.mp3,loud\nc.mp3,rock\n", {}),
        ("path,rock,loud\na.mp3,1,1\nb.mp3,0,1\nc.mp3,1,\n", {}),
        ("path,loud,rock\na.mp3,true,TRUE\nb.mp3,yes,no\nc.mp3,0.0,1.0\n", {}),
        (
            "path,label\na.mp3,rock\na.mp3,loud\nb.mp3,loud\nc.mp3,rock\n",
            {"kind": "multi-label"},
        ),
        (
            "path,rock,loud,year\na.mp3,1,1,7\nb.mp3,0,1,8\nc.mp3,1,0,9\n",
            {"label_columns": ["rock", "loud"]},
        ),
    ],
)
def test_sheets_of_several_labels_a_file(tmp_path, text, options):
    path = sheet(tmp_path, text)
    assert names_in(path, **options) == {
        "a.mp3": ("loud", "rock") if "rock,loud" not in text else ("rock", "loud"),
        "b.mp3": ("loud",),
        "c.mp3": ("rock",),
    }
    assert read_labels(path, **options).kind == "multi-label"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty; wanted a line of names"),
        ("\n \n", "is empty; wanted a line of names"),
        ("path,label\n", "has the columns path, label and no row"),
        ("a.mp3,rock\nb.mp3,jazz\n", r"the first line is a.mp3, rock, a row; wanted a line of"),
        ("path,label\na.mp3,rock,loud\n", "line 2 has 3 cells; wanted 2"),
        ("path,label\na.mp3\n", "line 2 has 1 cells; wanted 2"),
        ("path,label,label\na.mp3,x,y\n", "'label' comes 2 times"),
        ("path,\na.mp3,x\n", "one is empty; wanted every name once"),
        ('path,label\n"a.mp3,rock\n', "is no CSV"),
        ("path,label\na.mp3,rock\na.mp3,jazz\n", r"line 3: a.mp3 is 'jazz', in .*line 2 'rock'"),
        ("path,rock,loud\na.mp3,1,0\n./a.mp3,0,0\n", r"line 3: ./a.mp3 is '', in .*'rock'"),
        ("path,label,group\na.mp3,x,1\na.mp3,x,2\n", "is of group '2', in .* of '1'; wanted one"),
        ("path,artist,year\na.mp3,x,1\n", "which of the columns artist, year has the labels"),
        ("path\na.mp3\n", "and none for labels"),
        ("path,group\na.mp3,1\n", "and none for labels"),
        ("path,label\n,rock\n", "line 2: the column 'path' is empty"),
        ("path,label\na.mp3,\n", "no file has a label"),
        ("path,label\na.mp3,ro\x1bck\n", "has control characters"),
    ],
)
def test_bad_sheets(tmp_path, text, words):
    with pytest.raises(InvalidArgumentError, match=words):
        read_labels(sheet(tmp_path, text))


def test_more_bad_sheets(tmp_path):
    path = sheet(tmp_path, "path,label\ncafé.mp3,rock\n", "latin-1")
    with pytest.raises(InvalidArgumentError, match="not UTF-8 text"):
        read_labels(path)
    path = sheet(tmp_path, "path,label\na.mp3,rock|loud\n")
    with pytest.raises(InvalidArgumentError, match="'loud|rock'; wanted one, or --kind multi"):
        read_labels(path, kind="multi-class")
    with pytest.raises(InvalidArgumentError, match="no column 'style'; found path, label"):
        read_labels(path, label_columns=["style"])
    path = sheet(tmp_path, "path,rock,loud\na.mp3,1,2\n")
    with pytest.raises(InvalidArgumentError, match="line 2: 'loud' is '2'; wanted 0 or 1"):
        read_labels(path, label_columns=["rock", "loud"])
    with pytest.raises(InvalidArgumentError, match="has no folders"):
        read_labels(tmp_path)


def test_files_without_a_label_are_left_out_and_told(tmp_path):
    path = sheet(tmp_path, "path,label\na.mp3,rock\nb.mp3,\n")
    labels = read_labels(path)
    assert [file.path for file in labels.files] == ["a.mp3"]
    assert "1 files without a label are left out, such as b.mp3" in labels.warnings[0]


def test_a_folder_for_each_class(tmp_path):
    for name in ("rock/one/a.wav", "rock/two/b.wav", "jazz/c.wav", "empty/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_audio(tmp_path / name) if name.endswith("wav") else (tmp_path / name).touch()
    labels = read_labels(tmp_path)
    found = {Path(file.path).name: (file.names, file.group) for file in labels.files}
    assert found == {
        "a.wav": (("rock",), "rock/one"),
        "b.wav": (("rock",), "rock/two"),
        "c.wav": (("jazz",), None),
    }
    assert "no audio file in it; it is no class" in labels.warnings[0]


def test_paths_lead_to_tracks_however_they_are_written(tmp_path):
    files = ["a.mp3", "sub/b.mp3", "cafe\u0301.mp3", "sub/d.mp3"]
    results = write_results(tmp_path / "out", files, embeddings_of(["x"] * 4), root=str(tmp_path))
    text = (
        f"path,label\n{tmp_path}/a.mp3,x\nsub\\b.mp3,x\ncaf\u00e9.mp3,y\n./sub/d.mp3,y\nno.mp3,y\n"
    )
    (tmp_path / "sheets").mkdir()
    for folder in (tmp_path, tmp_path / "sheets"):  # relative to the sheet, or to OUT's root
        labels = read_labels(sheet(folder, text))
        assert [file.path for file in unmatched(labels, results)] == ["no.mp3"]
        examples, _ = examples_of(labels, results)
        assert [Path(place).name for place in examples.places] == [
            Path(file).name for file in files
        ]
    write_results(tmp_path / "out", ["sub/b.mp3"], embeddings_of(["x"]), root="/elsewhere")
    with pytest.raises(InvalidArgumentError, match="is the name of 2 tracks under different"):
        unmatched(read_labels(sheet(tmp_path / "sheets", text)), maest_results(tmp_path))


def maest_results(folder: Path):
    import essentia_maest as maest

    return maest.open_results(folder / "out")


def test_the_same_audio_counts_once_and_has_one_label(tmp_path):
    results = write_results(
        tmp_path / "out",
        ["a.mp3", "b.mp3", "c.mp3"],
        embeddings_of(["x"] * 3),
        hashes=["1", "1", "2"],
    )
    examples, warnings = examples_of(
        read_labels(sheet(tmp_path, "path,label\na.mp3,x\nb.mp3,x\nc.mp3,y\n")), results
    )
    assert [file.path for file in examples.files] == ["a.mp3", "c.mp3"]
    assert "same audio as another file, counted once: b.mp3" in warnings[0]
    contradiction = sheet(tmp_path, "path,label\na.mp3,x\nb.mp3,y\nc.mp3,y\n")
    with pytest.raises(InvalidArgumentError, match=r"b.mp3 is 'y', and its audio is that of a.mp3"):
        examples_of(read_labels(contradiction), results)


def test_embeddings_that_are_not_finite_are_named(tmp_path):
    segments = embeddings_of(["x", "y"])
    segments[1, 0, 3] = np.nan
    results = write_results(tmp_path / "out", ["a.mp3", "b.mp3"], segments)
    labels = read_labels(sheet(tmp_path, "path,label\na.mp3,x\nb.mp3,y\n"))
    with pytest.raises(InvalidArgumentError, match="not finite, such as that of b.mp3"):
        examples_of(labels, results)


def test_groups_are_the_column_or_the_folders_or_nothing(tmp_path):
    results, labels, _ = labelled(tmp_path)
    examples, _ = examples_of(labels, results)
    groups, warnings = groups_of(examples, None)
    assert groups == [number // 4 for number in range(48)]
    assert "groups are the 12 folders" in warnings[0]
    groups, warnings = groups_of(examples, "none")
    assert len(set(groups)) == 48
    with pytest.raises(InvalidArgumentError, match="no group is told"):
        groups_of(examples, "column")
    text = (tmp_path / "labels.csv").read_text().splitlines()
    rows = [f"{row},artist{number % 2}" for number, row in enumerate(text[1:])]
    told = read_labels(sheet(tmp_path, "\n".join([text[0] + ",group", *rows])))
    examples, _ = examples_of(told, results)
    assert groups_of(examples, None)[0] == [number % 2 for number in range(48)]


def test_leaks_are_told(tmp_path):
    names = ["x"] * 3 + ["y"] * 3
    segments = embeddings_of(names)
    segments[5] = segments[4]
    files = [f"{name}/{number}.mp3" for number, name in enumerate(names)]
    results = write_results(tmp_path / "out", files, segments)
    rows = "\n".join(f"{file},{name}" for file, name in zip(files, names, strict=True))
    examples, _ = examples_of(read_labels(sheet(tmp_path, "path,label\n" + rows)), results)
    groups, warnings = groups_of(examples, None)  # a class is a folder: no groups are known
    assert len(set(groups)) == 6
    told = " ".join(warnings)
    assert "no groups are known" in told
    assert "all files of 'x', 'y' are in one folder each" in told
    assert "are they one recording? y/4.mp3, y/5.mp3" in told


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_never_on_both_sides(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 9, 60).tolist()
    truth = rng.random((60, 3)) < 0.4
    folds = folds_of(truth, groups, seed)
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(60))
    for train, test in folds:
        assert {groups[row] for row in train}.isdisjoint(groups[row] for row in test)
        assert truth[train].any(axis=0).all()
        assert not truth[train].all(axis=0).any()


def test_small_classes_are_named_or_left_out(tmp_path):
    results, _, names = labelled(tmp_path)
    text = "path,label\n" + "\n".join(
        f"album{number // 4}/{number}.mp3,{'solo' if number == 5 else name}"
        for number, name in enumerate(names)
    )
    examples, _ = examples_of(read_labels(sheet(tmp_path, text)), results)
    groups = list(range(48))
    with pytest.raises(InvalidArgumentError, match=r"too few files for 'solo' \(1 file with it\)"):
        without_small(examples, groups, leave_out=False)
    left, warnings = without_small(examples, groups, leave_out=True)
    assert left.classes == ("folk", "rock", "techno")
    assert len(left.files) == 47
    assert "'solo' (1 file with it)" in warnings[0]
    with pytest.raises(InvalidArgumentError, match="'folk' .*of one group"):
        without_small(examples, [name == "folk" for name in names], leave_out=False)
    one = read_labels(
        sheet(
            tmp_path, text.replace("solo", "rock").replace("folk", "rock").replace("techno", "rock")
        )
    )
    with pytest.raises(InvalidArgumentError, match="found the class 'rock' alone"):
        without_small(examples_of(one, results)[0], groups, leave_out=False)
