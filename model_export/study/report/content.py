"""`tables.json` of a study: that of `evaluate`, and what the study adds; and how all of it was made."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from firmware_app.inference.bundle import digest_of
from model_export.evaluate_json import Json, tables
from model_export.evaluate_results import Settings
from model_export.study.report.baseline import BaselineRow
from model_export.study.report.comparisons import Family
from model_export.study.report.gallery import Example, Gallery
from model_export.study.report.page import Results
from model_export.study.report.study_folder import FILES, StudyFolder

LIBRARIES = ("fibrostage", "numpy", "scipy", "scikit-learn", "statsmodels", "tableone", "matplotlib", "torch")
"""Libraries whose versions can change a figure of the report."""

Provenance = dict[str, str | int | float | None]


def provenance_of(study: StudyFolder, folder: Path, settings: Settings) -> Provenance:
    """Everything needed to make the same page again: of the study, then of this page."""
    found: Provenance = {}
    for key, value in study.record.items():
        if key not in {"left_out", "notice"}:
            found |= _flat(key, value)
    found |= {f"sha256 {name}": digest_of(folder / name) for name in FILES}
    found["report seed"] = settings.seed
    found["report replicates"] = settings.replicates
    found["report AUC interval"] = "logit" if settings.on_logit_scale else "delong"
    found["report python"] = platform.python_version()
    found |= {f"report {name}": version(name) for name in LIBRARIES}
    return found


def _flat(name: str, value: Json) -> Provenance:
    """Nested values under names joined by blanks."""
    if isinstance(value, dict):
        found: Provenance = {}
        for part, inner in value.items():
            found |= _flat(f"{name} {part}", inner)
        return found
    return {name: ", ".join(map(str, value)) if isinstance(value, list) else value}


def content_of(results: Results, gallery: Gallery) -> dict[str, Json]:
    """The content of `tables.json`."""
    return {
        **tables(results.test, results.training, dict(results.provenance)),
        "virtual": results.study.virtual,
        "table_1": [_baseline(row) for row in results.baseline],
        "paired_tests": [_family(family) for family in results.tested],
        "figure_5": {
            "right": [_example(one) for one in gallery.right],
            "wrong": [_example(one) for one in gallery.wrong],
        },
        "study": results.study.record,
    }


def _baseline(row: BaselineRow) -> dict[str, Json]:
    names = ("training", "test", "p", "smd", "htest", "missing")
    return {
        "label": row.label,
        "level": row.level,
        **dict(zip(names, row.ours, strict=True)),
        "paper": dict(zip(("training", "test", "p"), row.paper, strict=True)),
    }


def _family(family: Family) -> dict[str, Json]:
    return {
        "title": family.title,
        "tests": [
            {
                "threshold": test.threshold,
                "a": test.a,
                "b": test.b,
                "difference": test.difference,
                "difference_ci": None if test.interval is None else [*test.interval],
                "p": test.p,
                "p_holm": test.p_holm,
            }
            for test in family.tests
        ],
    }


def _example(example: Example) -> dict[str, Json]:
    return {
        "patient": example.name,
        "acquisition": example.acquisition,
        "stage": example.stage,
        "called": example.called,
        "lsm_kpa": example.lsm_kpa,
        "gm_score": float(example.maps.gm.mean()),
        "em_score": float(example.maps.em.mean()),
    }
