"""Workers on this machine: processes, at most one for each processor core.

Each is a pool of one, so that a recording that kills its process (out of memory, a fault of a decoder) takes
no other with it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from queue import SimpleQueue
from types import TracebackType

from firmware_app.errors import WorkersError
from firmware_app.rescoring.scoring import Failed, Outcome, Recording, Setup, score


class Processes:
    """So many worker processes; a context manager, on leaving which they end."""

    def __init__(self, count: int | None = None) -> None:
        """Set them up; they start with their first recording.

        Args:
            count: of workers; None: as many as there are processor cores.

        Raises:
            WorkersError: there are fewer cores.
        """
        cores = len(os.sched_getaffinity(0))
        self.count = cores if count is None else count
        if self.count > cores:
            raise WorkersError(f"{self.count} workers need as many processor cores; there are {cores}")
        self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="recording")
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        for _ in range(self.count):
            self._idle.put(_Process())

    def submit(self, setup: Setup, recording: Recording) -> Future[Outcome]:
        """Let the next worker that is free score a recording."""
        return self._threads.submit(self._scored, setup, recording)

    def _scored(self, setup: Setup, recording: Recording) -> Outcome:
        process = self._idle.get()
        try:
            return process.score(setup, recording)
        finally:
            self._idle.put(process)

    def __enter__(self) -> Processes:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:  # stopped in between: nobody waits for what is being scored
            for child in multiprocessing.active_children():
                child.terminate()
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()


class _Process:
    """One worker process, started anew when it dies."""

    def __init__(self) -> None:
        self._pool = _started()

    def score(self, setup: Setup, recording: Recording) -> Outcome:
        try:
            return self._pool.submit(score, setup, recording).result()
        except BrokenProcessPool:
            self._pool.shutdown()
            self._pool = _started()
            return Failed("the process that scored it died: out of memory, killed, or a fault of a library")

    def close(self) -> None:
        self._pool.shutdown()


def _started() -> ProcessPoolExecutor:
    # Spawned, not forked: a fork would inherit threads and locks of GStreamer and OpenVINO.
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _settle)


def _settle() -> None:
    """End at once at Ctrl-C, and with the program that started it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_leave_with_parent, name="parent", daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
