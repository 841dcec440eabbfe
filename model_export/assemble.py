"""From a graph to a bundle: cut-offs from training patients, the gate on test patients, then the folder."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import numpy as np
import onnx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import JsonValue

from firmware_app.inference import THRESHOLDS, Bundle
from firmware_app.inference.bundle import Affine, Calibration, LsmConfidence, Threshold
from firmware_app.inference.golden import Golden
from firmware_app.inference.openvino_engine import OpenVinoEngine
from model_export import agree, graphs, operate, work
from model_export.agree import GraphPrecision, ImageLogits
from model_export.bundle_writer import BundleContent, write_bundle
from model_export.calibrate import cross_validated
from model_export.card import CardFacts, model_card
from model_export.cohort import ACQUISITIONS, OWN_COHORT
from model_export.familiarity import QUANTILE, count_strange, fit_familiarity
from model_export.graph_tail import METHODS, read_tails
from model_export.graphs import Exported
from model_export.int8 import Int8Choices
from model_export.patient_scores import PatientScores, auc_by_threshold

CALIBRATION_METHOD = "one factor and three ordered offsets (temperature and bias), maximum likelihood"


def export_bundle(  # noqa: PLR0913, PLR0917 - what, how, where, when and by whom; each of its own kind
    exported: Exported,
    precision: GraphPrecision,
    choices: Int8Choices,
    out: Path,
    created: datetime,
    key: Ed25519PrivateKey | None = None,
) -> Bundle:
    """Make the graph of a precision, compare it, and write its bundle.

    Args:
        exported: the float32 graph, which has passed its own gate.
        precision: of the bundle's graph.
        choices: how INT8 is made.
        out: becomes the bundle.
        created: time of creation, with its zone.
        key: signs; None: a key for this bundle alone.

    Raises:
        GateError: the graph does not say what float32 says; nothing is written.
        WrongInputError: `out` is something else than a bundle.
    """
    run = exported.run
    graph = graphs.make_graph(exported, precision, choices)
    # float16 rounds so little that its cut-offs are float32's; INT8 gets its own.
    own = graph if precision == "int8" else exported.exact
    by_graph = graphs.score_split(exported, own, "int8" if precision == "int8" else "fp32", "train")
    trained = agree.patient_scores(run.patients("train"), by_graph.logits)
    points = operate.operating_points(trained, run.image_sd, ACQUISITIONS)
    cutoffs = operate.lsm_cutoffs(trained)
    gm_lsm = operate.fit_gm_lsm(trained, cutoffs)
    test = run.patients("test")
    exact = agree.patient_scores(test, graphs.score_split(exported, exported.exact, "fp32", "test").logits)
    of_test = graphs.score_split(exported, graph, precision, "test")
    found = agree.patient_scores(test, of_test.logits)
    agreement = agree.compare(exact, found, points)
    agree.check_agreement(agreement, precision)
    held_out = run.held_out()
    counted = {name: int(count) for name, count in work.summary_of(run.work / run.cohort).items()}
    own_cohort = bool(counted.pop(OWN_COHORT, 0))
    familiarity = fit_familiarity(by_graph.gm_features, by_graph.em_features)
    facts = CardFacts(
        precision=precision,
        weights=run.weights,
        licence=run.licence,
        patients=(len(trained.stage), held_out.size, len(test.stage)),
        own_cohort=own_cohort,
        refused=counted,
        auc=aucs(found, gm_lsm),
        agreement=agreement,
        strange=count_strange(familiarity, of_test.gm_features, of_test.em_features),
        operating_points=points,
        lsm_cutoffs=cutoffs,
    )
    metrics = _metrics(facts, exported, aucs(exact, gm_lsm), by_graph.logits[held_out])
    content = BundleContent(
        name=run.name,
        graph=graph,
        precision=precision,
        calibration=_calibration(graph, held_out.size),
        operating_points=points,
        gm_lsm=gm_lsm,
        lsm_cutoffs=cutoffs,
        training=run.training,
        golden=_golden(exported, graph, precision),
        metrics=metrics,
        card=model_card(facts),
        familiarity=familiarity,
    )
    return write_bundle(out, content, created, key)


def aucs(scores: PatientScores, gm_lsm: dict[Threshold, LsmConfidence]) -> dict[str, dict[Threshold, float]]:
    """AUC of every method at every threshold, patient level."""
    by_method = {
        "GM": scores.gm,
        "EM": scores.em,
        "GM+EM": scores.gm_em,
        "LSM": scores.lsm_kpa,
        "GM+LSM": operate.gm_lsm_logits(scores, gm_lsm),
    }
    return {method: auc_by_threshold(scores.stage, values) for method, values in by_method.items()}


def _calibration(graph: Path, patients: int) -> Calibration:
    """What the graph makes of its raw scores, for the manifest."""
    tails = read_tails(onnx.load(str(graph)))
    return Calibration(
        method=CALIBRATION_METHOD,
        fitted_on="training patients held out from the fit of the networks",
        patients=patients,
        parameters={
            method: {
                key: Affine(scale=tail.factor, offset=-offset)
                for key, offset in zip(THRESHOLDS, tail.offsets, strict=True)
            }
            for method, tail in tails.items()
        },
    )


def _golden(exported: Exported, graph: Path, precision: GraphPrecision) -> Golden:
    gray, elastogram = graphs.golden_of(exported.run.patients("test"))
    engine = OpenVinoEngine(graph, precision)
    answers = agree.score_engine(engine, gray, elastogram)
    engine.close()
    return Golden(
        gray=gray,
        elastogram=elastogram,
        logits_torch=exported.golden_torch.astype(np.float32),
        logits_engine=answers.astype(np.float32),
    )


def _metrics(
    facts: CardFacts,
    exported: Exported,
    auc_float32: dict[str, dict[Threshold, float]],
    held_out: ImageLogits,
) -> dict[str, JsonValue]:
    run = exported.run
    stage = run.patients("train").stage[run.held_out()]
    return {
        "cohort": "own" if facts.own_cohort else "virtual",
        "patients": {"train": facts.patients[0], "validation": facts.patients[1], "test": facts.patients[2]},
        "refused_while_drawing": {**facts.refused},
        "auc_test_patients": _plain(facts.auc),
        "auc_test_patients_float32": _plain(auc_float32),
        "agreement_with_float32": {**asdict(facts.agreement)},
        "agreement_limits": {**asdict(agree.LIMITS[facts.precision])},
        "largest_export_difference_log_odds": exported.export_difference,
        "image_sd_log_odds": run.image_sd,
        "out_of_range_check": {
            "quantile": QUANTILE,
            "test_pictures_refused": facts.strange[0],
            "test_pictures": facts.strange[1],
        },
        "calibration_of_held_out_patients": {
            method: {
                name: {**asdict(fit)}
                for name, fit in cross_validated(held_out[:, :, k].mean(axis=1), stage, run.seed).items()
            }
            for k, method in enumerate(METHODS)
        },
    }


def _plain(auc: dict[str, dict[Threshold, float]]) -> dict[str, JsonValue]:
    return {method: {str(key): value for key, value in by_key.items()} for method, by_key in auc.items()}
