"""Virtual patients: one population that reproduces both cohorts of Xue et al., Eur Radiol 2020.

The numbers stand in CLINICAL section 5. Within a stage the two picture latents and ln LSM are jointly
normal. The stiffness network sees the colour, hence LSM, as well as the texture of the map; so that it
cannot beat the paper by construction, ln LSM follows the elastogram's latent closely (correlation 0.9:
given the latent, LSM then tells next to nothing more about the stage).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

STAGE_COUNTS = (99, 55, 68, 56, 188)
"""Patients with S0..S4 in the paper, both cohorts together; the prior of the stage."""
LN_LSM_MEAN = (1.687, 1.860, 2.068, 2.232, 2.649)
LN_LSM_SD = (0.340, 0.317, 0.288, 0.304, 0.359)
GM_LATENT_MEAN = (0.0, 0.59, 1.14, 1.55, 2.68)
EM_LATENT_MEAN = (0.0, 0.69, 1.33, 1.82, 3.10)
CORRELATION_GM_EM = 0.2
CORRELATION_EM_LSM = 0.9
AST_MEDIAN_U_L = (22.7, 22.9, 24.2, 28.9, 28.3)
ALT_MEDIAN_U_L = (18.6, 22.9, 27.1, 28.2, 27.9)
PLATELETS_MEDIAN_10E9_L = (237.0, 206.0, 173.0, 134.0, 136.0)
LN_SERUM_SD = (0.399, 0.572, 0.390)
"""Standard deviation of ln AST, ln ALT, ln platelets within a stage."""
AST_ULN_U_L = 40.0
LSM_RANGE_KPA = (1.5, 38.0)
"""Liver stiffness is kept where a bar of 0-40 kPa can show it: 0.3 % of S4 patients are clipped."""
FAILED_SHARE = 0.023
UNRELIABLE_SHARE = 0.075


class Quality(str, Enum):
    """How well shear waves can be measured in a patient."""

    GOOD = "good"
    UNRELIABLE = "unreliable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Patient:
    """A virtual patient.

    Attributes:
        stage: Scheuer stage 0-4.
        gm_latent: what the gray-scale picture carries, in within-stage standard deviations.
        em_latent: what the elastogram carries, in the same unit.
        lsm_kpa: liver stiffness, mean of five measurements, kPa.
        lsm_variation: coefficient of variation between single measurements, 0-1.
        age: years.
        ast_u_l, alt_u_l: aminotransferases, U/L.
        platelets_10e9_l: platelet count, 10^9/L.
        ast_uln_u_l: the laboratory's upper limit of normal of AST, U/L.
        quality: whether 2D-SWE succeeds.
    """

    stage: int
    gm_latent: float
    em_latent: float
    lsm_kpa: float
    lsm_variation: float
    age: float
    ast_u_l: float
    alt_u_l: float
    platelets_10e9_l: float
    ast_uln_u_l: float
    quality: Quality


def _draw_quality(rng: np.random.Generator) -> Quality:
    u = rng.random()
    if u < FAILED_SHARE:
        return Quality.FAILED
    return Quality.UNRELIABLE if u < FAILED_SHARE + UNRELIABLE_SHARE else Quality.GOOD


def _draw_latents(rng: np.random.Generator, stage: int) -> tuple[float, float, float]:
    """Returns the gray-scale latent, the elastogram's latent and ln LSM."""
    em = rng.standard_normal()
    gm = CORRELATION_GM_EM * em + np.sqrt(1 - CORRELATION_GM_EM**2) * rng.standard_normal()
    lsm = CORRELATION_EM_LSM * em + np.sqrt(1 - CORRELATION_EM_LSM**2) * rng.standard_normal()
    return (
        float(GM_LATENT_MEAN[stage] + gm),
        float(EM_LATENT_MEAN[stage] + em),
        float(LN_LSM_MEAN[stage] + LN_LSM_SD[stage] * lsm),
    )


def _draw_serum(rng: np.random.Generator, stage: int) -> tuple[float, float, float]:
    """Returns AST, ALT (U/L) and platelets (10^9/L); log-normal, correlated as in the cohort."""
    correlation = np.array([[1.0, 0.75, -0.05], [0.75, 1.0, 0.0], [-0.05, 0.0, 1.0]])
    z = np.linalg.cholesky(correlation) @ rng.standard_normal(3)
    medians = (AST_MEDIAN_U_L[stage], ALT_MEDIAN_U_L[stage], PLATELETS_MEDIAN_10E9_L[stage])
    ast, alt, platelets = (m * np.exp(sd * v) for m, sd, v in zip(medians, LN_SERUM_SD, z, strict=True))
    return round(float(ast), 1), round(float(alt), 1), round(float(platelets), 1)


def _draw_age(rng: np.random.Generator) -> float:
    while True:
        age = float(rng.normal(54.6, 12.2))
        if 18.0 <= age <= 85.0:
            return round(age, 1)


def draw_patient(
    rng: np.random.Generator, stage: int | None = None, quality: Quality | None = None
) -> Patient:
    """Draws a patient of the virtual cohort.

    Args:
        rng: source of all randomness.
        stage: Scheuer stage 0-4; None draws it with the frequencies of the paper.
        quality: None draws it: 2.3 % failed, 7.5 % unreliable.
    """
    prior = np.asarray(STAGE_COUNTS) / sum(STAGE_COUNTS)
    drawn_stage = int(rng.choice(5, p=prior))
    drawn_quality = _draw_quality(rng)
    stage = drawn_stage if stage is None else stage
    quality = drawn_quality if quality is None else quality
    gm, em, ln_lsm = _draw_latents(rng, stage)
    spread = rng.uniform(0.05, 0.09) if quality is Quality.GOOD else rng.uniform(0.25, 0.40)
    ast, alt, platelets = _draw_serum(rng, stage)
    return Patient(
        stage=stage,
        gm_latent=gm,
        em_latent=em,
        lsm_kpa=float(np.clip(np.exp(ln_lsm), *LSM_RANGE_KPA)),
        lsm_variation=float(spread),
        age=_draw_age(rng),
        ast_u_l=ast,
        alt_u_l=alt,
        platelets_10e9_l=platelets,
        ast_uln_u_l=AST_ULN_U_L,
        quality=quality,
    )


def acquisition_stiffness(patient: Patient, noise: np.random.Generator, index: int) -> float:
    """Returns the Q-box mean of one acquisition in kPa.

    The first five scatter with the patient's variation around exactly `lsm_kpa`, which is itself defined
    as a mean of five; further ones scatter freely.

    Args:
        patient: who is measured.
        noise: the patient's generator of measurement noise, in the same state for every index.
        index: 0-4 for the exam's five acquisitions, above for others.
    """
    z = noise.standard_normal(5)
    z = (z - z.mean()) * np.sqrt(5 / 4)
    extra = noise.standard_normal(64)
    deviation = z[index] if index < 5 else extra[index % 64]
    factor = max(1.0 + patient.lsm_variation * float(deviation), 0.3)
    return min(patient.lsm_kpa * factor, 38.5)
