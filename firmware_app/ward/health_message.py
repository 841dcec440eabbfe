"""The payload of topic `health`: how the appliance is, every few seconds, for those who look after it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.messages import Count, Header, NonNegative, Payload
from firmware_app.wording import Rung


class Rates(Payload):
    """Frames per second since the message before."""

    source_hz: NonNegative
    analysed_hz: NonNegative
    displayed_hz: NonNegative


class Frames(Payload):
    """Frames since the appliance started."""

    source: Count
    analysed: Count
    displayed: Count
    dropped_analysis: Count = Field(description="passed over because a newer one was there: normal life")
    dropped_display: Count = Field(description="missing on the display: a fault")
    restarts: Count = Field(description="how often the source was opened again")


class StageLatency(Payload):
    """Percentiles over the last minute, in milliseconds."""

    count: Annotated[int, Field(ge=1)] = Field(description="how often the stage ran")
    p50_ms: NonNegative
    p95_ms: NonNegative
    p99_ms: NonNegative
    max_ms: NonNegative


class Latencies(Payload):
    """How long each stage takes; null: it did not run within the last minute."""

    read: StageLatency | None = Field(description="reading a frame's screen")
    text: StageLatency | None = Field(description="reading printed texts (OCR), once per examination")
    crop: StageLatency | None = Field(description="cutting both crops")
    score: StageLatency | None = Field(description="running the networks")
    preview: StageLatency | None = Field(description="running the networks on a live frame")
    publish: StageLatency | None = Field(description="putting a message into the outbox")
    overlay: StageLatency | None = Field(description="from the capture of a frame to the overlay it changes")
    display: StageLatency | None = Field(description="from the source to the display")


class OutboxHealth(Payload):
    """What waits for the broker, and how the two stand; times without a broker are normal life."""

    broker: str = Field(description="connecting, connected, unreachable, refused, lost or closed")
    detail: str = Field(description="what the broker or the network said")
    queued: Count = Field(description="messages that wait")
    dropped: Count = Field(description="messages that went because too many waited; never the newest result")
    trouble: str | None = Field(description="why what waits is kept in memory only; null: it is on the disk")


class MachineHealth(Payload):
    """The computer; null: it does not tell."""

    temperatures_c: dict[str, float] = Field(description="by the sensor's own name")
    cpu_percent: NonNegative | None = Field(description="of the appliance, of one processor, since before")
    rss_bytes: Count = Field(description="physical memory of the appliance")
    memory_available_bytes: Count = Field(description="what is left for others")
    threads: Count
    file_descriptors: Count
    disk_free_bytes: dict[str, Count | None] = Field(description="by the setting that names the folder")


class ClockHealth(Payload):
    """The wall clock, and the boot's own."""

    trusted: bool = Field(description="as `time_trusted` of every message")
    largest_error_ms: NonNegative | None = Field(description="as the kernel knows it; null: nobody knows")
    uptime_s: NonNegative = Field(description="since the appliance started, by the boot's own clock")


class Health(Header):
    """How the appliance is."""

    type: Literal["health"] = "health"
    capture: CaptureState
    degraded: list[Rung] = Field(description="what the appliance goes without, the gravest first")
    rates: Rates
    frames: Frames
    latencies: Latencies
    outbox: OutboxHealth | None = Field(description="null: nothing is published")
    records: dict[str, str | None] = Field(description="by setting: why it cannot be written; null: it can")
    pages: dict[str, str | None] = Field(description="by setting: why it is not served; null: it is")
    residual_px: NonNegative | None = Field(description="miss of the screen's landmarks; null: no screen")
    machine: MachineHealth
    clock: ClockHealth
