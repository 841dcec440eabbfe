"""The frames of a video: the few that a proposal is made from, and all of them for the trial."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from firmware_app.commissioning.layout import Missing, colour_region, find_bar, find_panes
from firmware_app.commissioning.surroundings import find_snowflake
from firmware_app.errors import SourceError
from firmware_app.journey import Frame
from firmware_app.video.sources import FileSource
from firmware_app.video.stream_events import StreamEnded

SPACING_NS = 250_000_000
"""Nanoseconds between two frames that are looked at for the proposal."""
CANDIDATES = 4
"""Frames kept for the proposal."""
FROZEN = 2.0
"""What the sign of a frozen picture is worth, beside the share of the pane that the map covers."""

Ranked = tuple[float, int, Frame]


def frames_of(path: Path, on_frame: Callable[[], object]) -> Iterator[Frame]:
    """Every frame of a recorded video, in order.

    Raises:
        SourceError: the file is missing, is not a video, or breaks off before its first picture.
    """
    from firmware_app.video.pipeline import open_pipeline  # noqa: PLC0415 - GStreamer is loaded only where it is used

    seen = 0
    with open_pipeline(FileSource(path), every_frame=True) as pipeline:
        for event in pipeline.frames(threading.Event()):
            match event:
                case Frame():
                    seen += 1
                    on_frame()
                    yield event
                case StreamEnded(error=error) if error is not None and seen == 0:
                    raise SourceError(error)
                case _:
                    continue


def best_frames(frames: Iterator[Frame]) -> list[Frame] | Missing:
    """The frames that show the most of a layout, best first; or what even the best of them lacks.

    Of each freeze the last frame counts: a Q-box is placed after the picture was frozen.
    """
    ranked: list[Ranked] = []
    following_ns = 0
    lacking = Missing("no picture", "record the elastography view, live and frozen")
    frozen: Ranked | None = None
    for frame in frames:
        if frame.pts_ns < following_ns:
            continue
        following_ns = frame.pts_ns + SPACING_NS
        worth = _worth(frame)
        if isinstance(worth, Missing):
            lacking = worth
        elif worth >= FROZEN:
            frozen = worth, frame.number, frame
            continue
        else:
            _keep(ranked, (worth, frame.number, frame))
        _keep(ranked, frozen)
        frozen = None
    _keep(ranked, frozen)
    return [frame for _, _, frame in sorted(ranked, reverse=True)] or lacking


def _keep(ranked: list[Ranked], candidate: Ranked | None) -> None:
    """Add a candidate, in place; the least of too many goes."""
    if candidate is None:
        return
    heapq.heappush(ranked, candidate)
    if len(ranked) > CANDIDATES:
        heapq.heappop(ranked)


def _worth(frame: Frame) -> float | Missing:
    """How much of a layout a frame shows: both panes, a sign of freezing, a large map."""
    bar = find_bar(frame.pixels)
    if isinstance(bar, Missing):
        return bar
    panes = find_panes(frame.pixels, bar.edges)
    if isinstance(panes, Missing):
        return panes
    region = colour_region(frame.pixels, bar.edges)
    map_share = 0.0 if region is None else region.w * region.h / (panes.gray.w * panes.gray.h)
    return map_share + (FROZEN if find_snowflake(frame.pixels, panes) is not None else 0.0)
