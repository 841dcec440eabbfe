"""What a technician wants to know: the video, what is seen in it, what scores, how fast, log, self-test."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2

from calibration.profile import ScreenProfile
from firmware_app.annotation import annotate
from firmware_app.bedside.board import Board
from firmware_app.bedside.view import Message, Method
from firmware_app.bedside.words import words_of
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.video.mirror import Mirror
from firmware_app.wording import Sentences, Severity, Wording

LOG_LINES = 40
LONGEST_LINE = 300
SELFTEST_S = 180.0
"""A self-test that takes longer is ended."""
PROGRAM = Path(sys.executable).parent / "fibrostage"


@dataclass(frozen=True, slots=True)
class TechnicianState:
    """Everything that the technician's tab shows."""

    capture: Message
    facts: tuple[Method, ...]
    log: tuple[str, ...]
    selftest: tuple[tuple[str, bool, str], ...]
    selftest_text: str
    selftest_failed: bool
    selftest_runs: bool


class LogTail(logging.Handler):
    """The last lines of the log, for the page."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: deque[str] = deque(maxlen=LOG_LINES)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line, without what follows in further lines."""
        with suppress(ValueError, TypeError):  # a line that cannot be formatted is none
            self.lines.append(self.format(record).partition("\n")[0][:LONGEST_LINE])


class SelfTest:
    """`fibrostage selftest` in a process of its own, of low priority: it cannot stop the frame loop."""

    def __init__(self, config_path: Path | None, changed: Callable[[], None]) -> None:
        self._command = [str(PROGRAM), "selftest", "--json"]
        if config_path is not None:
            self._command += ["--config", str(config_path)]
        self._changed = changed
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self.runs = False
        self.checks: tuple[tuple[str, bool, str], ...] = ()

    def start(self, executor: Executor) -> bool:
        """Run it; False: it runs already."""
        with self._lock:
            if self.runs:
                return False
            self.runs, self.checks = True, ()
        executor.submit(self._run)
        self._changed()
        return True

    def _run(self) -> None:
        checks = self._tried()
        with self._lock:
            self.runs, self.checks, self._child = False, checks, None
        self._changed()

    def _tried(self) -> tuple[tuple[str, bool, str], ...]:
        try:
            with self._lock:
                self._child = subprocess.Popen(
                    ["nice", "-n", "15", *self._command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            out, _ = self._child.communicate(timeout=SELFTEST_S)
            found = json.loads(out)["checks"]
            return tuple((str(c["name"]), bool(c["ok"]), str(c["detail"])) for c in found)
        except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
            self.stop()
            return (("self-test", False, " ".join(str(error).split())),)

    def stop(self) -> None:
        """End it, if it runs."""
        with self._lock:
            child = self._child
        if child is not None:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()


def _told(wording: Wording, said: Sentences) -> str:
    return said.labels.colon.join(part for part in (wording.text, wording.remedy) if part)


class Technician:
    """Gathers the technician's state; draws what the appliance sees on demand."""

    def __init__(  # noqa: PLR0913, PLR0917 - one argument for each thing that it looks at
        self,
        board: Board,
        mirror: Mirror,
        profile: ScreenProfile,
        statistics: Callable[[], PipelineStatistics],
        selftest: SelfTest,
        log: LogTail,
    ) -> None:
        self.selftest = selftest
        self.log = log
        self._board = board
        self._mirror = mirror
        self._profile = profile
        self._statistics = statistics

    def state(self) -> TechnicianState:
        """As it is now."""
        snapshot = self._board.snapshot
        appliance, said = snapshot.appliance, snapshot.appliance.words
        words = words_of(said.language)
        capture = said.captures[snapshot.capture]
        parts = [part for part in (capture.text, snapshot.cause, capture.remedy) if part]
        shown = said.labels.colon.join(parts) or words.connected
        facts = [
            Method(words.runtime, appliance.runtime or said.labels.no_model),
            Method(words.because, appliance.runtime_reason or "\N{EN DASH}"),
            Method(words.bundle, appliance.bundle_id or "\N{EN DASH}"),
            Method(words.profile, appliance.profile_id or "\N{EN DASH}"),
            Method(words.software, appliance.software),
            *(Method(words.without, _told(said.rungs[rung], said)) for rung in appliance.degraded),
            *self._rates(),
            *self._latencies(),
            Method(words.video, words.watchers.format(n=self._mirror.watchers)),
        ]
        test = self.selftest
        verdict = ""
        if test.runs:
            verdict = words.selftest_runs
        elif test.checks:
            verdict = words.selftest_ok if all(ok for _, ok, _ in test.checks) else words.selftest_failed
        return TechnicianState(
            capture=Message(shown, capture.severity if capture.text else Severity.QUIET),
            facts=tuple(facts),
            log=tuple(self.log.lines),
            selftest=test.checks,
            selftest_text=verdict,
            selftest_failed=not all(ok for _, ok, _ in test.checks),
            selftest_runs=test.runs,
        )

    def _rates(self) -> list[Method]:
        words = words_of(self._board.snapshot.appliance.words.language)
        counted = self._statistics()
        frames = words.frames.format(
            frames_in=counted.frames_in,
            analysed=counted.analysed,
            displayed=counted.displayed,
            dropped=counted.dropped_display,
            restarts=counted.restarts,
        )
        found = [Method(words.rates, frames)]
        if counted.display_latency is not None:
            late = counted.display_latency
            text = (
                f"p50 {late.p50_ms:.1f} ms, p95 {late.p95_ms:.1f} ms, p99 {late.p99_ms:.1f} ms, "
                f"max {late.max_ms:.1f} ms"
            )
            found.append(Method(words.delay, text))
        return found

    def _latencies(self) -> list[Method]:
        """How long each stage took within the last minute, as the newest report says, and how warm it is."""
        health = self._board.health
        words = words_of(self._board.snapshot.appliance.words.language)
        if health is None:
            return []
        found = []
        for stage, late in health.latencies:
            if late is not None:
                text = f"p50 {late.p50_ms:.1f} ms, p95 {late.p95_ms:.1f} ms, p99 {late.p99_ms:.1f} ms"
                found.append(Method(words.stages[stage], text))
        warm = [
            f"{name} {degrees:.0f} \N{DEGREE SIGN}C"
            for name, degrees in health.machine.temperatures_c.items()
        ]
        return [*found, Method(words.temperatures, ", ".join(warm))] if warm else found

    def registration(self) -> bytes | None:
        """What the appliance sees in the newest frame, drawn; None: there was no frame yet. Takes a while."""
        seen = self._board.seen
        if seen is None:
            return None
        drawn = annotate(*seen, self._profile, None)
        return cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
