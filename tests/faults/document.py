"""The figures of campaign and soak on disk, and the tables of docs/reliability.md, which are made of them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DOCUMENT = ROOT / "docs" / "reliability.md"

Figures = Mapping[str, Any]
"""A result file as it was read; the dataclasses that wrote it say what is in it."""


def machine_in_words() -> str:
    """Processor, cores and system of this machine."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def today() -> str:
    """The date, UTC."""
    return datetime.now(timezone.utc).date().isoformat()


def write_json(figures: Mapping[str, object], path: Path) -> None:
    """Write a result file."""
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def faults_table(figures: Figures) -> str:
    """The campaign: what was counted, and one line for each kind of fault."""
    run = figures["run"]
    head = (
        f"`{run['command']}` on {figures['date']} ({figures['machine']}; {run['minutes']} minutes):\n\n"
        f"| counted | |\n|---|---|\n"
        f"| exams | {figures['exams']} |\n"
        f"| faults | {figures['faults']} |\n"
        f"| starts of the appliance | {figures['processes']} |\n"
        f"| messages received | {figures['messages']} |\n"
        f"| of them repeated, with the same content | {figures['repeated']} |\n"
        f"| exams with five undisturbed freezes: each must have a result | {figures['required']} |\n"
        f"| results committed by the appliance | {figures['committed']} |\n"
        f"| results received | {figures['results']} |\n"
        f"| promises broken | {len(figures['findings'])} |\n"
    )
    rows = "".join(
        f"| {row['fault']} | {row['times']} | {_seconds(row['median_s'])} | {_seconds(row['longest_s'])}"
        f" | {row['promised_s']:g} |\n"
        for row in figures["rows"]
    )
    table = (
        f"\n| fault | times | well again, median s | longest s | promised s |\n|---|--:|--:|--:|--:|\n{rows}"
    )
    skipped = "".join(f"\nLeft out: {group}: {reason}.\n" for group, reason in run["skipped"].items())
    broken = "".join(f"\nBroken: {finding}.\n" for finding in figures["findings"])
    return head + table + skipped + broken


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


def _share(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2%}"


def soak_table(figures: Figures) -> str:
    """The soak: what was measured, and what is allowed."""
    threads, descriptors = figures["threads"], figures["descriptors"]
    broken = "".join(f"\nBroken: {finding}.\n" for finding in figures["findings"])
    return (
        f"`{figures['command']}` on {figures['date']} ({figures['machine']}), the first "
        f"{figures['warm_up_minutes']:g} minutes left out:\n\n"
        f"| measured | | allowed |\n|---|--:|--:|\n"
        f"| frames from the scanner | {figures['frames']} | |\n"
        f"| frames missing on the display | {figures['dropped_display']} | 0 |\n"
        f"| exams, results | {figures['exams']}, {figures['results']} | |\n"
        f"| restarts of the broker | {figures['outages']} | |\n"
        f"| memory (PSS), MiB | {figures['pss_mib']} | |\n"
        f"| growth of PSS, of RSS | {figures['pss_growth']:.2%}, {figures['rss_growth']:.2%} | |\n"
        f"| growth of what nobody shares (USS) | {_share(figures.get('uss_growth'))} | 1 % |\n"
        f"| threads, first third and last | {threads[0]}, {threads[1]} | no growth |\n"
        f"| descriptors, first third and last | {descriptors[0]}, {descriptors[1]} | no growth |\n"
        f"| outbox at its largest, KiB | {figures['outbox_kib']} | |\n"
    ) + broken


TABLES: dict[str, Callable[[Figures], str]] = {"faults": faults_table, "soak": soak_table}


def rendered(text: str) -> str:
    """The document with the tables of the result files that are there."""
    for name, table in TABLES.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            block = table(json.loads(path.read_text(encoding="utf-8")))
            before, _, rest = text.partition(f"<!-- {name} -->\n")
            after = rest.partition(f"<!-- /{name} -->")[2]
            text = f"{before}<!-- {name} -->\n{block}<!-- /{name} -->{after}"
    return text


def update_document() -> None:
    """Write the tables into docs/reliability.md."""
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
