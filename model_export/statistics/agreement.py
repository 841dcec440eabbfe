"""How well the acquisitions of one patient agree: the intraclass correlation.

The form is ICC(1), the one-way random-effects model of Shrout & Fleiss (Psychol Bull 1979;86:420-428): the
first acquisition of one patient has nothing in common with the first of another, so acquisitions are
replicates, not raters, and a two-way form would be wrong. Reported for a single acquisition, ICC(1,1), and
for the mean of k, ICC(1,k).

Intervals invert the F distribution (McGraw & Wong, Psychol Methods 1996;1:30-46). Patients with unequal
numbers of acquisitions are allowed: k becomes the usual (N - sum k_i^2 / N) / (patients - 1), and the
interval is then approximate. Our own because pingouin, the library for it, wants equal numbers and brings a
plotting stack with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import f as f_distribution

from model_export.statistics.figure import CONFIDENCE, Figure, FloatArray


@dataclass(frozen=True, slots=True)
class Agreement:
    """Intraclass correlations of one method.

    Attributes:
        single: ICC(1,1), of one acquisition.
        mean: ICC(1,k), of the mean of k acquisitions.
        acquisitions_per_patient: k; not whole when patients have unequal numbers.
        within_patient_sd: standard deviation between acquisitions of one patient, in units of the score; None
            when no patient has two.
    """

    single: Figure
    mean: Figure
    acquisitions_per_patient: float
    within_patient_sd: float | None


def agreement(scores: FloatArray, patient: npt.NDArray[np.int64]) -> Agreement:
    """One-way random-effects intraclass correlations.

    Args:
        scores: (n,) one per acquisition.
        patient: (n,) number of the patient of each, 0 to count - 1, each at least once.
    """
    counts = np.bincount(patient).astype(np.float64)
    n, n_patients = float(scores.size), counts.size
    free_between, free_within = n_patients - 1, scores.size - n_patients
    if free_between < 1 or free_within < 1:
        missing = Figure(None, note="agreement needs two patients and a patient with two acquisitions")
        return Agreement(missing, missing, n / max(n_patients, 1), None)
    # Measured from each patient's first acquisition: equal acquisitions then differ by exactly zero.
    firsts = scores[np.unique(patient, return_index=True)[1]] - scores[0]
    scores = scores - scores[0]
    means = firsts + np.bincount(patient, weights=scores - firsts[patient]) / counts
    between = float((counts * (means - np.average(means, weights=counts)) ** 2).sum()) / free_between
    within = float(((scores - means[patient]) ** 2).sum()) / free_within
    k = float((n - (counts**2).sum() / n) / free_between)
    spread = float(np.sqrt(within))
    if within == 0.0:
        reason = "undefined: no score varies" if between == 0.0 else "no interval: acquisitions never differ"
        sure = Figure(None if between == 0.0 else 1.0, note=reason)
        return Agreement(sure, sure, k, spread)
    ratio = between / within
    upper_tail = 0.5 + CONFIDENCE / 2.0
    low = ratio / float(f_distribution.ppf(upper_tail, free_between, free_within))
    high = ratio * float(f_distribution.ppf(upper_tail, free_within, free_between))
    note = "" if float(np.ptp(counts)) == 0.0 else "approximate interval: patients have unequal numbers"

    def of_one(f: float) -> float:
        return (f - 1.0) / (f + k - 1.0)

    single = Figure(of_one(ratio), of_one(low), of_one(high), note)
    if ratio == 0.0:
        return Agreement(single, Figure(None, note="undefined: patients do not differ at all"), k, spread)
    mean = Figure(1.0 - 1.0 / ratio, 1.0 - 1.0 / low, 1.0 - 1.0 / high, note)
    return Agreement(single, mean, k, spread)
