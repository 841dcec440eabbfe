"""The ladder: which failure puts the appliance on which rung, and what the ward is told of it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from firmware_app.health.ladder import RESERVE_BYTES, SLOW_PREVIEW_MS, Ladder
from firmware_app.health.stopwatch import Stage
from firmware_app.health.witnesses import Witnesses
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward import asyncapi
from firmware_app.ward.link import Link, LinkState
from firmware_app.ward.messages import BundleEvent
from firmware_app.ward.publication import Appliance, status_message
from firmware_app.wording import Rung, sentences
from tests.firmware_app.exam_examples import BIRTH, appliance
from tests.firmware_app.health_examples import Clock, health, witnesses

EVENT = BundleEvent(event="rolled_back", bundle_id="installed-7", detail="altered")


def linked(state: LinkState, trouble: str | None = None) -> Callable[[Witnesses], Witnesses]:
    """The same with another link."""
    return lambda asked: replace(asked, link=lambda: Link(state, "", 0, 0, trouble))


def slow_previews(asked: Witnesses) -> Witnesses:
    """The same on a processor that is busy."""
    took_ns = int((SLOW_PREVIEW_MS + 1) * 1e6)
    asked.stopwatch.note(Stage.PREVIEW, took_ns, Clock().now_ns)
    return asked


WELL: Callable[[Witnesses], Witnesses] = lambda asked: asked  # noqa: E731 - one line of a table
FAILURES: list[tuple[Rung, Callable[[Witnesses], Witnesses], Appliance]] = [
    (Rung.NO_MODEL, WELL, appliance(with_model=False)),
    (Rung.EARLIER_BUNDLE, WELL, replace(appliance(), bundle_event=EVENT)),
    (Rung.GPU_LOST, WELL, replace(appliance(), runtime_degraded=True)),
    (Rung.OUTBOX_IN_MEMORY, linked(LinkState.CONNECTED, "disk is full"), appliance()),
    (
        Rung.RECORDS_LOST,
        lambda asked: replace(asked, records={"records.audit": lambda: "read-only"}),
        appliance(),
    ),
    (Rung.SCREEN_MISSING, lambda asked: replace(asked, screen=lambda: "no display"), appliance()),
    (Rung.BROKER_AWAY, linked(LinkState.LOST), appliance()),
    (Rung.BROKER_AWAY, linked(LinkState.REFUSED), appliance()),
    (
        Rung.PAGE_MISSING,
        lambda asked: replace(asked, pages={"bedside": lambda: "port is taken"}),
        appliance(),
    ),
    (Rung.FEWER_PREVIEWS, slow_previews, appliance()),
    (Rung.CLOCK_UNTRUSTED, lambda asked: replace(asked, time_trusted=lambda: False), appliance()),
]


def seen(asked: Witnesses, speaker: Appliance) -> tuple[Rung, ...]:
    """The rungs at the first look."""
    return Ladder(asked, Clock()).rungs(speaker)


def test_nothing_failing_is_no_rung() -> None:
    """An appliance that is well stands on none, also while it connects and where nothing is published."""
    for asked in (witnesses(), linked(LinkState.CONNECTING)(witnesses()), replace(witnesses(), link=None)):
        assert seen(asked, appliance()) == ()


@pytest.mark.parametrize(("rung", "failure", "speaker"), FAILURES)
def test_each_failure_has_its_rung(
    rung: Rung, failure: Callable[[Witnesses], Witnesses], speaker: Appliance
) -> None:
    """One failure, one rung."""
    assert seen(failure(witnesses()), speaker) == (rung,)


def test_every_rung_can_be_reached() -> None:
    """No rung has words that nobody ever reads; a full disk has a test of its own."""
    assert {rung for rung, _, _ in FAILURES} | {Rung.DISK_FULL} == set(Rung)


def test_the_documentation_names_every_rung() -> None:
    """docs/degradation.md has one line for each rung, and the test files that it names are there."""
    table = (Path(__file__).parents[2] / "docs" / "degradation.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)) == {rung.value for rung in Rung}
    for name in re.findall(r"`(test_[a-z_]+\.py)`", table):
        assert (Path(__file__).parent / name).exists(), name


def test_the_gravest_comes_first() -> None:
    """All at once, in the order of the enumeration."""
    asked = replace(
        linked(LinkState.LOST, "full")(witnesses()),
        records={"records.audit": lambda: "full"},
        pages={"bedside": lambda: "taken"},
        screen=lambda: "no display",
        time_trusted=lambda: False,
    )
    absent = {Rung.DISK_FULL, Rung.EARLIER_BUNDLE, Rung.GPU_LOST, Rung.FEWER_PREVIEWS}
    expected = tuple(rung for rung in Rung if rung not in absent)
    assert seen(asked, appliance(with_model=False)) == expected


def test_a_full_disk_is_told_early_and_does_not_flicker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Below the reserve, until twice the reserve is free; an unknown disk is no full one."""
    free: list[int | None] = [RESERVE_BYTES]

    def usage(_path: Path) -> SimpleNamespace:
        if free[0] is None:
            raise OSError(5, "Input/output error")
        return SimpleNamespace(free=free[0])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    clock = Clock()
    ladder = Ladder(witnesses({"records.audit": tmp_path}), clock)
    told = []
    for now in (RESERVE_BYTES, RESERVE_BYTES - 1, RESERVE_BYTES + 1, 2 * RESERVE_BYTES, RESERVE_BYTES, None):
        free[0] = now
        told.append(Rung.DISK_FULL in ladder.rungs(appliance()))
        clock.forward(1)
    assert told == [False, True, True, False, False, False]


def test_it_looks_once_a_second_and_at_the_gpu_at_once() -> None:
    """Frames cost no look at disks and links; what the engine says counts with the next step."""
    looks: list[int] = []

    def link() -> Link:
        looks.append(1)
        return Link(LinkState.CONNECTED, "", 0, 0)

    clock = Clock()
    ladder = Ladder(replace(witnesses(), link=link), clock)
    for _ in range(60):
        ladder.rungs(appliance())
        clock.forward(1 / 30)
    assert len(looks) == 2
    assert ladder.rungs(replace(appliance(), runtime_degraded=True)) == (Rung.GPU_LOST,)


def test_status_and_health_carry_the_rungs_with_their_words() -> None:
    """The status in the configured language, without the broker, which its reader has at hand."""
    rungs = (Rung.DISK_FULL, Rung.BROKER_AWAY, Rung.CLOCK_UNTRUSTED)
    speaker = replace(appliance(), degraded=rungs, language="de")
    status = json.loads(status_message(speaker, CaptureState.LIVE, BIRTH, time_trusted=False).to_json())
    jsonschema.Draft202012Validator(asyncapi.json_schemas()["status"]).validate(status)
    assert status["degraded"] == ["disk_full", "clock_untrusted"]
    assert status["degraded_texts"] == [sentences("de").rung(rung) for rung in (rungs[0], rungs[2])]
    asked = replace(linked(LinkState.LOST)(witnesses()), time_trusted=lambda: False)
    assert health(asked).degraded == [Rung.BROKER_AWAY, Rung.CLOCK_UNTRUSTED]
