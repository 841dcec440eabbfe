"""The bill of materials is valid and complete; the check of vulnerabilities claims no more than it knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from firmware_app import __version__

REPOSITORY = Path(__file__).parents[2]
TOOLS = REPOSITORY / "build" / "supply" / "bin" / "python"
SUPPLY = REPOSITORY / "systemd" / "supply"
pytestmark = [
    pytest.mark.skipif(not TOOLS.exists(), reason="make setup-test makes build/supply"),
    pytest.mark.timeout(300),
]


NOWHERE = "http://127.0.0.1:1"
OFFLINE = {
    "HTTPS_PROXY": NOWHERE, "https_proxy": NOWHERE, "HTTP_PROXY": NOWHERE, "http_proxy": NOWHERE,
    "NO_PROXY": "", "no_proxy": "", "NPM_CONFIG_REGISTRY": NOWHERE, "NPM_CONFIG_FETCH_RETRIES": "0",
}  # fmt: skip
"""No advisory service can be reached."""


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a program of the tools' environment, without a network."""
    command = [str(TOOLS), *(str(word) for word in words)]
    environment = {**os.environ, **OFFLINE}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, env=environment)


@pytest.fixture(scope="module")
def bill_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bill of this machine."""
    out = tmp_path_factory.mktemp("supply") / "sbom.json"
    packages = subprocess.run(
        ["make", "-s", "list-packages"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    told = run(SUPPLY / "sbom.py", "--python", sys.executable, "--packages", packages.stdout, "--out", out)
    assert told.returncode == 0, told.stderr
    assert "valid CycloneDX 1.6" in told.stdout
    return out


@pytest.fixture(scope="module")
def bill(bill_path: Path) -> dict[str, Any]:
    """Its content."""
    content: dict[str, Any] = json.loads(bill_path.read_text("utf-8"))
    return content


def test_bill_is_valid(bill_path: Path) -> None:
    """The library's own validator finds no fault in the file as it was written, and does in a broken one."""
    check = (
        "import sys; from cyclonedx.schema import SchemaVersion; "
        "from cyclonedx.validation.json import JsonStrictValidator; "
        "sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()) is not None)"
    )
    assert run("-c", check, bill_path).returncode == 0
    broken = bill_path.with_name("broken.json")
    broken.write_text(bill_path.read_text("utf-8").replace('"type": "library"', '"type": "libary"', 1))
    assert run("-c", check, broken).returncode == 1


def test_bill_lists_what_runs_and_nothing_else(bill: dict[str, Any]) -> None:
    """Python, the distribution, the page and the networks are there; the training and the tests are not."""
    purls = {part["name"]: part.get("purl", "") for part in bill["components"]}
    for name in ("openvino", "numpy", "paho-mqtt", "tomlkit", "pydantic_core"):
        assert purls[name].startswith("pkg:pypi/"), name
    for name in ("gstreamer1.0-plugins-base", "libgstreamer1.0-0", "python3-gi", "libssl3"):
        assert purls[name].startswith("pkg:deb/"), name
    assert purls["mqtt"].startswith("pkg:npm/mqtt@")
    assert not {"torch", "pytest", "hypothesis", "axe-core", "cyclonedx-bom"} & purls.keys()
    manifest = json.loads((REPOSITORY / "firmware_app/bundles/demo/bundle.json").read_text("utf-8"))
    networks = next(part for part in bill["components"] if part["type"] == "machine-learning-model")
    assert networks["hashes"] == [{"alg": "SHA-256", "content": manifest["graph"]["sha256"]}]
    assert all(part["version"] for part in bill["components"])
    assert bill["metadata"]["component"]["version"] == __version__


def test_every_edge_leads_to_a_component(bill: dict[str, Any]) -> None:
    """The graph of dependencies is closed, and reaches every component from the appliance."""
    refs = {part["bom-ref"] for part in bill["components"]}
    edges = {edge["ref"]: edge["dependsOn"] for edge in bill["dependencies"]}
    assert {ref for needed in edges.values() for ref in needed} <= refs
    reached, waiting = set(), ["fibrostage"]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += edges.get(ref, [])
    assert reached - {"fibrostage"} == refs


def test_nothing_is_called_clean_that_was_not_checked(bill_path: Path) -> None:
    """Without an advisory service the packages are named as not checked, and the exit code is not 0."""
    told = run(SUPPLY / "audit.py", bill_path)
    assert told.returncode in {1, 3}, told.stderr
    assert "Python packages: " in told.stdout
    assert told.stdout.count("NOT CHECKED") >= 2
    assert "Traceback" not in told.stderr


ADVISORIES: dict[str, dict[str, Any]] = {
    "in-range": {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}]},
    "last-affected": {
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1"}, {"last_affected": "99"}]}]
    },
    "again": {
        "ranges": [
            {
                "type": "ECOSYSTEM",
                "events": [{"introduced": "0"}, {"fixed": "0.1"}, {"introduced": "0.2"}, {"fixed": "99"}],
            }
        ]
    },
    "mended": {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0.1"}]}]},
    "later": {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "99"}]}]},
    "other-ecosystem": {"package": {"name": "paho-mqtt", "ecosystem": "npm"}, "versions": ["2.1.0"]},
    "withdrawn": {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]},
    "git": {"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]},
}


def test_offline_copy_tells_what_is_known(bill_path: Path, bill: dict[str, Any], tmp_path: Path) -> None:
    """Against a copy of the OSV data base: each kind of range, and only what concerns these versions."""
    version = next(part["version"] for part in bill["components"] if part["name"] == "paho-mqtt")
    copy = tmp_path / "all.zip"
    with zipfile.ZipFile(copy, "w") as archive:
        for name, affected in {**ADVISORIES, "listed": {"versions": [version]}}.items():
            entry = {"package": {"name": "Paho_MQTT", "ecosystem": "PyPI"}, **affected}
            advisory = {
                "id": name,
                "modified": "2026-11-20T10:00:00Z",
                "summary": "made up",
                "affected": [entry],
            }
            withdrawn = {"withdrawn": "2026-11-21T00:00:00Z"} if name == "withdrawn" else {}
            archive.writestr(f"{name}.json", json.dumps({**advisory, **withdrawn}))
    told = run(SUPPLY / "audit.py", bill_path, "--osv", copy)
    assert told.returncode == 1, told.stderr
    assert "OSV data base, all.zip, last changed 2026-11-20" in told.stdout
    known = [line.split(": ")[1] for line in told.stdout.splitlines() if "paho-mqtt" in line]
    assert known == ["again", "in-range", "last-affected", "listed"]


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_copy_that_is_none_is_refused(bill_path: Path, tmp_path: Path, content: bytes) -> None:
    """What is no copy of the data base is refused in one line."""
    copy = tmp_path / "all.zip"
    copy.write_bytes(content)
    told = run(SUPPLY / "audit.py", bill_path, "--osv", copy)
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1
