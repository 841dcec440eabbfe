"""`fibrostage selftest`: everything that must work on this machine, tried for real, one line each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.phantom import draw_acquisition, draw_patient
from firmware_app.assembly import screen_reader, sink_of, source_of
from firmware_app.config import Config, load_config, system_path
from firmware_app.config.secrecy import exposed
from firmware_app.errors import FibrostageError
from firmware_app.journey import Frame
from firmware_app.model import Opened, open_model
from firmware_app.overlay.canvas import font
from firmware_app.ward.publication import ROOT

STIFFNESS_TOLERANCE_KPA = 1.0
STIFFNESS_TOLERANCE = 0.1
"""Of a drawn screen, decoded and printed values may differ from the truth by the larger of the two."""
_ELEMENT = re.compile(r"[a-z][a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the self-test.

    Attributes:
        name: what was tried.
        ok: whether it works.
        detail: what was found, or what is wrong and what to do.
    """

    name: str
    ok: bool
    detail: str


class FailedCheckError(Exception):
    """A check that found something wrong, in one sentence with what to do."""


def run_checks(config_path: Path | None) -> Iterator[Check]:
    """Try everything, one check after the other; a failure does not stop those that follow."""
    try:
        config = load_config(config_path)
    except FibrostageError as error:
        yield Check("configuration", ok=False, detail=str(error))
        config = Config()
    else:
        yield Check("configuration", ok=True, detail=str(config_path or "the system's, or all defaults"))
    yield _check("secrets", lambda: _secrets(config, config_path))
    yield _check("screen profile", lambda: screen_reader(config.profile).profile.profile_id)
    yield from _model_checks(config)
    yield _check("video", lambda: _elements(config))
    yield _check("overlay's font", lambda: font(24).getname()[0])
    if config.mqtt.enabled:
        yield _check("broker", lambda: _broker(config))
    yield _check("screen reading", _read_drawn_screen)


def _check(name: str, work: Callable[[], str | None]) -> Check:
    """Try it; whatever goes wrong is the check's answer, with a traceback for nobody."""
    try:
        return Check(name, ok=True, detail=work() or "works")
    except Exception as error:  # noqa: BLE001 - a self-test reports whatever breaks, and tries the rest
        detail = " ".join(str(error).split()) or type(error).__name__
        known = isinstance(error, (FibrostageError, FailedCheckError))
        return Check(name, ok=False, detail=detail if known else f"{type(error).__name__}: {detail}")


def _secrets(config: Config, path: Path | None) -> str:
    told = exposed(config, system_path(path))
    if told:
        raise FailedCheckError("; ".join(told))
    return "no other user can read them"


def _model_checks(config: Config) -> Iterator[Check]:
    try:
        opened = open_model(config, may_switch=False)
    except FibrostageError as error:
        yield Check("bundle", ok=False, detail=str(error))
        return
    yield _bundle_check(opened)
    if opened.model is None:
        return
    model, tolerance = opened.model, opened.model.bundle.manifest.self_test.tolerance
    detail = f"largest |dp| {model.largest_difference:.4f}, allowed {tolerance:g}"
    yield Check("golden crops", ok=True, detail=detail)
    yield Check("runtime", ok=True, detail=f"{model.engine.name}: {model.engine.reason}")
    model.engine.close()


def _bundle_check(opened: Opened) -> Check:
    if opened.event is not None:
        what = "stiffness only" if opened.model is None else f"{opened.model.bundle.manifest.bundle_id} runs"
        remedy = "install a sound bundle with `fibrostage bundle install`"
        return Check("bundle", ok=False, detail=f"{opened.event.detail}; {what}; {remedy}")
    if opened.model is None:
        raise AssertionError("without a model there is an event that says why")
    bundle = opened.model.bundle
    check = "" if opened.model.familiarity is not None else "; no out-of-range check in it"
    return Check(
        "bundle", ok=True, detail=f"{bundle.manifest.bundle_id}, signed by {bundle.signed_by}{check}"
    )


def _elements(config: Config) -> str:
    """Every GStreamer element that the configured source and sink need."""
    from firmware_app.video.graph import has_element  # noqa: PLC0415 - as above
    from firmware_app.video.launch import display_of, input_of  # noqa: PLC0415 - only where it is used

    display = display_of(sink_of(config.sink), has_element, mirrored=config.bedside.enabled)
    graphs = input_of(source_of(config.source), has_element), display
    names = {word for graph in graphs for word in graph.launch.split() if _ELEMENT.fullmatch(word)}
    missing = sorted(name for name in names if not has_element(name))
    if missing:
        raise FailedCheckError(
            f"GStreamer has no {', '.join(missing)}; install its plug-ins (base, good, bad, ugly, libav)"
        )
    return f"{config.source.kind} to {config.sink.kind}: {len(names)} GStreamer elements are there"


def _broker(config: Config) -> str:
    from firmware_app.ward.subscriber import Subscriber  # noqa: PLC0415 - only where a broker is configured

    # A client with a random id: it must not push the running appliance off the broker.
    topic = f"{ROOT}/{config.site}/{config.device}/status"
    Subscriber(config.mqtt, topic, lambda _received: None).close()
    return f"{config.mqtt.host}:{config.mqtt.port} lets us listen"


def _read_drawn_screen() -> str:
    """Draw a screen of the virtual scanner, read it, and compare with what was drawn."""
    picture, truth = draw_acquisition(draw_patient(np.random.default_rng(1), stage=2), 0, 1)
    reader = screen_reader("aixplorer")
    frame = Frame(np.ascontiguousarray(picture), number=0, pts_ns=0, captured_ns=0)
    reading = reader.read_text(frame, reader.read(frame))
    wanted = truth.q_box_mean_kpa
    if reading.rejected is not None or reading.stiffness is None or reading.readout is None or wanted is None:
        reason = "nothing was found" if reading.rejected is None else reading.rejected.reason.value
        raise FailedCheckError(f"a drawn screen was not read ({reason}); install the software anew")
    allowed = max(STIFFNESS_TOLERANCE_KPA, STIFFNESS_TOLERANCE * wanted)
    printed = reading.readout.mean_kpa
    if printed is None or max(abs(reading.stiffness.mean_kpa - wanted), abs(printed - wanted)) > allowed:
        raise FailedCheckError(
            f"a drawn screen of {wanted:.1f} kPa was decoded as {reading.stiffness.mean_kpa:.1f} and read as "
            f"{printed}; install the software anew"
        )
    return (
        f"drawn {wanted:.1f} kPa, decoded {reading.stiffness.mean_kpa:.1f}, printed value read {printed:.1f}"
    )
