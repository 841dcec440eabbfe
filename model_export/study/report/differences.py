"""Where this study and the paper disagree: sentences made of the numbers of both, never of expectations."""

from __future__ import annotations

from dataclasses import dataclass

from model_export.evaluate_figures import PANELS, label_of
from model_export.evaluate_results import CohortResult
from model_export.evaluate_scores import TWIN
from model_export.evaluate_tables import figure_text
from model_export.published import published
from model_export.study.report.comparisons import Family

SIGNIFICANT = 0.05
"""The paper's level."""


@dataclass(frozen=True, slots=True)
class AucComparison:
    """An AUC here and in the paper.

    Attributes:
        threshold: as printed.
        method: its name.
        ours: with its interval, as printed.
        difference: ours minus the paper's.
        paper: the paper's.
        inside: our interval contains the paper's value; None without an interval.
    """

    threshold: str
    method: str
    ours: str
    difference: float
    paper: float
    inside: bool | None


def auc_comparisons(test: CohortResult) -> tuple[AucComparison, ...]:
    """Every method of the test cohort that the paper has too."""
    found = []
    for (threshold, method), row in published("test").items():
        ours = test.methods[threshold].get(method)
        if ours is None or ours.auc.value is None:
            continue
        low, high = ours.auc.low, ours.auc.high
        inside = None if low is None or high is None else low <= row.auc <= high
        text = figure_text(ours.auc, 3)
        found.append(
            AucComparison(label_of(threshold), method, text, ours.auc.value - row.auc, row.auc, inside)
        )
    return tuple(found)


def difference_sentences(
    test: CohortResult, compared: tuple[AucComparison, ...], tested: tuple[Family, ...]
) -> tuple[str, ...]:
    """What agrees with the paper's test cohort and what does not."""
    return (*_intervals(compared), *_gains(test), *_orders(test), *_significance(tested))


def _intervals(compared: tuple[AucComparison, ...]) -> list[str]:
    judged = [one for one in compared if one.inside is not None]
    if not judged:
        return ["No AUC here has an interval to compare with the paper's."]
    outside = [one for one in judged if not one.inside]
    inside = len(judged) - len(outside)
    words = [f"{inside} of {len(judged)} AUC intervals of the test cohort contain the paper's value."]
    words += [
        f"{one.method} at {one.threshold}: {one.ours} here, {one.paper:.3f} in the paper, "
        f"{'above' if one.difference > 0 else 'below'} it by {abs(one.difference):.3f}."
        for one in outside
    ]
    return words


def _gains(test: CohortResult) -> list[str]:
    """What transfer learning gains here and in the paper."""
    paper, words = published("test"), []
    for base in ("GM", "EM"):
        parts = []
        for threshold in PANELS:
            methods = test.methods[threshold.name]
            pair = [methods[name].auc.value for name in (base, base + TWIN) if name in methods]
            if len(pair) < 2 or pair[0] is None or pair[1] is None:
                continue
            gain = paper[threshold.name, base].auc - paper[threshold.name, base + TWIN].auc
            parts.append(f"{pair[0] - pair[1]:+.3f} at {label_of(threshold.name)} (paper {gain:+.3f})")
        if parts:
            words.append(f"Transfer learning changes the AUC of {base} by {', '.join(parts)}.")
    return words


def _orders(test: CohortResult) -> list[str]:
    """The methods from best to worst, here and in the paper."""
    paper, words = published("test"), []
    for threshold in PANELS:
        ours = {
            name: method.auc.value
            for name, method in test.methods[threshold.name].items()
            if method.auc.value is not None and (threshold.name, name) in paper
        }
        if len(ours) < 2:
            continue
        here = sorted(ours, key=lambda name: -ours[name])
        there = sorted(ours, key=lambda name: -paper[threshold.name, name].auc)
        same = "the same as in the paper" if here == there else f"in the paper {' > '.join(there)}"
        words.append(f"{label_of(threshold.name)}, from best to worst: {' > '.join(here)}; {same}.")
    return words


def _significance(tested: tuple[Family, ...]) -> list[str]:
    """How many differences are significant; the paper calls all of them so."""
    words = []
    for family in tested:
        tests = [test for test in family.tests if test.p is not None and test.p_holm is not None]
        better = [test for test in tests if (test.difference or 0.0) > 0.0]
        plain = sum((test.p or 0.0) < SIGNIFICANT for test in better)
        corrected = sum((test.p_holm or 0.0) < SIGNIFICANT for test in better)
        worse = sum((test.p_holm or 0.0) < SIGNIFICANT for test in tests if (test.difference or 0.0) < 0.0)
        words.append(
            f"{family.title}: {plain} of {len(tests)} differences are in favour of the former with p < .05, "
            f"{corrected} after Holm's correction; {worse} against it."
        )
    return words
