"""The benchmark of peers: turns, ratios, failures. Nothing is downloaded, no speed is judged."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import essentia_maest
from essentia_maest.commands import benchmark as bench
from lab.peers.__main__ import _arguments, _plan
from lab.peers.definitions import Case, Mark, Peer, Study
from lab.peers.environments import HERE, python_of
from lab.peers.figure import draw
from lab.peers.materials import ITEMS
from lab.peers.memory import FirstTimes, Watch
from lab.peers.outcomes import PeerResult
from lab.peers.plan import Plan
from lab.peers.process import PeerError, PeerProcess
from lab.peers.results import marks_as_json, study_as_json
from lab.peers.rounds import cosine, run_study
from lab.peers.sizes import PATCHOUTS, SIZES
from lab.peers.statistics import ratios, spread
from lab.peers.studies import studies
from lab.peers.tables import report

ROOT = Path(__file__).resolve().parents[2]
BASE = SIZES["base"]
CASES = (Case("short", {"case": "short"}, shape=(1, 2)), Case("long", {"case": "long"}, 1.0))


@pytest.fixture(autouse=True)
def _peer_program_in_reach(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def start_peer(peer: Peer, cpus, timeout=20.0) -> PeerProcess:
    return PeerProcess(Path(sys.executable), peer.program, peer.options, cpus=cpus, timeout=timeout)


@pytest.fixture
def peer(tmp_path):
    def make(name: str, **options) -> Peer:
        options = {"name": name, "diary": str(tmp_path / "diary"), **options}
        return Peer(name, "peer_program", CASES, options)

    return make


def study_of(*peers: Peer, **more) -> Study:
    return Study("trial", "a trial", peers, 1, (peers[0].name, "short"), **more)


def measure(study: Study, rounds: int = 3, start=start_peer) -> tuple[list[PeerResult], list[str]]:
    told: list[str] = []
    results = run_study(study, start, rounds=rounds, tell=told.append, repeat_seconds=0.0)
    return results, told


def page(study: Study, results: list[PeerResult]) -> str:
    return report(
        {
            "machine": {"description": "a CPU", "load_after": 0.2, "versions": "none"},
            "size": BASE.as_json(),
            "rounds": 3,
            "studies": [study_as_json(study, results)],
        }
    )


@pytest.mark.slow
def test_every_round_has_every_case_once_in_turn(peer, tmp_path):
    one, other = peer("one", seconds=0.1), peer("other", seconds=0.1)
    results, _ = measure(study_of(one, other), rounds=2)
    turns = (tmp_path / "diary").read_text().splitlines()
    cases = {"one short", "one long", "other short", "other long"}
    assert len(turns) == 3 * 4
    for number in range(3):
        assert set(turns[4 * number : 4 * number + 4]) == cases
    assert turns[0] != turns[4] != turns[8], "rounds begin with different cases"
    for result in results:
        assert result.reason is None
        assert result.load_seconds is not None
        assert "numpy" in result.versions
        assert 0 < result.memory_opened <= result.memory
        for case in result.cases:
            assert len(case.seconds) == 2
            assert all(0.1 <= seconds < 5 for seconds in [case.first, *case.seconds])


def test_a_peer_that_dies_is_named_and_the_rest_go_on(peer):
    # Two cases: 1 and 2 are the round that does not count.
    peers = peer("sound"), peer("dying", dies_at=4)
    results, told = measure(study_of(*peers), rounds=3)
    sound, dying = results
    assert sound.reason is None
    assert all(None not in case.seconds for case in sound.cases)
    assert "killed by SIGSEGV" in dying.reason
    assert any("dying is left out" in text for text in told)
    done = [seconds for case in dying.cases for seconds in case.seconds]
    assert len(done) == 6
    assert sum(seconds is not None for seconds in done) == 1
    assert "dying: peer_program ended: killed by SIGSEGV" in page(study_of(*peers), results)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"refuses": True}, "RuntimeError: no model of that name"),
        ({"values": [1.0, 2.0, 3.0]}, r"short: gave \[1, 3\]; wanted is \[1, 2\]"),
        ({"hangs_at": 1}, "gave no answer in 3 s"),
    ],
)
def test_a_peer_that_fails_says_why(peer, options, reason):
    def start(chosen, cpus):
        return start_peer(chosen, cpus, timeout=3.0 if "hangs_at" in chosen.options else 20.0)

    results, _ = measure(study_of(peer("sound"), peer("failing", **options)), 1, start)
    assert results[0].reason is None
    with pytest.raises(PeerError, match=reason):
        raise PeerError(results[1].reason)


def test_a_peer_that_cannot_be_started_is_named(peer):
    missing = replace(peer("missing"), program="no_such_program")
    results, _ = measure(study_of(peer("sound"), missing), 1)
    assert results[0].reason is None
    assert "No module named no_such_program" in results[1].reason
    with pytest.raises(PeerError, match="cannot be run"):
        PeerProcess(Path("/no/python"), "peer_program", {}, cpus=[0], timeout=5)


def test_peers_end_with_the_study(peer):
    started = []

    def start(chosen, cpus):
        started.append(start_peer(chosen, cpus))
        return started[-1]

    def interrupt(text):
        if "round 1" in text:
            raise KeyboardInterrupt

    study = study_of(peer("one"), peer("other"))
    with pytest.raises(KeyboardInterrupt):
        run_study(study, start, rounds=2, tell=interrupt)
    assert len(started) == 2
    assert not any(process.alive for process in started)


def test_a_peer_ends_when_its_parent_is_gone(peer):
    one = peer("one")
    code = (
        "import json, os, sys; from pathlib import Path\n"
        "from lab.peers.process import PeerProcess\n"
        "peer = PeerProcess(Path(sys.executable), 'peer_program', json.loads(sys.argv[1]),"
        " cpus=[min(os.sched_getaffinity(0))], timeout=20)\n"
        "print(peer._process.pid, flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(one.options)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    end = Path("/proc") / done.stdout.strip()
    for _ in range(200):
        if not end.exists() or "State:\tZ" in (end / "status").read_text():
            break
        subprocess.run(["sleep", "0.05"], check=True)
    else:
        pytest.fail("the peer goes on without its parent")


def test_a_peer_gets_the_cpus_it_may_use(peer):
    cpu = min(os.sched_getaffinity(0))
    with start_peer(peer("one"), [cpu]) as process:
        assert os.sched_getaffinity(process._process.pid) == {cpu}


def test_ratios_are_taken_within_rounds(peer):
    one, other = peer("one"), peer("other")
    mark = Mark("twice as fast", ("other", "short"), ("one", "short"), 2.0)
    both = Mark("of the two", ("other", "short"), ("one", "short"), 1.0, after=("one", "long"))
    study = study_of(one, other, marks=(mark, both))
    results, _ = measure(study, rounds=1)
    # The machine was four times slower in the last round, for all.
    results[0].cases[0].seconds = [1.0, 1.1, 1.2, 4.0]
    results[0].cases[1].seconds = [1.0, 1.1, 1.2, 4.0]
    results[1].cases[0].seconds = [0.5, 0.5, None, 2.0]
    results[1].cases[1].seconds = [2.0, 2.2, 2.4, 8.0]
    found = study_as_json(study, results)
    ratio = {(row["peer"], row["case"]): row["ratio"] for row in found["rows"]}
    assert ratio["one", "short"] == (1.0, 1.0, 1.0, 4)
    assert ratio["other", "short"] == pytest.approx((2.0, 2.0, 2.1, 3))
    # Twice the seconds, for twice the audio.
    assert ratio["other", "long"] == pytest.approx((1.0, 1.0, 1.0, 4))
    assert found["marks"][0]["found"] == pytest.approx((2.0, 2.0, 2.1, 3))
    assert found["marks"][1]["found"] == pytest.approx((4.0, 4.0, 4.2, 3))
    text = page(study, results)
    assert "| twice as fast | 1 CPU | 2 | 2 [2, 2.1] | yes |" in text
    assert json.loads(json.dumps(found))["rows"][2]["seconds"] == [0.5, 0.5, None, 2.0]


def test_rates_of_operations():
    rows = [Case("a", operations=4e9), Case("b", minutes=0.0, operations=1e9)]
    peers = [Peer(case.name, "x", (case,)) for case in rows]
    mark = Mark("share", ("a", "a"), ("b", "b"), 0.9, by_operations=True)
    study = Study("s", "s", tuple(peers), 1, ("a", "a"), (mark,))
    results, _ = run_nothing(study)
    results[0].cases[0].seconds, results[1].cases[0].seconds = [5.0], [1.0]
    found = study_as_json(study, results)
    assert found["marks"][0]["found"].median == pytest.approx(0.8)
    assert found["rows"][1]["ratio"] is None, "it deals with no audio"


def test_a_share_is_of_the_faster_of_two_rates():
    rows = [
        {"peer": name, "case": "x", "minutes": 0.5, "seconds": seconds}
        for name, seconds in (("ours", [4.0, 4.0]), ("one", [2.0, 3.0]), ("other", [1.0, None]))
    ]
    ours, one, other = ((row["peer"], "x") for row in rows)
    marks = (
        Mark("of the faster", ours, one, 0.9, instead=other),
        Mark("whichever comes first", ours, other, 0.9, instead=one),
        Mark("of one", ours, one, 0.9, instead=("missing", "x")),
    )
    study = Study("s", "s", (), 1, ours, marks)
    found = [mark["found"] for mark in marks_as_json(study, rows)]
    assert found[0] == found[1] == (0.25, 0.25, 0.25, 1)
    assert found[2].median == pytest.approx(0.625)


def run_nothing(study: Study):
    def start(peer, cpus):
        raise PeerError("not today")

    return measure(study, 1, start)


def test_a_study_where_nothing_runs_still_gives_a_page():
    study = studies(Plan(BASE))[0]
    results, told = run_nothing(study)
    assert sum("not today" in text for text in told) == len(study.peers)
    text = page(study, results)
    assert all(f"- {peer.name}: not today" in text for peer in study.peers)
    assert "| int8, F0T0, against torch fp32, F0T0 | 1 CPU | 5 | – | – |" in text  # noqa: RUF001


def test_results_are_compared(peer):
    peers = peer("right"), peer("near", values=[3.0, 4.1]), peer("far", values=[4.0, -3.0])
    results, _ = measure(study_of(*peers, alike="right"), 1)
    found = [result.cases[0].cosine for result in results]
    assert found[0] == pytest.approx(1)
    assert 0.999 < found[1] < 0.99999
    assert found[2] == pytest.approx(0, abs=1e-6)
    assert cosine([1, 0], [2, 0]) == 1


def test_short_cases_are_repeated(peer, tmp_path):
    study = study_of(replace(peer("one", seconds=0.02), cases=CASES[:1]))
    (result,) = run_study(study, start_peer, rounds=1, tell=lambda text: None, repeat_seconds=0.2)
    calls = len((tmp_path / "diary").read_text().splitlines())
    assert 3 <= calls <= 11, "once to begin with, then for a fifth of a second"
    assert 0.02 <= result.cases[0].seconds[0] < 0.2, "the time of one"


def test_slow_cases_are_asked_once(peer, tmp_path):
    study = study_of(peer("reference", seconds=0.1), peer("slow", seconds=0.1), once_beyond=0.05)
    results, _ = measure(study, 2)
    lines = (tmp_path / "diary").read_text().splitlines()
    assert lines.count("slow short") == lines.count("slow long") == 1
    assert lines.count("reference short") == 3, "all are compared with it"
    assert results[1].reason is None
    assert ", once |" in page(study, results)


@pytest.mark.slow
def test_fresh_peers_are_started_for_every_result(peer, tmp_path):
    one = peer("one", seconds=0.1)
    started = []

    def start(chosen, cpus):
        started.append(start_peer(chosen, cpus))
        return started[-1]

    study = study_of(replace(one, cases=CASES[:1]), fresh=True)
    (result,), _ = measure(study, 3, start)
    assert len(started) == 4
    assert not any(process.alive for process in started)
    (case,) = result.cases
    assert len(case.seconds) == len(case.more["cold"]) == 3
    assert all(
        whole > cold >= 0.1 for whole, cold in zip(case.seconds, case.more["cold"], strict=True)
    )
    assert (tmp_path / "diary").read_text().count("one short") == 8, "cold and warm, each time"
    assert "start to first result" in page(study, [result])


def test_figure(tmp_path):
    study = replace(studies(Plan(BASE))[-1], alike=None)
    results, _ = run_nothing(study)
    path = tmp_path / "peers.png"
    assert not draw([study_as_json(study, results)], path)
    for result in results:
        for case in result.cases:
            case.seconds = [0.1, 0.2]
    assert draw([study_as_json(study, results)], path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_study_at_a_glance():
    study = studies(Plan(BASE, patchouts=("F0T0", "F3T5")))[0]
    results, _ = run_nothing(study)
    for result in results:
        for case in result.cases:
            case.seconds = [2.0 if case.case.name == "F0T0" else 0.5]
    left_out = next(result for result in results if result.peer.name == "transformers AST")
    left_out.cases[0].seconds = [None]
    lines = page(study, results).splitlines()
    start = lines.index("## 30 s to the embedding at block 7, 1 CPU: times torch fp32, F0T0")
    assert lines[start + 2 : start + 6] == [
        "|  | F0T0 | F3T5 |",
        "|-|-|-|",
        "| torch fp32 | 1 | 4 |",
        "| torch bf16 | 1 | 4 |",
    ]
    assert "| TensorflowPredictMAEST | 1 | – |" in lines  # noqa: RUF001
    assert not any(line.startswith("| transformers AST | –") for line in lines)  # noqa: RUF001


def test_spread():
    assert spread([None, None]) is None
    assert spread([1.0, None, 2.0, 3.0]) == (1.5, 2.0, 2.5, 3)
    assert ratios([1.0, None], [2.0, 1.0], 4.0) == [2.0, None]


def test_tokens_are_the_papers():
    assert PATCHOUTS == bench.PATCHOUTS
    tokens = {name: BASE.tokens(name) for name in ("F0T0", "F3T2", "F3T5", "F4T10")}
    assert tokens == {"F0T0": 1685, "F3T2": 566, "F3T5": 230, "F4T10": 97}
    # 228 GFLOP, 61 of them attention, after seven blocks.
    assert BASE.operations("F0T0", 7) == pytest.approx(228e9, rel=0.02)


def test_memory_of_children_counts():
    hold = "x = b'1' * 120_000_000; print(len(x), flush=True); input()"
    with Watch() as watch:
        child = subprocess.Popen(
            [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        child.stdout.readline()
        subprocess.run(["sleep", "0.5"], check=True)
        child.communicate(b"\n")
    assert watch.most - watch.before > 110_000_000


def test_memory_is_watched_the_first_time_only(monkeypatch):
    watched = []

    class Counted(Watch):
        def __enter__(self):
            watched.append(self)
            return super().__enter__()

    monkeypatch.setattr("lab.peers.memory.Watch", Counted)
    memory = FirstTimes()
    for _ in range(2):
        for kind in ("few", "many"):
            with memory.of(kind):
                pass
            found = memory[kind]
            assert found["memory_tree"] >= found["memory_before"] > 1e6
    assert len(watched) == 2


def test_patchouts_can_be_chosen():
    def cases(*arguments: str) -> list[str]:
        plan = _plan(_arguments(["--threads", "1", *arguments]))
        return [case.name for case in studies(plan)[0].peers[0].cases]

    assert cases() == list(PATCHOUTS)
    assert cases("--quick") == ["F0T0", "F3T2", "F3T5"]
    assert cases("--patchouts", "F3T5") == ["F0T0", "F3T5"], "what all is compared with stays"
    assert cases("--quick", "--patchouts", "F4T10", "F3T0") == ["F0T0", "F3T0", "F4T10"]


def test_everything_planned_exists():
    root = ROOT / "lab" / "peers"
    for study in studies(Plan(BASE)):
        keys = [(peer.name, case.name) for peer in study.peers for case in peer.cases]
        assert len(keys) == len(set(keys))
        assert study.reference in keys
        for mark in study.marks:
            assert {mark.one, mark.other, mark.instead or mark.one} <= set(keys)
        for peer in study.peers:
            assert (root / "programs" / f"{peer.program}.py").is_file()
            if peer.environment != HERE:
                assert (root / "requirements" / f"{peer.environment}.txt").is_file()
            assert set(peer.material) <= set(ITEMS)
    for name, item in ITEMS.items():
        assert (root / "material" / f"{name}.py").is_file()
        assert set(item.needs) <= set(ITEMS)
        for pattern in item.sources:
            assert any(Path(essentia_maest.__file__).parent.glob(pattern))
    assert python_of(HERE, Path("/nowhere")) == Path(sys.executable)
