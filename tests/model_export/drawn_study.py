"""A study folder of random scores, as `fibrostage-export report` leaves it, in milliseconds."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from model_export.cohort import ACQUISITIONS, Cohort, Split

COUNTS: dict[Split, tuple[int, ...]] = {"train": (9, 6, 6, 6, 13), "test": (5, 4, 4, 4, 7)}
"""Patients of S0 to S4."""
NOISE = {"GM non-TL": 1.3, "EM non-TL": 1.3, "GM": 1.0, "EM": 0.9, "GM+EM": 0.7, "GM+LSM": 0.8}
THRESHOLDS = (">=S2", ">=S3", "S4")
FLOW = {
    "given": 71,
    "steps": [
        {"left_out": "younger than 18 years", "checked": True, "excluded": 3, "unknown": 1},
        {"left_out": "congestive heart disease", "checked": False, "excluded": 0, "unknown": 0},
        {"left_out": "fewer than 5 usable pictures", "checked": True, "excluded": 4, "unknown": 0},
    ],
    "pictures_seen": 350,
    "pictures_usable": 320,
    "pictures_refused": {"no_q_box": 30},
    "included": {"train": 40, "test": 24},
}  # fmt: skip


def stages(split: Split) -> list[int]:
    """Stages of the patients of a split in their order."""
    return [int(stage) for stage in np.repeat(np.arange(5), COUNTS[split])]


def write_study(folder: Path, seed: int = 1, without: tuple[str, ...] = (), *, virtual: bool = True) -> Path:
    """Write the folder.

    Args:
        folder: becomes the study folder.
        seed: of everything.
        without: methods to leave out.
        virtual: what `study.json` says of the patients.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for split in COUNTS:
        rng = np.random.default_rng([seed, len(split)])
        patients: list[dict[str, object]] = []
        images: list[dict[str, object]] = []
        for number, stage in enumerate(stages(split)):
            patient, rows = _patient(rng, f"{split}-{number:03d}", stage)
            patients.append(patient)
            images += [{key: row[key] for key in row if key.partition("@")[0] not in without} for row in rows]
        _write(folder / f"{split}_patients.csv", patients)
        _write(folder / f"{split}_scores.csv", images)
    record = {
        "command": "fibrostage-export report --seed 1",
        "virtual": virtual,
        "seed": seed,
        "options": {"epochs": 2, "lists": [1, 2]},
        "machine": {"processor": "a processor", "cores": 2},
        "seconds": {"train": 12.5},
        "left_out": dict.fromkeys(without, "it was left out"),
    }
    for name, content in (("flow", FLOW), ("curves", _curves(rng)), ("splits", {}), ("study", record)):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def pictures(seed: int = 1) -> Cohort:
    """Random pictures of the test patients."""
    rng = np.random.default_rng(seed)
    stage = np.array(stages("test"))
    shape = (stage.size, ACQUISITIONS, 299, 299, 3)
    noise = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    one = np.asarray(cv2.resize(noise, (shape[3], shape[2]), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    return Cohort(
        stage=stage,
        lsm_kpa=rng.uniform(4.0, 20.0, shape[:2]),
        gray=np.broadcast_to(one, shape),
        elastogram=np.broadcast_to(one[::-1], shape),
        latents=np.zeros((stage.size, 2)),
    )


def _patient(
    rng: np.random.Generator, name: str, stage: int
) -> tuple[dict[str, object], list[dict[str, object]]]:
    """A patient's row and the rows of his images."""
    latent = stage + rng.normal() * 0.6
    age, ast, alt, platelets = (
        rng.uniform(20, 80),
        rng.uniform(15, 60),
        rng.uniform(10, 60),
        rng.uniform(80, 300),
    )
    known = {
        "id": name,
        "stage": stage,
        "sex": str(rng.choice(["female", "male"])),
        "age": "" if name.endswith("003") else round(float(age), 1),
        "ast_u_l": round(float(ast), 1),
        "ast_uln_u_l": 40,
        "alt_u_l": round(float(alt), 1),
        "platelets_10e9_l": round(float(platelets)),
    }
    own = {method: latent + rng.normal() * noise for method, noise in NOISE.items()}
    rows = []
    for _ in range(ACQUISITIONS):
        row: dict[str, object] = {"patient": name, "stage": stage}
        row["LSM"] = float(np.exp(1.6 + 0.25 * latent + 0.1 * rng.normal()))
        row["APRI"] = float(ast / 40 / platelets * 100)
        row["FIB-4"] = float(age * ast / (platelets * np.sqrt(alt)))
        for method, value in own.items():
            score = value if method == "GM+LSM" else value + 0.3 * rng.normal()
            row |= {f"{method}@{threshold}": score - k - 1.5 for k, threshold in enumerate(THRESHOLDS)}
        rows.append(row)
    return known, rows


def _curves(rng: np.random.Generator) -> dict[str, dict[str, dict[str, list[dict[str, float | None]]]]]:
    def losses(epochs: int) -> list[dict[str, float | None]]:
        trained = [None, *map(float, rng.uniform(size=epochs))]
        return [
            {"epoch": epoch, "train_loss": loss, "validation_loss": 1.0 / (epoch + 1)}
            for epoch, loss in enumerate(trained)
        ]

    return {
        kind: {"GM": {"head": losses(4), "top": losses(2)}, "EM": {"head": losses(4), "top": losses(2)},
               "GM+EM": {"head": losses(4)}}
        for kind in ("TL", "non-TL")
    }  # fmt: skip


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    header: Mapping[str, object] = rows[0]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(header))
        writer.writeheader()
        writer.writerows(rows)
