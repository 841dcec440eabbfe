"""`fibrostage health`: what a running appliance said last about itself, from its health page."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from pathlib import Path

import click
from pydantic import ValidationError

from firmware_app.config import load_config
from firmware_app.errors import ConfigError, HealthError
from firmware_app.ward.health_message import Health, StageLatency
from firmware_app.wording import RUNGS

_WAIT_S = 5.0
_EVERYWHERE = frozenset({"0.0.0.0", ""})  # noqa: S104 - told apart, not bound to


@click.command("health")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="TOML file; default: the system's, else all defaults.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the message as it is.")
def health_command(config_path: Path | None, *, as_json: bool) -> None:
    """Print how the running appliance is, as it said last."""
    settings = load_config(config_path).health
    if not settings.prometheus_port:
        raise ConfigError("the appliance has no health page: set health.prometheus_port and restart it")
    host = "127.0.0.1" if settings.prometheus_host in _EVERYWHERE else settings.prometheus_host
    health = fetched(host, settings.prometheus_port)
    click.echo(health.to_json() if as_json else "\n".join(lines_of(health)))


def fetched(host: str, port: int) -> Health:
    """The newest message that the page has.

    Raises:
        HealthError: nobody answers, somebody else does, or the appliance has not reported yet.
    """
    page = HTTPConnection(host, port, timeout=_WAIT_S)
    try:
        page.request("GET", "/health")
        answer = page.getresponse()
        content = answer.read()
    except (OSError, HTTPException) as error:
        raise HealthError(f"nothing answers on {host}:{port} ({error}): is the appliance running?") from error
    finally:
        page.close()
    if answer.status == 503:
        raise HealthError("the appliance has not reported yet: ask again in a few seconds")
    try:
        return Health.model_validate_json(content)
    except ValidationError as error:
        raise HealthError(
            f"what answers on {host}:{port} is not this appliance: correct [health] in the configuration"
        ) from error


def lines_of(health: Health) -> list[str]:
    """The message for people."""
    rates, frames, machine = health.rates, health.frames, health.machine
    heat = ", ".join(f"{name} {degrees:.0f}" for name, degrees in machine.temperatures_c.items())
    lines = [
        f"{health.software}, up for {health.clock.uptime_s:.0f} s, at {health.time:%Y-%m-%d %H:%M:%S} UTC"
    ]
    lines.append(f"runs     {health.runtime or 'no model'}, bundle {health.bundle_id or 'none'}")
    lines.append(
        f"video    {health.capture.value}: {rates.source_hz:.1f} Hz in, {rates.analysed_hz:.1f} analysed, "
        f"{rates.displayed_hz:.1f} displayed; {frames.dropped_display} lost on the display"
    )
    lines += [
        _line(stage, latency) for stage, latency in dict(health.latencies).items() if latency is not None
    ]
    if health.outbox is not None:
        lines.append(f"broker   {health.outbox.broker}, {health.outbox.queued} messages wait")
    lines.append(
        f"machine  {machine.rss_bytes / 1e6:.0f} MB, {machine.threads} threads, "
        f"{machine.file_descriptors} files; degrees C: {heat or 'not told'}"
    )
    lines += [f"goes without: {RUNGS[rung].text}: {RUNGS[rung].remedy}" for rung in health.degraded]
    return [*lines, health.notice]


def _line(stage: str, latency: StageLatency) -> str:
    middle = f"p50 {latency.p50_ms:.1f} ms, p95 {latency.p95_ms:.1f}"
    end = f"p99 {latency.p99_ms:.1f}, max {latency.max_ms:.1f} ({latency.count} in the last minute)"
    return f"  {stage:8}{middle}, {end}"
