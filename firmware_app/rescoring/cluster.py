"""The workers of a Dask scheduler that already runs, on one machine or many (ADR 26)."""

from __future__ import annotations

import re
from concurrent.futures import Future
from types import TracebackType

from firmware_app.errors import WorkersError
from firmware_app.rescoring.scoring import Outcome, Recording, Setup, score

_ANSWER_S = 10
"""A scheduler that has not answered by then is not there."""


class Cluster:
    """A connection to the scheduler; a context manager, on leaving which what is not begun is dropped."""

    def __init__(self, address: str) -> None:
        """Connect.

        Args:
            address: of the scheduler, for example tcp://scheduler:8786 or tls://scheduler:8786.

        Raises:
            WorkersError: Dask is not installed, the scheduler does not answer, or it has no workers.
        """
        try:
            from distributed import Client  # noqa: PLC0415 - an optional extra
        except ImportError:
            raise WorkersError(
                "--cluster needs Dask: in the source tree `pip install -e '.[archive]'`"
            ) from None
        # Given less than this, Dask's client raises once more, twenty seconds later, when it is dropped.
        if not re.fullmatch(r"\w+://.+:\d+", address):
            raise WorkersError(f"no Dask scheduler answers at {address}: give its address as tcp://HOST:8786")
        try:
            self._client = Client(address, timeout=_ANSWER_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise WorkersError(f"no Dask scheduler answers at {address}: {error}") from error
        self.count = sum(self._client.nthreads().values())
        if self.count == 0:
            self._client.close()
            raise WorkersError(f"the scheduler at {address} has no workers: start `dask worker {address}`")
        # The same recording again is work again: only its known digest says that it is finished.
        self._executor = self._client.get_executor(pure=False)

    def submit(self, setup: Setup, recording: Recording) -> Future[Outcome]:
        """Let the scheduler choose a worker for a recording."""
        future: Future[Outcome] = self._executor.submit(score, setup, recording)
        return future

    def __enter__(self) -> Cluster:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown(wait=kind is None)
        self._client.close()
