"""A site's own exams change what probabilities mean, not how patients are ranked; and only if it helps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

_WHY = "refitting needs the extra `train`, which is not installed"
pytest.importorskip("onnx", reason=_WHY)
pytest.importorskip("sklearn", reason=_WHY)

from calibration.cli import main  # noqa: E402 - after the check that the extra is there
from firmware_app.inference import Bundle, load_bundle, open_engine  # noqa: E402
from firmware_app.inference.golden import self_test  # noqa: E402
from firmware_app.inference.signature import read_public_key  # noqa: E402
from model_export.patient_scores import sigmoid  # noqa: E402
from model_export.signing import new_key, trusted, write_key  # noqa: E402
from tests.firmware_app.exam_examples import acquired, after, appliance  # noqa: E402
from tests.model_export.tiny_bundle import TAIL, write_tiny_bundle  # noqa: E402

TRUE_FACTOR, TRUE_SHIFT = 0.5, 1.0
"""At this site log-odds are half of what the bundle says, and one higher."""


@dataclass(frozen=True, slots=True)
class Site:
    """A bundle, its exams, and what signs."""

    bundle: Bundle
    public: Path
    key: Path
    table: Path
    results: Path


def result_line(number: int, score: float, lsm_kpa: float, bundle_id: str) -> str:
    """A result payload as the appliance publishes it, with these answers."""
    from firmware_app.ward.publication import publication_of  # noqa: PLC0415 - only here
    from tests.firmware_app.exam_examples import moment  # noqa: PLC0415 - only here

    _, effects = after(*[acquired(n) for n in range(1, 6)])
    issued = next(effect for effect in effects if type(effect).__name__ == "ResultIssued")
    publication = publication_of(issued, moment(6), appliance(), time_trusted=True)
    assert publication is not None
    payload = json.loads(publication.payload)
    chances = dict(
        zip(("ge_s2", "ge_s3", "s4"), sigmoid(score - np.array(TAIL.offsets)).tolist(), strict=True)
    )
    payload |= {"bundle_id": bundle_id, "exam_id": str(UUID(int=number))}
    payload["methods"] |= dict.fromkeys(("GM", "EM", "GM+EM"), chances)
    payload["lsm"]["mean_kpa"] = lsm_kpa
    return json.dumps(payload)


def write_exams(
    folder: Path, bundle_id: str, exams: int, *, shift: float, factor: float
) -> tuple[Path, Path]:
    """Exams whose stages follow factor * log-odds + shift, and the table of their stages."""
    rng = np.random.default_rng(3)
    scores = rng.normal(0.0, 2.5, exams)
    chances = sigmoid(factor * (scores[:, np.newaxis] - np.array(TAIL.offsets)) + shift)
    passed = (rng.uniform(size=(exams, 1)) < chances).sum(axis=1)
    stages = np.where(passed == 0, 0, passed + 1)
    lsm = 8.0 * np.exp(0.1 * scores + 0.2 * rng.normal(size=exams))
    lines = [result_line(n, score, lsm[n], bundle_id) for n, score in enumerate(scores)]
    table, results = folder / "exams.csv", folder / "results.jsonl"
    rows = "".join(f"{UUID(int=n)},{stage}\n" for n, stage in enumerate(stages))
    table.write_text(f"exam_id,stage\n{rows}", encoding="utf-8")
    results.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table, results


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A signed bundle and 400 exams at a site where its probabilities are too extreme."""
    folder = tmp_path_factory.mktemp("site")
    key = new_key()
    public = write_key(key, folder / "site.pem")
    bundle = write_tiny_bundle(folder / "tiny", key)
    table, results = write_exams(folder, bundle.manifest.bundle_id, 400, shift=TRUE_SHIFT, factor=TRUE_FACTOR)
    return Site(bundle, public, folder / "site.pem", table, results)


def call(site: Site, out: Path, table: Path | None = None, results: Path | None = None) -> int:
    """Exit code of `fibrostage-calibrate probability`."""
    arguments = ["probability", table or site.table, "--results", results or site.results]
    options = ["--bundle", site.bundle.folder, "--out", out, "--key", site.key, "--trust", site.public]
    return main([str(one) for one in (*arguments, *options, "--json")])


def test_refit_finds_what_is_true_at_the_site(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The new bundle's graph gives the site's log-odds, passes its self-test, and names what it came from."""
    assert call(site, tmp_path / "new") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["exams"] == 400
    fused = answer["judged"]["GM+EM"]
    assert fused["temperature"]["brier"] < fused["none"]["brier"]
    assert fused["temperature"]["ece"] < fused["none"]["ece"]
    assert (tmp_path / "new_reliability.png").stat().st_size > 10_000
    bundle = load_bundle(tmp_path / "new", [read_public_key(site.public)])
    affine = bundle.manifest.calibration.parameters["GM+EM"]["ge_s3"]
    assert affine.scale == pytest.approx(TRUE_FACTOR, abs=0.12)
    assert affine.offset == pytest.approx(TRUE_SHIFT, abs=0.3)
    assert bundle.manifest.training["refitted_from"] == site.bundle.manifest.bundle_id
    assert bundle.manifest.calibration.fitted_on == "400 labelled exams of one site"
    engine = open_engine(bundle)
    assert self_test(bundle, engine) < 1e-4
    engine.close()
    card = (tmp_path / "new" / "model_card.md").read_text(encoding="utf-8")
    assert "## Refit" in card
    assert "Stiffness cut-offs" in card


def test_audit_lines_serve_as_well(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The audit log's lines hold the payloads as `content`; other lines of either kind are passed over."""
    lines = site.results.read_text(encoding="utf-8").splitlines()
    records = [
        json.dumps({"n": n, "kind": "result", "content": json.loads(line)}) for n, line in enumerate(lines)
    ]
    records += [json.dumps({"kind": "started", "content": None}), json.dumps({"type": "summary"}), ""]
    (tmp_path / "audit.jsonl").write_text("\n".join(records), encoding="utf-8")
    assert call(site, tmp_path / "new", results=tmp_path / "audit.jsonl") == 0
    assert json.loads(capsys.readouterr().out)["exams"] == 400


def test_bundle_that_fits_already_is_left_as_it_is(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the probabilities are right, a refit only adds noise: the gate writes no bundle."""
    bundle_id = site.bundle.manifest.bundle_id
    table, results = write_exams(tmp_path, bundle_id, 120, shift=0.0, factor=1.0)
    assert call(site, tmp_path / "new", table, results) == 1
    assert "no bundle is written" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("exam_id,stage\n", "0 labelled exams"),
        ("exam_id,stage\n00000000-0000-0000-0000-000000000000,5\n", "line 2: give an exam_id and a stage"),
        ("exam,grade\na,1\n", "line 2: give an exam_id and a stage"),
        ("exam_id,stage\na,1\na,2\n", "line 3: exam a stands twice"),
        ("first", "0 labelled exams"),
    ],
)
def test_wrong_tables_are_refused_in_one_line(
    site: Site, tmp_path: Path, content: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too few exams, a wrong stage, wrong columns and a doubled exam are each named, with exit code 2."""
    table = tmp_path / "exams.csv"
    table.write_text(content, encoding="utf-8")
    assert call(site, tmp_path / "new", table) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line


def test_one_sided_or_foreign_exams_are_refused(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exams of one stage only, results of another bundle, and rubbish instead of results are named."""
    rows = site.table.read_text(encoding="utf-8").splitlines()
    one_sided = tmp_path / "exams.csv"
    one_sided.write_text("\n".join([rows[0], *(f"{row[:-1]}4" for row in rows[1:])]), encoding="utf-8")
    assert call(site, tmp_path / "new", one_sided) == 2
    assert "0 exams on one side of ge_s2" in capsys.readouterr().err
    foreign = tmp_path / "results.jsonl"
    foreign.write_text(result_line(1, 0.0, 8.0, "other-123"), encoding="utf-8")
    assert call(site, tmp_path / "new", results=foreign) == 2
    assert "but of other-123" in capsys.readouterr().err
    foreign.write_text('{"type": "result"}', encoding="utf-8")
    assert call(site, tmp_path / "new", results=foreign) == 2
    assert "line 1 is not a message" in capsys.readouterr().err
    assert trusted(new_key()).fingerprint != read_public_key(site.public).fingerprint
