"""The fault campaign: examine patients, make faults, and look whether every promise was kept.

    python -m tests.faults.campaign --exams 50 --faults 200 --seed 1

The seed decides on the patients, the sonographer's pace, which fault follows which, and how long each lasts.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import click

from firmware_app.errors import AuditError
from firmware_app.records.verification import verify
from tests.faults.document import RESULTS, update_document, write_json
from tests.faults.injector import Injector, NotWellError, spoils
from tests.faults.invariants import Evidence, committed_results, findings_of
from tests.faults.report import Report, Run, report_of
from tests.faults.sonographer import Sonographer
from tests.faults.world import World, open_world

PAUSE_S = (1.0, 3.0)
"""Between one fault and the next."""
QUIET_S = 4.0
BUSY = 6.0
"""A slack beyond this says that the machine is busy: then the sonographer, too, takes her time."""
SETTLED_WITHIN_S = 60.0
BEGUN_WITHIN_S = 120.0


def run_campaign(folder: Path, exams: int, faults: int, seed: int, slack: float = 1.0) -> Report:
    """Run it, and check everything afterwards.

    Args:
        folder: empty; logs and what the appliance has written lie there afterwards.
        exams: at least so many.
        faults: at least so many.
        seed: see above.
        slack: factor on every bound, for machines that have other things to do besides.
    """
    began_s = time.monotonic()
    ended = None
    with open_world(folder, seed) as world:
        injector = Injector(world, seed, slack)
        with Sonographer(
            world.scanner,
            seed,
            is_good=lambda since_s, until_s: not spoils(injector.injections, since_s, until_s),
            is_enough=lambda seen: seen >= exams and len(injector.injections) >= faults,
            patience=max(1.0, slack / BUSY),
        ) as sonographer:
            world.sonographer = sonographer
            sonographer.begun.wait(BEGUN_WITHIN_S)
            try:
                while not sonographer.is_done:
                    injector.strike()
                    click.echo(_progress(injector, sonographer), err=True)
                    time.sleep(world.random.uniform(*PAUSE_S))
            except NotWellError as error:
                ended = str(error)
        _settle(world)
    evidence = Evidence(
        heard=tuple(world.observer.messages()),
        visits=tuple(sonographer.visits),
        injections=injector.injections,
        lives=tuple(world.appliance.lives),
        committed=committed_results(folder / "kept" / "audit"),
        audit_fault=_audit_fault(folder / "kept" / "audit"),
        slack=slack,
    )
    (folder / "shown.json").write_text(json.dumps([asdict(visit) for visit in evidence.visits], indent=1))
    findings = [*findings_of(evidence), *([] if ended is None else [f"ended early: {ended}"])]
    command = f"make faults EXAMS={exams} FAULTS={faults} SEED={seed}"
    command += "" if slack == 1 else f" SLACK={slack:g}"
    minutes = (time.monotonic() - began_s) / 60
    return report_of(evidence, findings, Run(command, seed, round(minutes, 1), world.without))


def _progress(injector: Injector, sonographer: Sonographer) -> str:
    last = injector.injections[-1]
    took = "never" if last.well_after_s is None else f"{last.well_after_s:5.2f} s"
    count = len(injector.injections)
    lasted_s = (last.released_s or 0.0) - last.injected_s
    return (
        f"{last.injected_s:10.2f} exam {len(sonographer.visits) + 1:3d}  fault {count:4d}"
        f"  {last.fault.name:30s} lasted {lasted_s:5.2f} s, well after {took}"
    )


def _settle(world: World) -> None:
    """Wait until nothing but health has been heard for a while: what was kept has arrived."""
    deadline_s = time.monotonic() + SETTLED_WITHIN_S
    known, quiet_s = -1, time.monotonic()
    while time.monotonic() - quiet_s < QUIET_S and time.monotonic() < deadline_s:
        count = sum(heard.topic != "health" for heard in world.observer.messages())
        if count != known:
            known, quiet_s = count, time.monotonic()
        time.sleep(0.2)


def _audit_fault(folder: Path) -> str | None:
    try:
        return verify(folder).fault
    except AuditError as error:
        return str(error)


@click.command()
@click.option("--exams", default=50, show_default=True, help="At least so many patients.")
@click.option("--faults", default=200, show_default=True, help="At least so many faults.")
@click.option("--seed", default=1, show_default=True, help="Everything random follows from it.")
@click.option("--slack", default=1.0, show_default=True, help="Factor on every bound, for a busy machine.")
@click.option("--record/--no-record", default=False, show_default=True, help="Write figures and table.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for logs; default: a temporary one.")
def main(*, exams: int, faults: int, seed: int, slack: float, record: bool, keep: Path | None) -> None:
    """Run the campaign; exit code 1 if a promise was broken."""
    folder = keep or Path(tempfile.mkdtemp(prefix="fibrostage-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = run_campaign(folder, exams, faults, seed, slack)
    if record:
        write_json(asdict(report), RESULTS / "faults.json")
        update_document()
    click.echo(
        f"{report.exams} exams, {report.faults} faults in {report.run.minutes} minutes: "
        f"{report.required} exams must have a result, {report.committed} results were committed, "
        f"{report.results} arrived, "
        f"{report.repeated} messages repeated"
    )
    for group, reason in report.run.skipped.items():
        click.echo(f"skipped: {group}: {reason}")
    for finding in report.findings:
        click.echo(f"BROKEN {finding}")
    if report.findings:
        click.echo(f"logs: {folder}")
        sys.exit(1)


if __name__ == "__main__":
    main()
