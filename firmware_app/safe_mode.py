"""Safe mode: with a configuration that cannot be used the appliance is seen, tells why, and gives no results.

It runs with what can be salvaged: its status says `trouble`, the display shows the sentence over the live
picture or over black, systemd hears it. Nothing is read from the screen. When a file that the configuration
rests on changes and the configuration can be read again, the process ends with `RESTART`, to be started anew.
"""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from calibration.errors import ProfileError as CalibrationProfileError
from firmware_app.assembly import SOFTWARE, sink_of, source_of, time_trusted
from firmware_app.config import SYSTEM_PATH, Config, MqttConfig, SinkConfig, SourceConfig, load_config
from firmware_app.config.salvage import kept_in, salvage, state_folder
from firmware_app.config.secrecy import files_of
from firmware_app.errors import (
    AuditError,
    BundleError,
    ConfigError,
    FibrostageError,
    KeyFileError,
    ProfileError,
)
from firmware_app.journey import Frame
from firmware_app.notify import ServiceManager
from firmware_app.overlay.layers import Layer, Scene
from firmware_app.overlay.trouble_card import trouble_card
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.sinks import NoSink, Sink
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.publication import Appliance, status_message

LOG = logging.getLogger(__name__)
UNUSABLE = (ConfigError, ProfileError, CalibrationProfileError, BundleError, KeyFileError, AuditError)
"""What a technician mends in the configuration, or in a file that it names."""
RESTART = 75
"""Exit code (EX_TEMPFAIL of sysexits.h): start me again, the configuration has changed."""
_TURN_S = 0.25
_LOOK_EVERY_S = 1.0
_CAPTURE_CARD = SourceConfig(device=Path("/dev/fibrostage-capture"))
"""By the udev rule; where it is not, the display is black."""

_Fingerprint = tuple[tuple[int, int, int] | None, ...]


def run(path: Path | None, complaint: str, stop: threading.Event) -> int:
    """Stay visible until `stop` is set, or until the configuration can be used.

    Args:
        path: the file; None: the system's.
        complaint: why it cannot be used, in one sentence.
        stop: ends it within half a second once it is set.

    Returns:
        0 when it was stopped, `RESTART` when the configuration has changed.
    """
    manager = ServiceManager()
    while not stop.is_set():
        LOG.error("safe mode, no results: %s", complaint)
        _stand_by(path, complaint, manager, stop)
        try:
            load_config(path)
        except ConfigError as error:
            complaint = str(error)
        else:
            break
    manager.stopping()
    if stop.is_set():
        return 0
    LOG.info("the configuration has changed: the appliance starts anew")
    return RESTART


def _stand_by(path: Path | None, complaint: str, manager: ServiceManager, stop: threading.Event) -> None:
    """Tell why, until `stop` is set or a file changes."""
    kept = kept_in(state_folder())
    config = salvage(path, kept)
    files = _files_of(path, config)
    before, looked_s = _fingerprint(files), time.monotonic()
    with _ward(config, kept.mqtt, complaint), closing(_turns(config, complaint, stop)) as turns:
        manager.ready(f"safe mode: {complaint}")
        for _ in turns:
            manager.alive(time.monotonic_ns())
            if time.monotonic() - looked_s < _LOOK_EVERY_S:
                continue
            looked_s = time.monotonic()
            if _fingerprint(files) != before:
                return


def _turns(config: Config, complaint: str, stop: threading.Event) -> Generator[None, None, None]:
    """Show the sentence and turn a few times a second, whatever becomes of the source and the display."""
    recorded = config.source.kind == "file"
    source = source_of(_CAPTURE_CARD if recorded else config.source)
    for sink in (_sink_of(config.sink), NoSink()):
        shown: tuple[int, int] | None = None
        try:
            with open_pipeline(source, sink, patient=True) as pipeline:
                for event in pipeline.frames(stop):
                    size = _size_of(event) if isinstance(event, Frame) else shown or (1440, 1080)
                    if size != shown:
                        pipeline.show(Scene((Layer(trouble_card(complaint, *size)),)))
                        shown = size
                    yield
                    stop.wait(_TURN_S)
        except FibrostageError as error:
            LOG.warning("the display cannot tell: %s", error)
        if stop.is_set():
            return
    while not stop.wait(_TURN_S):
        yield


def _sink_of(config: SinkConfig) -> Sink:
    """The configured display; a recording is not begun for this."""
    return NoSink() if config.kind == "file" else sink_of(config)


def _size_of(frame: Frame) -> tuple[int, int]:
    return frame.pixels.shape[1], frame.pixels.shape[0]


@contextmanager
def _ward(config: Config, kept: MqttConfig, complaint: str) -> Iterator[None]:
    """The status on the broker: by the configured way, else by the one that worked last; or none."""
    appliance = Appliance(
        site=config.site,
        device=config.device,
        room=config.room or config.device,
        software=SOFTWARE,
        versions={"python": platform.python_version()},
        trouble=complaint,
    )
    now, trusted = datetime.now(timezone.utc), time_trusted()
    birth = status_message(appliance, CaptureState.STARTING, now, time_trusted=trusted)
    death = status_message(appliance, None, now, time_trusted=trusted)
    ward = None
    for mqtt in dict.fromkeys((config.mqtt, kept)):
        if ward is not None or not mqtt.enabled:
            continue
        # What waits in the outbox waits on: it is sent when the appliance runs.
        quiet = mqtt.model_copy(update={"required": False, "outbox": None})
        try:
            tried = Ward(quiet, appliance.root, birth, death)
            tried.connect()
        except ConfigError as error:
            LOG.warning("the ward cannot be told: %s", error)
        else:
            ward = tried
    if ward is None:
        yield
        return
    with closing(ward):
        yield


def _files_of(path: Path | None, config: Config) -> tuple[Path, ...]:
    """The configuration, and every file and folder that it rests on."""
    bundle = () if config.bundle is None else (config.bundle,)
    named = (*bundle, config.bundle_keys, Path(config.profile), *files_of(config).values())
    return (path or SYSTEM_PATH, *named)


def _fingerprint(files: tuple[Path, ...]) -> _Fingerprint:
    """What changes when one of them is written, made, removed or replaced."""
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
