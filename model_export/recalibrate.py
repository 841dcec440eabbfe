"""A site refits calibration and operating points from its own labelled exams; the networks stay as they are.

The factor and the offsets of each method in the graph's end are replaced, the cut-offs and GM+LSM fitted
anew on the same exams, and everything is written as a new bundle that names what it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import DecodeError
from pydantic import JsonValue, TypeAdapter

from firmware_app.inference import THRESHOLDS, Bundle
from firmware_app.inference.bundle import FILE_LIMIT, Affine, LsmCutoffs, NetworkMethod
from firmware_app.inference.bundle import Calibration as StatedCalibration
from firmware_app.inference.bundle_files import read_small
from firmware_app.inference.familiarity import read_familiarity
from firmware_app.inference.golden import Golden, read_golden
from firmware_app.inference.openvino_engine import OpenVinoEngine
from model_export import operate
from model_export.bundle_writer import CARD_NAME, METRICS_NAME, BundleContent, write_bundle
from model_export.calibrate import Calibration, Fit, cross_validated, fit_calibration
from model_export.cohort import ACQUISITIONS
from model_export.errors import GateError, WrongInputError
from model_export.graph_tail import METHODS, apply_to_graph, read_tails
from model_export.patient_scores import PatientScores, Vector
from model_export.site_exams import SiteExams, read_exams

LARGEST_DIFFERENCE = 1e-3
"""Between the new graph's log-odds of the golden crops and what the fit says they are."""
SEED = 1
"""Of the folds in which the fit is judged."""
METHOD = "one factor and three ordered offsets, maximum likelihood, refitted at a site"
_OBJECT = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Refit:
    """What the exams say about a bundle.

    Attributes:
        exams: they, scored by the bundle as it is.
        fits: calibration of each method's log-odds.
        judged: Brier score and calibration error before ("none") and after ("temperature"), by method, each
            exam judged by a fit that has not seen it.
    """

    exams: SiteExams
    fits: dict[NetworkMethod, Calibration]
    judged: dict[NetworkMethod, dict[str, Fit]]

    def before(self) -> dict[NetworkMethod, Vector]:
        """Log-odds of the exams by the bundle as it is."""
        scores = self.exams.scores
        return dict(zip(METHODS, (scores.gm, scores.em, scores.gm_em), strict=True))

    def after(self) -> PatientScores:
        """The exams as the new bundle scores them."""
        gm, em, gm_em = (self.fits[method].apply(logits) for method, logits in self.before().items())
        return replace(self.exams.scores, gm=gm, em=em, gm_em=gm_em)


def refit(bundle: Bundle, table: Path, results: Sequence[Path]) -> Refit:
    """Fit calibrations to a site's exams.

    Raises:
        WrongInputError: the bundle's graph or the exams cannot be used, or there are too few.
        GateError: the probabilities would fit these exams worse than before.
    """
    try:
        tails = read_tails(onnx.load(str(bundle.graph_path)))
    except DecodeError as error:
        raise WrongInputError(f"{bundle.graph_path} is no ONNX graph; export the bundle anew") from error
    exams = read_exams(table, results, bundle.manifest.bundle_id, [tails[method] for method in METHODS])
    scores = exams.scores
    by_method = dict(zip(METHODS, (scores.gm, scores.em, scores.gm_em), strict=True))
    fits = {method: fit_calibration(logits, scores.stage) for method, logits in by_method.items()}
    judged = {
        method: {
            name: fit
            for name, fit in cross_validated(logits, scores.stage, SEED).items()
            if name in {"none", "temperature"}
        }
        for method, logits in by_method.items()
    }
    fused = judged["GM+EM"]
    if not fused["temperature"].brier < fused["none"].brier:
        raise GateError(
            f"the Brier score of GM+EM would not fall ({fused['none'].brier:.4f} to "
            f"{fused['temperature'].brier:.4f}, exams left out of the fit): this bundle fits the site "
            "as it is; no bundle is written"
        )
    return Refit(exams, fits, judged)


def write_refitted(  # noqa: PLR0913, PLR0917 - what, from what, where, when, for whom and by whom
    bundle: Bundle,
    fitted: Refit,
    out: Path,
    created: datetime,
    site: str,
    key: Ed25519PrivateKey | None,
) -> Bundle:
    """Write the bundle with the new calibration.

    Raises:
        GateError: the new graph does not say what the fit says; no bundle is written.
        WrongInputError: `out` is something else than a bundle.
    """
    manifest, exams = bundle.manifest, len(fitted.exams.scores.stage)
    metrics = _OBJECT.validate_json(read_small(bundle.folder, METRICS_NAME, FILE_LIMIT))
    after = fitted.after()
    fitted_on = f"{exams} labelled exams of {site}"
    cutoffs = operate.lsm_cutoffs(after).model_copy(update={"source": f"Youden, {fitted_on}"})
    with TemporaryDirectory() as folder:
        graph = Path(folder) / "graph.onnx"
        model = onnx.load(str(bundle.graph_path))
        apply_to_graph(model, fitted.fits)
        onnx.save(model, str(graph))
        golden = _gate(read_golden(bundle), bundle, graph, fitted)
        content = BundleContent(
            name=manifest.bundle_id.rpartition("-")[0],
            graph=graph,
            precision=manifest.graph.precision,
            calibration=_stated(model, fitted_on, exams),
            operating_points=operate.operating_points(after, _image_sd(metrics, fitted), ACQUISITIONS),
            gm_lsm=operate.fit_gm_lsm(after, cutoffs),
            lsm_cutoffs=cutoffs,
            training={**manifest.training, "refitted_from": manifest.bundle_id, "refitted_exams": exams},
            golden=golden,
            metrics={**metrics, "refit": _judgement(fitted)},
            card=read_small(bundle.folder, CARD_NAME, FILE_LIMIT).decode()
            + _chapter(fitted, cutoffs, fitted_on),
            familiarity=read_familiarity(bundle),
        )
        return write_bundle(out, content, created, key)


def table_of(fitted: Refit) -> list[str]:
    """Before and after, for people."""
    lines = [f"{'':8s}{'Brier':>16s}{'calibration error':>24s}"]
    for method, fits in fitted.judged.items():
        before, after = fits["none"], fits["temperature"]
        lines.append(
            f"{method:8s}{before.brier:8.4f} -> {after.brier:.4f}{before.ece:14.4f} -> {after.ece:.4f}"
        )
    return lines


def _gate(golden: Golden, bundle: Bundle, graph: Path, fitted: Refit) -> Golden:
    """The golden answers of the new graph, once they are what the fit makes of the old ones."""
    old = OpenVinoEngine(bundle.graph_path, bundle.manifest.graph.precision)
    new = OpenVinoEngine(graph, bundle.manifest.graph.precision)
    before, after = (
        np.array([(one.gm, one.em, one.gm_em) for one in map(engine.score, golden.crops())])
        for engine in (old, new)
    )
    old.close()
    new.close()
    difference = float(np.abs(_refitted(before, fitted) - after).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise GateError(
            f"the new graph's log-odds of the golden crops are off by {difference:.2g}, allowed "
            f"{LARGEST_DIFFERENCE:g}; no bundle is written"
        )
    return replace(
        golden,
        logits_engine=after.astype(np.float32),
        logits_torch=_refitted(golden.logits_torch.astype(np.float64), fitted).astype(np.float32),
    )


def _refitted(logits: Vector, fitted: Refit) -> Vector:
    """Log-odds (n, method, threshold) as the fit changes them."""
    return np.stack([fitted.fits[method].apply(logits[:, k]) for k, method in enumerate(METHODS)], axis=1)


def _image_sd(metrics: dict[str, JsonValue], fitted: Refit) -> float:
    """Spread of the images within patients in the new log-odds: the old one times the factor."""
    old = metrics.get("image_sd_log_odds")
    if not isinstance(old, (int, float)):
        raise GateError(f"{METRICS_NAME} lacks image_sd_log_odds; export the bundle anew")
    return float(old) * fitted.fits["GM+EM"].factor


def _stated(model: onnx.ModelProto, fitted_on: str, exams: int) -> StatedCalibration:
    return StatedCalibration(
        method=METHOD,
        fitted_on=fitted_on,
        patients=exams,
        parameters={
            method: {
                key: Affine(scale=tail.factor, offset=-offset)
                for key, offset in zip(THRESHOLDS, tail.offsets, strict=True)
            }
            for method, tail in read_tails(model).items()
        },
    )


def _judgement(fitted: Refit) -> JsonValue:
    stages = np.bincount(fitted.exams.scores.stage, minlength=5)
    return {
        "exams": len(fitted.exams.scores.stage),
        "exams_without_result": fitted.exams.without_result,
        "stages": [int(count) for count in stages],
        "left_out_of_the_fit": {
            method: {name: {**asdict(fit)} for name, fit in fits.items()}
            for method, fits in fitted.judged.items()
        },
    }


def _chapter(fitted: Refit, cutoffs: LsmCutoffs, fitted_on: str) -> str:
    """What the model card gains."""
    lines = "\n".join(f"    {line}" for line in table_of(fitted))
    stages = ", ".join(str(count) for count in np.bincount(fitted.exams.scores.stage, minlength=5))
    return f"""
## Refit

Calibration, operating points, stiffness cut-offs and GM+LSM were refitted on {fitted_on},
{stages} of S0 to S4. They replace those above. The networks did not change, so GM, EM and GM+EM rank
patients as before. Judged on exams left out of the fit:

{lines}

Stiffness cut-offs in kPa: >=S2 {cutoffs.ge_s2:.2f}, >=S3 {cutoffs.ge_s3:.2f}, S4 {cutoffs.s4:.2f}.
"""
