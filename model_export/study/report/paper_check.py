"""What the paper's own tables say about themselves, counted from the printed figures and the stages alone.

Three questions to every printed row of the test cohort:

- Is each share a whole number of patients, k/n, to the printed digit? As printed, or with its columns turned?
- How wide is the interval of the AUC, beside the width that so many independent patients, or so many
  independent images, would give (Hanley & McNeil, Radiology 1982;143:29-36)?
- Which share of positives do sensitivity, specificity and PPV imply, beside the cohort's own?
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from model_export.cohort import ACQUISITIONS, PAPER_STAGE_COUNTS
from model_export.evaluate_figures import PANELS
from model_export.published import PublishedRow, published
from model_export.statistics.figure import normal_quantile

_DIGIT = 0.0501
"""Half of the last printed digit of a percentage, with a little room for binary fractions."""


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """One printed row of the test cohort.

    Attributes:
        threshold: its name.
        method: its name.
        as_printed: both shares are whole patients as they are printed.
        turned: both are, once the columns are turned round; "k/n" of sensitivity and specificity, or empty.
        width: of the AUC's interval as printed.
        width_of_patients: that 102 independent patients would give.
        width_of_images: that five times as many independent images would give.
        implied_share: of positives, in per cent, that makes the printed PPV; None where it cannot be said.
        share: of positives in the cohort, in per cent.
    """

    threshold: str
    method: str
    as_printed: bool
    turned: str
    width: float
    width_of_patients: float
    width_of_images: float
    implied_share: float | None
    share: float


def check_paper() -> tuple[CheckedRow, ...]:
    """Every row of the test cohort of Tables 2 and 3, in the order of the tables."""
    rows = published("test")
    return tuple(
        _check(threshold.name, threshold.stage, method, row)
        for threshold in PANELS
        for (name, method), row in rows.items()
        if name == threshold.name
    )


def _check(threshold: str, least: int, method: str, row: PublishedRow) -> CheckedRow:
    counts = PAPER_STAGE_COUNTS["test"]
    n_negative, n_positive = sum(counts[:least]), sum(counts[least:])
    sensitivity, specificity = row.sensitivity, row.specificity
    printed = (specificity, sensitivity) if row.transposed else (sensitivity, specificity)
    return CheckedRow(
        threshold=threshold,
        method=method,
        as_printed=bool(_counts(*printed, n_positive, n_negative)),
        turned=_counts(printed[1], printed[0], n_positive, n_negative),
        width=row.auc_high - row.auc_low,
        width_of_patients=hanley_mcneil_width(row.auc, n_positive, n_negative),
        width_of_images=hanley_mcneil_width(row.auc, ACQUISITIONS * n_positive, ACQUISITIONS * n_negative),
        implied_share=_implied_share(row),
        share=100.0 * n_positive / (n_positive + n_negative),
    )


def _counts(sensitivity: float, specificity: float, n_positive: int, n_negative: int) -> str:
    """Both shares as whole patients, or nothing when one of them is not."""
    found = []
    for percent, n in ((sensitivity, n_positive), (specificity, n_negative)):
        k = round(percent * n / 100.0)
        if abs(100.0 * k / n - percent) > _DIGIT:
            return ""
        found.append(f"{k}/{n}")
    return ", ".join(found)


def hanley_mcneil_width(auc: float, n_positive: int, n_negative: int) -> float:
    """Width of the 95 % interval of an AUC from so many independent observations, clipped at 1."""
    reach = hanley_mcneil_reach(auc, n_positive, n_negative)
    return min(1.0, auc + reach) - (auc - reach)


def hanley_mcneil_reach(auc: float, n_positive: int, n_negative: int) -> float:
    """Half of that width before it is clipped."""
    q1, q2 = auc / (2.0 - auc), 2.0 * auc**2 / (1.0 + auc)
    variance = (auc * (1.0 - auc) + (n_positive - 1) * (q1 - auc**2) + (n_negative - 1) * (q2 - auc**2)) / (
        n_positive * n_negative
    )
    return normal_quantile() * math.sqrt(variance)


def _implied_share(row: PublishedRow) -> float | None:
    """The share of positives at which sensitivity and specificity give the printed PPV, in per cent."""
    false_positive, ppv = 100.0 - row.specificity, row.ppv
    if not 0.0 < ppv < 100.0 or false_positive <= 0.0 or row.sensitivity <= 0.0:
        return None
    odds = ppv / (100.0 - ppv) * false_positive / row.sensitivity
    return 100.0 * odds / (1.0 + odds)
