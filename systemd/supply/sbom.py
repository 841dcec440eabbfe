"""`make sbom`: the bill of materials of the appliance (CycloneDX 1.6), as it is installed on this machine.

What the appliance needs to run, and nothing of the tests and the training: its Python packages with what they
need, the packages of the distribution likewise, what the department page bundles, and the networks.
Runs in build/supply.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:  # the standard library has it from 3.11 on
    import tomli as tomllib

HERE = Path(__file__).parents[2]
Component = dict[str, Any]
"""As the schema of CycloneDX has it."""
NOTICE = "For research use only. Not for diagnostic use. Model trained on simulated data."


def reached(start: Iterable[str], needs: Callable[[str], Iterable[str]]) -> dict[str, list[str]]:
    """Everything that is needed, directly or not: name by name what it needs itself."""
    found: dict[str, list[str]] = {}
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = sorted(set(needs(name)))
            waiting += found[name]
    return found


def python_parts(python: Path) -> tuple[list[Component], dict[str, list[str]], list[str]]:
    """Python packages, the edges between them, and those that the appliance names itself."""
    answer = subprocess.run(
        [str(python), "-c", "import json, sys; print(json.dumps(sys.path))"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    installed: dict[str, Distribution] = {}
    for one in distributions(path=[folder for folder in json.loads(answer.stdout) if folder]):
        installed.setdefault(canonicalize_name(one.metadata["Name"]), one)
    ours = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]
    lines = ours["dependencies"] + ours["optional-dependencies"]["jetson"]

    def there(lines: Iterable[str]) -> list[str]:
        wanted = [one for one in map(Requirement, lines) if _applies(one)]
        return sorted({canonicalize_name(one.name) for one in wanted} & set(installed))

    named = there(lines)
    edges = reached(named, lambda name: there(installed[name].requires or []))
    listed = subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", "environment", str(python), "--spec-version", "1.6"],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    parts = {canonicalize_name(part["name"]): part for part in json.loads(listed.stdout)["components"]}
    for name, part in parts.items():
        part["bom-ref"] = f"pkg:pypi/{name}"
    return [part for name, part in sorted(parts.items()) if name in edges], edges, named


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def debian_parts(packages: Iterable[str]) -> tuple[list[Component], dict[str, list[str]], list[str]]:
    """Packages of the distribution, the edges between them, and those that the appliance names itself."""
    fields = "${Package}\t${Version}\t${Architecture}\t${Pre-Depends}, ${Depends}\t${Provides}\t${Status}\n"
    listed = subprocess.run(
        ["dpkg-query", "-W", f"-f={fields}"], capture_output=True, text=True, check=True, timeout=60
    )
    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    installed = {row[0]: row for row in rows if "ok installed" in row[5]}
    provided = {name: row[0] for row in installed.values() for name in _names(row[4])}

    def needs(name: str) -> Iterable[str]:
        for group in installed[name][3].split(","):
            choices = [provided.get(one, one) for one in _names(group.replace("|", ","))]
            yield from [one for one in choices if one in installed][:1]

    named = sorted(set(packages) & set(installed))
    edges = reached(named, needs)
    parts = [_debian_part(*installed[name][:3]) for name in sorted(edges)]
    return parts, edges, named


def _names(field: str) -> list[str]:
    return [name for part in field.split(",") if (name := re.split(r"[\s(:]", part.strip())[0])]


def _debian_part(name: str, version: str, architecture: str) -> Component:
    release = dict(
        re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text("utf-8"), re.MULTILINE)
    )
    purl = (
        f"pkg:deb/{release['ID']}/{name}@{version}?arch={architecture}&distro={release['VERSION_CODENAME']}"
    )
    return _part(f"pkg:deb/{name}", name, version, purl=purl.replace("+", "%2B"))


def page_parts() -> list[Component]:
    """What is bundled into the department page."""
    lock = json.loads((HERE / "firmware_app/department/package-lock.json").read_text("utf-8"))
    parts = []
    for path, entry in sorted(lock["packages"].items()):
        if path and not entry.get("dev"):
            name = path.rpartition("node_modules/")[2]
            purl = f"pkg:npm/{name.replace('@', '%40')}@{entry['version']}"
            parts.append(_part(f"{purl}#{path}", name, entry["version"], purl=purl))
    return parts


def model_part() -> Component:
    """The networks that ship with the appliance."""
    manifest = json.loads((HERE / "firmware_app/bundles/demo/bundle.json").read_text("utf-8"))
    part = _part(
        "bundle:demo", manifest["bundle_id"], manifest["created"][:10], kind="machine-learning-model"
    )
    graph = {"alg": "SHA-256", "content": manifest["graph"]["sha256"]}
    return {**part, "hashes": [graph], "description": manifest["notice"]}


def _part(ref: str, name: str, version: str, kind: str = "library", purl: str | None = None) -> Component:
    part = {"type": kind, "bom-ref": ref, "name": name, "version": version}
    return part if purl is None else {**part, "purl": purl}


def bill(python: Path, packages: Iterable[str]) -> Component:
    """The whole bill of materials."""
    pypi, pypi_edges, pypi_named = python_parts(python)
    debian, debian_edges, debian_named = debian_parts(packages)
    page, model = page_parts(), model_part()
    text = (HERE / "firmware_app" / "__init__.py").read_text("utf-8")
    [version] = re.findall(r'^__version__ = "(.*)"$', text, re.MULTILINE)
    root = _part("fibrostage", "fibrostage", version, kind="application")
    named = [f"pkg:pypi/{name}" for name in pypi_named] + [f"pkg:deb/{name}" for name in debian_named]
    named += [part["bom-ref"] for part in (*page, model)]
    edges = [_edge("fibrostage", named), *_edges("pkg:pypi/", pypi_edges), *_edges("pkg:deb/", debian_edges)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {"component": {**root, "description": NOTICE}},
        "components": [*pypi, *debian, *page, model],
        "dependencies": edges,
    }


def _edge(ref: str, needed: Iterable[str]) -> Component:
    return {"ref": ref, "dependsOn": sorted(needed)}


def _edges(prefix: str, edges: Mapping[str, list[str]]) -> list[Component]:
    return [_edge(prefix + name, (prefix + one for one in needed)) for name, needed in sorted(edges.items())]


def main() -> None:
    """Write the bill, validated."""
    parser = argparse.ArgumentParser(description="Write the bill of materials.", epilog=NOTICE)
    parser.add_argument("--python", type=Path, required=True, help="of the environment that is listed")
    parser.add_argument("--packages", required=True, help="of the distribution, separated by blanks")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    text = json.dumps(bill(given.python, given.packages.split()), indent=1)
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        sys.exit(f"error: the bill of materials is not valid CycloneDX: {fault}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(text + "\n", encoding="utf-8")
    print(f"{given.out}: {text.count('bom-ref') - 1} components, valid CycloneDX 1.6")


if __name__ == "__main__":
    main()
