"""A folder of recordings scored again: the same bytes whoever does it; a bad recording stops nothing."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from firmware_app.config import Config
from firmware_app.errors import SourceError, WorkersError
from firmware_app.rescoring.archive import recordings_in
from firmware_app.rescoring.cluster import Cluster
from firmware_app.rescoring.command import setup_of
from firmware_app.rescoring.processes import Processes
from firmware_app.rescoring.scoring import Failed, Recording, Scored, Unchanged, score
from tests.conftest import Ended, call, draw_exam
from tests.firmware_app.video import make_clip

pytestmark = pytest.mark.timeout(300)
PATIENCE_S = 240.0


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exam, a recording of something else one folder below, and one that was cut off."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "2026").mkdir()
    exam = draw_exam(folder, 3, 7, "--fps", 5).video.rename(folder / "exam.mp4")
    make_clip(folder / "2026" / "ball.mp4", frames=30)
    (folder / "cut.mp4").write_bytes(exam.read_bytes()[:100_000])
    return folder


def rescored(*words: object) -> Ended:
    """Run `fibrostage replay`."""
    return call("fibrostage", "replay", *words, timeout_s=PATIENCE_S)


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def by_two(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Path]:
    """The folder scored by two processes into files, and how that ended."""
    out = tmp_path_factory.mktemp("out")
    return rescored(recordings, "--workers", 2, "--out", out), out


def test_one_bad_recording_stops_nothing(by_two: tuple[Ended, Path]) -> None:
    """Each sound recording has its file; the bad one has a clear line, and the exit code tells."""
    ended, out = by_two
    assert ended.code == 1
    assert sorted(content_of(out)) == ["2026/ball.mp4.jsonl", "exam.mp4.jsonl"]
    failed, summary = ended.err.strip().splitlines()
    assert failed.startswith("failed: cut.mp4: ")
    assert summary.startswith("error: 1 of 3 recordings failed: cut.mp4: ")
    told = [line.split(":")[0] for line in ended.out.splitlines()]
    assert told == ["2026/ball.mp4", "exam.mp4"]


def test_a_file_says_what_was_scored_and_by_whom(by_two: tuple[Ended, Path], recordings: Path) -> None:
    """The first line names recording, digest and speaker; payloads follow; the report reads the file."""
    _, out = by_two
    lines = [json.loads(line) for line in (out / "exam.mp4.jsonl").read_text().splitlines()]
    assert [lines[0]["type"], lines[-1]["type"]] == ["recording", "summary"]
    assert lines[0]["recording"] == "exam.mp4"
    assert lines[0]["scored_by"]["software"].startswith("fibrostage ")
    assert sum(line["type"] == "acquisition" for line in lines) == 5
    result = next(line for line in lines if line["type"] == "result")
    assert result["bundle_id"] == lines[0]["scored_by"]["bundle_id"]
    once = rescored(recordings / "exam.mp4", "--json").lines
    assert [line["id"] for line in once[:-1]] == [line["id"] for line in lines[1:-1]]
    assert once[-2]["probabilities"] == pytest.approx(result["probabilities"], abs=1e-4)


def test_what_is_finished_is_skipped(by_two: tuple[Ended, Path], recordings: Path, tmp_path: Path) -> None:
    """Neither an unchanged recording nor a changed one is mistaken for the other."""
    _, out = by_two
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    ball = copy / "2026" / "ball.mp4.jsonl"
    other = json.loads(ball.read_text().splitlines()[0])
    other["video"] = "0" * 64
    ball.write_text(f"{json.dumps(other)}\n{ball.read_text().splitlines()[-1]}\n")
    ended = rescored(recordings, "--workers", 1, "--out", copy, "--json")
    states = {line["recording"]: line["state"] for line in ended.lines}
    assert states == {"2026/ball.mp4": "scored", "cut.mp4": "failed", "exam.mp4": "unchanged"}
    assert content_of(copy) == content_of(out)


def test_another_bundle_or_software_scores_anew(recordings: Path, by_two: tuple[Ended, Path]) -> None:
    """A worker that is not what was asked for refuses; the same one tells that nothing changed."""
    _, out = by_two
    head = json.loads((out / "exam.mp4.jsonl").read_text().splitlines()[0])
    exam = Recording("exam.mp4", recordings / "exam.mp4", head["video"])
    setup = setup_of(Config(), None, (), "aixplorer")
    assert score(setup, exam) == Unchanged()
    other = replace(setup, speaker=replace(setup.speaker, software="fibrostage 9"))
    refused = score(other, replace(exam, known=None))
    assert isinstance(refused, Failed)
    assert "fibrostage 9" in refused.reason


def test_one_worker_prints_what_two_write(by_two: tuple[Ended, Path], recordings: Path) -> None:
    """The stream of one worker is the files of two, in the order of the names."""
    _, out = by_two
    ended = rescored(recordings, "--workers", 1, "--json")
    assert ended.code == 1
    kept = [line for line in ended.out.splitlines(keepends=True) if json.loads(line)["type"] != "rescored"]
    files = content_of(out)
    assert "".join(kept).encode() == files["2026/ball.mp4.jsonl"] + files["exam.mp4.jsonl"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@contextmanager
def cluster() -> Iterator[str]:
    """A scheduler of Dask and two workers of one thread each, all on this machine; its address."""
    address = f"tcp://127.0.0.1:{free_port()}"
    scheduler = ("scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard")
    workers = ("worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard")
    started = [
        subprocess.Popen([sys.executable, "-m", "dask", *words], stderr=subprocess.DEVNULL)
        for words in (scheduler, workers)
    ]
    try:
        yield address
    finally:
        for child in reversed(started):
            child.terminate()
            child.wait(60)


def test_a_cluster_writes_what_processes_write(
    by_two: tuple[Ended, Path], recordings: Path, tmp_path: Path
) -> None:
    """Two workers of a real scheduler give the same bytes, and the same line for the bad recording."""
    pytest.importorskip("distributed", reason="the extra `archive` is not installed")
    ended, out = by_two
    with cluster() as address:
        deadline_s = time.monotonic() + 120
        there = rescored(recordings, "--cluster", address, "--out", tmp_path)
        while there.code == 2:  # the scheduler does not answer yet, or has no workers yet
            assert time.monotonic() < deadline_s, there.err
            there = rescored(recordings, "--cluster", address, "--out", tmp_path)
    assert there.code == 1
    assert there.err.splitlines()[-2:] == ended.err.splitlines()[-2:]
    assert content_of(tmp_path) == content_of(out)


def test_a_process_that_dies_takes_no_other_recording_with_it(recordings: Path) -> None:
    """Killed in the middle of a recording, a worker is started anew for the next one."""
    setup = setup_of(Config(), None, (), "aixplorer")
    exam, ball = recordings / "exam.mp4", recordings / "2026" / "ball.mp4"
    with Processes(1) as workers:
        first = workers.submit(setup, Recording("exam.mp4", exam))
        second = workers.submit(setup, Recording("ball.mp4", ball))
        deadline_s = time.monotonic() + 60
        while not (spawned := _spawned()) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        spawned[0].kill()
        died = first.result(PATIENCE_S)
        assert isinstance(died, Failed)
        assert "died" in died.reason
        assert isinstance(second.result(PATIENCE_S), Scored)
    assert not _spawned()


def _spawned() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_what_is_a_recording(tmp_path: Path) -> None:
    """Videos by their names, in every folder, sorted; nothing hidden, and a folder without any is refused."""
    for name in ("b.MKV", "a/c.mp4", "a/c.json", ".hidden/d.mp4", "a/.e.mp4", "f.mp4.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [recording.name for recording in recordings_in(tmp_path)] == ["a/c.mp4", "b.MKV"]
    with pytest.raises(SourceError, match="no recording"):
        recordings_in(tmp_path / ".hidden" / "none")


def test_workers_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """More workers than cores, and a cluster without Dask, are refused in words."""
    with pytest.raises(WorkersError, match="processor cores"):
        Processes(10_000)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(WorkersError, match=r"\.\[archive\]"):
        Cluster("tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("empty",), "no recording"),
        (("empty", "--workers", "1", "--cluster", "tcp://x:1"), "one of the two"),
        (("one.mp4", "--out", "x"), "for a folder"),
        (("one", "--cluster", "scheduler"), "tcp://HOST:8786"),
        (("empty", "--bundle", "empty"), "bundle.json is missing"),
    ],
)
def test_wrong_input(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """An empty folder, options that contradict each other, a folder that is no bundle: exit code 2."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.mp4").touch()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "one.mp4").touch()
    named = [tmp_path / word if word in {"empty", "one.mp4", "one"} else word for word in words]
    ended = rescored(*named)
    assert ended.code == 2
    assert said in ended.err
    assert len(ended.err.strip().splitlines()) == 1
