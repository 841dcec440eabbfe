"""`make audit-dependencies`: known vulnerabilities of the bill of materials, and what nobody could check.

Three sources, each with the date of its data:

- Python packages: a copy of the OSV data base (`--osv`, the file all.zip of its ecosystem PyPI), which needs
  no network; else the advisory service of PyPI.
- Packages of the distribution: its security archive, as `apt-get update` last fetched it. A package that is
  older than the one there has a known vulnerability that was mended.
- The department page: the advisory service of npm.

A source that does not answer is reported as NOT CHECKED, never as clean. Exit code 0: nothing is known; 1:
something is; 2: wrong call; 3: nothing is known, but not everything could be checked. Runs in build/supply.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

NOTICE = "For research use only. Not for diagnostic use. Model trained on simulated data."
CLEAN, KNOWN, WRONG_CALL, INCOMPLETE = 0, 1, 2, 3
DEPARTMENT = Path(__file__).parents[2] / "firmware_app" / "department"
APT_LISTS = Path("/var/lib/apt/lists")
Parts = dict[str, str]
"""Versions by name."""


@dataclass(frozen=True)
class Verdict:
    """What became of one kind of packages.

    Attributes:
        kind: for people.
        checked: how many could be checked.
        total: how many there are.
        against: the data and its date, or why there is none.
        known: one line for each known vulnerability.
    """

    kind: str
    checked: int
    total: int
    against: str
    known: tuple[str, ...] = ()


def parts_of(bill: dict[str, Any], ecosystem: str) -> Parts:
    """The packages of one ecosystem in a bill of materials."""
    listed = [part for part in bill["components"] if part.get("purl", "").startswith(f"pkg:{ecosystem}/")]
    return {part["name"]: part["version"] for part in listed}


def check_against_osv(parts: Parts, copy: Path) -> Verdict:
    """Python packages against a copy of the OSV data base."""
    versions: Parts = {canonicalize_name(name): version for name, version in parts.items()}
    known: list[str] = []
    newest = ""
    with zipfile.ZipFile(copy) as archive:
        for name in archive.namelist():
            advisory = json.loads(archive.read(name))
            newest = max(newest, str(advisory.get("modified", "")))
            if "withdrawn" not in advisory:
                known += _hits(advisory, versions)
    against = f"OSV data base, {copy.name}, last changed {newest[:10] or 'never: it is empty'}"
    checked = len(parts) if newest else 0
    return Verdict("Python packages", checked, len(parts), against, tuple(sorted(known)))


def _hits(advisory: dict[str, Any], versions: Parts) -> Iterator[str]:
    for affected in advisory.get("affected", []):
        package = affected.get("package", {})
        name = canonicalize_name(str(package.get("name", "")))
        if package.get("ecosystem") == "PyPI" and name in versions and _affects(affected, versions[name]):
            summary = advisory.get("summary") or str(advisory.get("details", "")).partition("\n")[0]
            yield f"{name} {versions[name]}: {advisory['id']}: {summary[:100]}"
            return


def _affects(affected: dict[str, Any], version: str) -> bool:
    """Whether a version is among those that an advisory lists, or inside of one of its ranges."""
    if version in affected.get("versions", []):
        return True
    ranges = [one for one in affected.get("ranges", []) if one.get("type") == "ECOSYSTEM"]
    return any(_inside(one["events"], Version(version)) for one in ranges)


def _inside(events: Iterable[dict[str, str]], version: Version) -> bool:
    inside = False
    for event in events:
        (what, edge), *_ = event.items()
        try:
            reached = edge == "0" or (
                version > Version(edge) if what == "last_affected" else version >= Version(edge)
            )
        except InvalidVersion:
            continue  # an edge that is no version bounds nothing
        if reached:
            inside = what == "introduced"
    return inside


def check_against_pypi(parts: Parts) -> Verdict:
    """Python packages against the advisory service of PyPI; what it does not know counts as not checked."""
    kind = "Python packages"
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{name}=={version}\n" for name, version in parts.items()))
        file.flush()
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "-r",
            file.name,
            "--no-deps",
            "--disable-pip",
            "-f",
            "json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    try:
        answers = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return Verdict(
            kind, 0, len(parts), "the advisory service of PyPI does not answer; give a copy by OSV=all.zip"
        )
    found = [one for one in answers if "skip_reason" not in one]
    known = [f"{one['name']} {one['version']}: {v['id']}" for one in found for v in one["vulns"]]
    if not found:
        return Verdict(
            kind,
            0,
            len(parts),
            "the advisory service of PyPI knows none of them here; give a copy by OSV=all.zip",
        )
    return Verdict(kind, len(found), len(parts), "the advisory service of PyPI, today", tuple(known))


def check_distribution(parts: Parts, lists: Path = APT_LISTS) -> Verdict:
    """Packages of the distribution against its security archive, as it was last fetched."""
    kind = "packages of the distribution"
    fetched = list(lists.glob("*security*InRelease"))
    dates = [re.search(r"^Date: (.*)$", file.read_text("utf-8"), re.MULTILINE) for file in fetched]
    if not any(dates):
        return Verdict(kind, 0, len(parts), "the security archive was never fetched; run apt-get update")
    listed = subprocess.run(
        ["apt-cache", "madison", *sorted(parts)], capture_output=True, text=True, check=True, timeout=300
    )
    known = []
    for line in listed.stdout.splitlines():
        name, version, archive = (field.strip() for field in line.split("|"))
        if "-security" in archive and _is_older(parts[name], version):
            known.append(f"{name} {parts[name]}: mended in {version}")
    against = f"the security archive of {', '.join(sorted(date[1] for date in dates if date))}"
    return Verdict(kind, len(parts), len(parts), against, tuple(sorted(set(known))))


def _is_older(version: str, than: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", version, "lt", than], check=False).returncode == 0


def check_page(parts: Parts) -> Verdict:
    """The department page against the advisory service of npm."""
    kind = "packages of the department page"
    command = ["npm", "audit", "--json", "--omit", "dev", "--package-lock-only", "--prefix", str(DEPARTMENT)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        found = json.loads(done.stdout)["vulnerabilities"]
    except (OSError, ValueError, KeyError):
        return Verdict(kind, 0, len(parts), "the advisory service of npm does not answer")
    known = [f"{name} {parts.get(name, '')}: {entry['severity']}" for name, entry in sorted(found.items())]
    return Verdict(kind, len(parts), len(parts), "the advisory service of npm, today", tuple(known))


def tell(verdicts: Iterable[Verdict]) -> int:
    """Print what was found and what could not be checked; returns the exit code."""
    code = CLEAN
    for verdict in verdicts:
        missing = verdict.total - verdict.checked
        if verdict.checked:
            print(f"{verdict.kind}: {verdict.checked} of {verdict.total} checked against {verdict.against}")
        for line in verdict.known:
            print(f"  KNOWN  {line}")
        if missing:
            why = f": {verdict.against}" if not verdict.checked else ""
            print(f"{verdict.kind}: {missing} NOT CHECKED{why}")
        if verdict.known:
            code = KNOWN
        elif missing and code == CLEAN:
            code = INCOMPLETE
    return code


def main() -> int:
    """Check a bill of materials."""
    parser = argparse.ArgumentParser(description="Look for known vulnerabilities.", epilog=NOTICE)
    parser.add_argument("bill", type=Path, help="written by `make sbom`")
    parser.add_argument(
        "--osv", type=Path, help="all.zip of the ecosystem PyPI, fetched where there is a network"
    )
    given = parser.parse_args()
    try:
        bill = json.loads(given.bill.read_text("utf-8"))
        pypi = parts_of(bill, "pypi")
        python = check_against_osv(pypi, given.osv) if given.osv else check_against_pypi(pypi)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        print(f"error: {given.osv or given.bill} cannot be used: {error}", file=sys.stderr)
        return WRONG_CALL
    debian = check_distribution(parts_of(bill, "deb"))
    return tell((python, debian, check_page(parts_of(bill, "npm"))))


if __name__ == "__main__":
    sys.exit(main())
