"""The bedside page as a part of the appliance: opened before the frame loop, told each step, closed after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from calibration.profile import ScreenProfile
from firmware_app.appliance import Step
from firmware_app.bedside.access import Access, read_pin
from firmware_app.bedside.app import Parts, build_app
from firmware_app.bedside.board import Board
from firmware_app.bedside.server import Server, serving
from firmware_app.bedside.technician import LogTail, SelfTest, Technician
from firmware_app.config import BedsideConfig
from firmware_app.config.loading import is_loopback
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.video.mirror import Mirror
from firmware_app.ward.health_message import Health
from firmware_app.ward.inbox import Inbox
from firmware_app.ward.publication import Appliance

LOG = logging.getLogger(__name__)
WORKERS = 2
"""Threads for what takes longer: the summary, a drawing, the self-test."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the page shows of the appliance and reaches in it.

    Attributes:
        appliance: who speaks.
        profile: of the screen.
        mirror: the live picture.
        inbox: takes commands.
        statistics: of the frames, from any thread.
        time_trusted: whether the clock is synchronised.
        config_path: file of the configuration, for the self-test; None: the system's.
    """

    appliance: Appliance
    profile: ScreenProfile
    mirror: Mirror
    inbox: Inbox
    statistics: Callable[[], PipelineStatistics]
    time_trusted: Callable[[], bool]
    config_path: Path | None


class Desk:
    """The open page; a listener of the frame loop."""

    def __init__(self, board: Board, server: Server) -> None:
        self._board = board
        self._server = server

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    @property
    def trouble(self) -> str | None:
        """What is wrong with the page, in one clause; None: it is served."""
        return self._server.trouble

    def note_health(self, health: Health) -> None:
        """Take in a report of how the appliance is."""
        self._board.note_health(health)

    def tell(self, step: Step, appliance: Appliance) -> None:
        """Take in a step of the loop."""
        self._board.tell(step, appliance)


@contextmanager
def open_bedside(config: BedsideConfig, around: Surroundings) -> Iterator[Desk]:
    """Serve the page for the length of the block.

    Raises:
        ConfigError: PIN, certificate, key or address cannot be used.
    """
    access = Access(None if config.pin_file is None else read_pin(config.pin_file))
    board = Board(around.appliance, around.mirror, around.profile)
    selftest = SelfTest(around.config_path, board.wake)
    tail, tls = LogTail(), config.cert_file is not None
    technician = Technician(board, around.mirror, around.profile, around.statistics, selftest, tail)
    executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="bedside-work")
    parts = Parts(
        board=board,
        mirror=around.mirror,
        inbox=around.inbox,
        access=access,
        technician=technician,
        executor=executor,
        time_trusted=around.time_trusted,
        hosts=hosts_of(config),
        tls=tls,
    )
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells the log of each font that it cuts
    logging.getLogger().addHandler(tail)
    try:
        with serving(config, lambda: build_app(parts), board.close) as server:
            LOG.info("bedside page: %s://%s:%d", "https" if tls else "http", config.host, server.port)
            yield Desk(board, server)
    finally:
        selftest.stop()
        executor.shutdown()
        logging.getLogger().removeHandler(tail)


def hosts_of(config: BedsideConfig) -> frozenset[str] | None:
    """Names under which the page may be asked for, where no PIN and certificate stand before it.

    A page of another site can make its own name point to this machine: it is told apart by that name.
    """
    if not is_loopback(config.host):
        return None
    return frozenset({"localhost", "127.0.0.1", "::1", config.host.lower()})
