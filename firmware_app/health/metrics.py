"""The newest health message as Prometheus metrics, in base units; docs/health.md lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.health_message import Health, MachineHealth, StageLatency
from firmware_app.ward.link import LinkState
from firmware_app.wording import Rung

Labelled = Mapping[str, float | None]


def metrics_of(health: Health, age_s: float) -> Iterator[Metric]:
    """Every metric; what the machine does not tell has no sample.

    Args:
        health: the newest message.
        age_s: seconds since it was made: a frame loop that hangs lets it grow.
    """
    yield GaugeMetricFamily("fibrostage_health_age_seconds", "Since these values were taken", age_s)
    about = {
        "software": health.software,
        "runtime": health.runtime or "",
        "bundle": health.bundle_id or "",
        "profile": health.profile_id or "",
    }
    yield InfoMetricFamily("fibrostage", "What runs", about)
    yield from _video(health)
    yield _latencies(dict(health.latencies))
    yield from _ward(health)
    yield _by(
        "fibrostage_page_trouble",
        "1: it is not served",
        "page",
        {name: float(trouble is not None) for name, trouble in health.pages.items()},
    )
    yield _by(
        "fibrostage_degraded",
        "1: the appliance goes without",
        "rung",
        {rung.value: float(rung in health.degraded) for rung in Rung},
    )
    yield from _machine(health.machine)
    clock = health.clock
    yield GaugeMetricFamily("fibrostage_clock_trusted", "1: synchronised since this boot", clock.trusted)
    yield _gauge(
        "fibrostage_clock_error_seconds", "At most, as the kernel knows", clock.largest_error_ms, 1e-3
    )
    yield GaugeMetricFamily("fibrostage_uptime_seconds", "Since the appliance started", clock.uptime_s)


def _video(health: Health) -> Iterator[Metric]:
    rates, frames = health.rates, health.frames
    yield _by(
        "fibrostage_frame_rate_hertz",
        "Frames per second",
        "place",
        {"source": rates.source_hz, "analysis": rates.analysed_hz, "display": rates.displayed_hz},
    )
    counted = {"source": frames.source, "analysis": frames.analysed, "display": frames.displayed}
    yield _counter("fibrostage_frames", "Frames", "place", counted)
    dropped = {"analysis": frames.dropped_analysis, "display": frames.dropped_display}
    yield _counter("fibrostage_frames_dropped", "Frames passed over", "place", dropped)
    yield CounterMetricFamily("fibrostage_source_restarts", "Source opened again", frames.restarts)
    yield _one_of(
        "fibrostage_capture",
        "State of the video",
        [state.value for state in CaptureState],
        health.capture.value,
    )
    yield _gauge("fibrostage_registration_residual_pixels", "Miss of the landmarks", health.residual_px)


def _latencies(stages: Mapping[str, StageLatency | None]) -> Metric:
    family = GaugeMetricFamily(
        "fibrostage_latency_seconds", "Over the last minute", labels=("stage", "quantile")
    )
    for stage, latency in stages.items():
        if latency is None:
            continue
        percentiles = (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms)
        for quantile, value in zip(("0.5", "0.95", "0.99", "1"), percentiles, strict=True):
            family.add_metric((stage, quantile), value / 1e3)
    return family


def _ward(health: Health) -> Iterator[Metric]:
    outbox = health.outbox
    if outbox is not None:
        states = [state.value for state in LinkState]
        yield _one_of("fibrostage_broker", "Link to the broker", states, outbox.broker)
        yield GaugeMetricFamily("fibrostage_outbox_messages", "That wait for the broker", outbox.queued)
        yield CounterMetricFamily("fibrostage_outbox_dropped", "Messages that found no room", outbox.dropped)
    troubles = dict(health.records) | ({} if outbox is None else {"mqtt.outbox": outbox.trouble})
    yield _by(
        "fibrostage_record_trouble",
        "1: it cannot be written",
        "record",
        {name: float(trouble is not None) for name, trouble in troubles.items()},
    )


def _machine(machine: MachineHealth) -> Iterator[Metric]:
    yield _by("fibrostage_temperature_celsius", "By the sensor's own name", "sensor", machine.temperatures_c)
    yield _gauge("fibrostage_cpu_ratio", "1: one processor is busy with it", machine.cpu_percent, 1e-2)
    yield GaugeMetricFamily("fibrostage_resident_memory_bytes", "Of the appliance", machine.rss_bytes)
    yield GaugeMetricFamily(
        "fibrostage_memory_available_bytes", "Left for others", machine.memory_available_bytes
    )
    yield GaugeMetricFamily("fibrostage_threads", "Of the appliance", machine.threads)
    yield GaugeMetricFamily("fibrostage_file_descriptors", "Open", machine.file_descriptors)
    yield _by("fibrostage_disk_free_bytes", "Of its file system", "folder", machine.disk_free_bytes)


def _gauge(name: str, text: str, value: float | None, factor: float = 1.0) -> Metric:
    family = GaugeMetricFamily(name, text)
    if value is not None:
        family.add_metric((), value * factor)
    return family


def _by(name: str, text: str, label: str, values: Labelled) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for key, value in values.items():
        if value is not None:
            family.add_metric((key,), value)
    return family


def _counter(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def _one_of(name: str, text: str, states: Iterable[str], current: str) -> Metric:
    """One sample per state: 1 for the current one, 0 for the others."""
    return _by(name, text, "state", {state: float(state == current) for state in states})
