"""`fibrostage replay --evidence` and `fibrostage evidence list`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
from pydantic import JsonValue

from calibration import json_input
from firmware_app.config import Config
from firmware_app.errors import BundleError, EvidenceError, NotReproducedError
from firmware_app.inference.bundle import FILE_NAME, MANIFEST_NAME
from firmware_app.inference.signature import TrustedKey
from firmware_app.model import DEMONSTRATION_BUNDLE, Model, load_model
from firmware_app.records.archive import SUFFIX
from firmware_app.records.folder import sealed_in
from firmware_app.records.opening import Evidence, read_evidence
from firmware_app.records.reproduction import Reproduction, Verdict, reproduce
from firmware_app.wording import NOTICE


def replay_evidence(
    path: Path, bundle: Path | None, config: Config, keys: tuple[TrustedKey, ...], *, as_lines: bool
) -> None:
    """Score the crops of results again, and print for each whether it comes out the same.

    Args:
        path: a file of evidence, or a folder of them.
        bundle: to score with; None: the one that each result names, from the store or the demonstration's.
        config: where bundles lie, and how to run them.
        keys: who is trusted.
        as_lines: JSON, one object a line.

    Raises:
        EvidenceError: some evidence is missing or damaged; the rest was replayed.
        BundleError: a result's bundle is not on this machine.
        NotReproducedError: a result comes out another way.
    """
    damaged: list[str] = []
    different: list[str] = []
    with closing(_Models(bundle, config, keys)) as models:
        for file in _files(path):
            try:
                evidence = read_evidence(file)
            except EvidenceError as error:
                damaged.append(str(error))
                click.echo(_line(file, damaged=str(error)) if as_lines else f"{file.name}: damaged")
                continue
            found = reproduce(evidence, models.of(evidence))
            if found.verdict is Verdict.DIFFERENT:
                different.append(f"{file}: {found.faults[0]}")
            click.echo(_line(file, evidence, found) if as_lines else _sentence(file, evidence, found))
    if not as_lines:
        click.echo(NOTICE)
    if damaged:
        raise EvidenceError(f"{damaged[0]}{_more(damaged)}")
    if different:
        raise NotReproducedError(f"not reproduced: {different[0]}{_more(different)}")


@click.group("evidence")
def evidence_group() -> None:
    """See what is kept of each result."""


@evidence_group.command("list")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_lines", is_flag=True, help="Print one JSON object per line.")
def list_command(folder: Path, *, as_lines: bool) -> None:
    """List the evidence in a FOLDER, oldest first, each file checked; exit code 2 if one is damaged."""
    damaged: list[str] = []
    for file in _files(folder):
        try:
            row = _row(file, read_evidence(file))
        except EvidenceError as error:
            damaged.append(str(error))
            row = {"file": file.name, "damaged": str(error)}
        told = json.dumps({**row, "notice": NOTICE}) if as_lines else "  ".join(map(str, row.values()))
        click.echo(told)
    if not as_lines:
        click.echo(NOTICE)
    if damaged:
        raise EvidenceError(f"{damaged[0]}{_more(damaged)}")


class _Models:
    """The models that results were scored with, one open at a time."""

    def __init__(self, named: Path | None, config: Config, keys: tuple[TrustedKey, ...]) -> None:
        self._named, self._config, self._keys = named, config, keys
        self._open: Model | None = None

    def close(self) -> None:
        """Release the engine; harmless when repeated."""
        if self._open is not None:
            self._open.engine.close()

    def of(self, evidence: Evidence) -> Model | None:
        """The model of a result; None: it had none.

        Raises:
            BundleError: it is not on this machine.
        """
        wanted = evidence.manifest.bundle_id
        if wanted is None:
            return None
        if self._open is not None and (
            self._named is not None or self._open.bundle.manifest.bundle_id == wanted
        ):
            return self._open
        folder = self._named or self._found(wanted)
        self.close()
        self._open = load_model(folder, self._config.inference, self._keys)
        return self._open

    def _found(self, wanted: str) -> Path:
        candidates = [self._config.bundle, DEMONSTRATION_BUNDLE]
        if re.fullmatch(FILE_NAME, wanted):
            candidates.insert(0, self._config.bundle_store / wanted)
        for folder in candidates:
            if folder is not None and _id_in(folder) == wanted:
                return folder
        raise BundleError(
            f"bundle {wanted}, which scored this result, is not here: name its folder with --bundle"
        )


def _id_in(folder: Path) -> str | None:
    """The id that a bundle claims; whether it is sound is found out when it is loaded."""
    try:
        fields = json_input.parse((folder / MANIFEST_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    return str(fields.get("bundle_id")) if isinstance(fields, dict) else None


def _files(path: Path) -> Iterator[Path]:
    """The files of evidence that a path stands for.

    Raises:
        EvidenceError: there is none.
    """
    if not path.is_dir():
        yield path
        return
    try:
        found = sealed_in(path) or sorted(path.glob(f"[!.]*{SUFFIX}"))
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}") from error
    if not found:
        raise EvidenceError(
            f"no evidence in {path}: name a file of evidence, or the folder `records.evidence`"
        )
    yield from found


def _sentence(file: Path, evidence: Evidence, found: Reproduction) -> str:
    head = f"{file.name}: {evidence.result.stage_text}"
    conditions = f" ({'; '.join(found.conditions)})" if found.conditions else ""
    match found.verdict:
        case Verdict.IDENTICAL:
            return f"{head}, reproduced bit for bit{conditions}"
        case Verdict.EQUAL_WITHIN:
            return f"{head}, equal within {found.largest:.1e} of {found.tolerance:g} allowed{conditions}"
        case Verdict.DIFFERENT:
            return f"{head}, not reproduced: {'; '.join(found.faults)}{conditions}"


def _line(
    file: Path,
    evidence: Evidence | None = None,
    found: Reproduction | None = None,
    damaged: str | None = None,
) -> str:
    told: dict[str, JsonValue] = {"type": "reproduction", "file": file.name, "damaged": damaged}
    if evidence is not None and found is not None:
        told |= {
            "result_id": str(evidence.result.id),
            "verdict": found.verdict.value,
            "conditions": list(found.conditions),
            "faults": list(found.faults),
            "largest_difference": found.largest,
            "tolerance": found.tolerance,
            "result": None if found.payload is None else json.loads(found.payload),
        }
    return json.dumps({**told, "notice": NOTICE})


def _row(file: Path, evidence: Evidence) -> dict[str, JsonValue]:
    return {
        "file": file.name,
        "time": evidence.result.time.isoformat(timespec="seconds"),
        "stage": evidence.result.stage_text,
        "acquisitions": evidence.result.n_acquisitions,
        "bundle_id": evidence.result.bundle_id or "no bundle",
        "bytes": file.stat().st_size,
    }


def _more(sentences: list[str]) -> str:
    return f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
