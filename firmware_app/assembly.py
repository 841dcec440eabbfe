"""From the configuration to the parts of the appliance."""

from __future__ import annotations

import platform
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import monotonic_ns
from uuid import UUID

import numpy as np

from calibration.profile import load_profile
from firmware_app import __version__
from firmware_app.appliance import Video
from firmware_app.config import Config, SinkConfig, SourceConfig
from firmware_app.errors import ConfigError
from firmware_app.exam.events import Moment
from firmware_app.examination import Examiner
from firmware_app.inference import ChosenEngine
from firmware_app.journey import Frame
from firmware_app.model import Model, Opened
from firmware_app.screen import ScreenReader
from firmware_app.video.sinks import FileSink, NoSink, Sink, WindowSink
from firmware_app.video.sources import FileSource, PhantomSource, RtspSource, Source, V4l2Source
from firmware_app.ward.publication import Appliance

SOFTWARE = f"fibrostage {__version__}"
LSM_RANGE_KPA = 40.0
"""Without a bundle nobody says which colour range is meant; this is the one of the liver preset."""
_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def source_of(config: SourceConfig) -> Source:
    """The video source that is configured.

    Raises:
        ConfigError: a setting that this source needs is missing.
    """
    if config.kind == "v4l2":
        return V4l2Source(config.device, config.width, config.height, config.fps, config.mjpeg)
    if config.kind == "rtsp":
        return RtspSource(config.url, config.latency_ms)
    if config.kind == "file":
        if config.path is None:
            raise ConfigError("setting source.path is missing: name the video file")
        return FileSource(config.path)
    return PhantomSource(config.socket, config.width or 1440, config.height or 1080, config.fps or 60)


def sink_of(config: SinkConfig) -> Sink:
    """Where the picture with the overlay goes.

    Raises:
        ConfigError: a setting that this sink needs is missing.
    """
    if config.kind == "window":
        return WindowSink(config.lines)
    if config.kind == "none":
        return NoSink(config.lines)
    if config.path is None:
        raise ConfigError("setting sink.path is missing: name the file to record to")
    return FileSink(config.path)


def screen_reader(profile: str) -> ScreenReader:
    """The reader for a screen profile.

    Raises:
        ProfileError: the profile is missing or not valid.
    """
    return ScreenReader(load_profile(profile))


def examiner_of(
    reader: ScreenReader,
    model: Model | None,
    new_id: Callable[[], UUID],
    *,
    previews: bool = False,
    texts: Executor | None = None,
) -> Examiner:
    """What an examination needs; without a model it decodes the stiffness, and no network scores."""
    if model is None:
        return Examiner(reader, None, LSM_RANGE_KPA, new_id)
    return Examiner(
        reader,
        model.engine,
        model.bundle.manifest.bar_range_kpa,
        new_id,
        model.familiarity,
        previews=previews,
        texts=texts,
    )


def appliance_of(config: Config, opened: Opened, reader: ScreenReader) -> Appliance:
    """Who speaks, for every message."""
    model = opened.model
    appliance = Appliance(
        site=config.site,
        device=config.device,
        room=config.room or config.device,
        software=SOFTWARE,
        profile_id=reader.profile.profile_id,
        manifest=None if model is None else model.bundle.manifest,
        versions={"python": platform.python_version(), "numpy": np.__version__},
        bundle_event=opened.event,
        language=config.language,
    )
    return appliance if model is None else with_runtime(appliance, model.engine)


def with_runtime(appliance: Appliance, engine: ChosenEngine) -> Appliance:
    """The appliance with its runtime as it is now: a GPU may have failed since."""
    return replace(
        appliance,
        runtime=engine.name,
        runtime_reason=engine.reason,
        runtime_degraded=engine.degraded,
        shadow=engine.disagreement,
    )


def captured_at(event: Video) -> Moment:
    """When a live frame was captured, on the wall clock and on this boot's clock; of anything else, now."""
    now_ns = monotonic_ns()
    captured_ns, pts_ns = (event.captured_ns, event.pts_ns) if isinstance(event, Frame) else (now_ns, 0)
    age = timedelta(microseconds=(now_ns - captured_ns) // 1000)
    return Moment(datetime.now(timezone.utc) - age, captured_ns, pts_ns)


def recorded_at(event: Video) -> Moment:
    """When a recorded frame was shown: time counts from the beginning of the recording, as if in 1970."""
    pts_ns = event.pts_ns if isinstance(event, Frame) else 0
    return Moment(_EPOCH + timedelta(microseconds=pts_ns // 1000), pts_ns, pts_ns)


def time_trusted() -> bool:
    """Whether the system's clock was synchronised since this boot."""
    return _SYNCHRONISED.exists()
