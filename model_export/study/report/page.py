"""The page of a study: everything that was computed, in the order of the paper, in one file."""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_app.wording import NOTICE
from model_export.evaluate_figures import PANELS, label_of
from model_export.evaluate_report import finding, page_environment
from model_export.evaluate_results import CohortResult, Settings
from model_export.evaluate_tables import Block, Layout, table_2_block, table_3_block
from model_export.figure_files import FigureFile
from model_export.published import COMPARED_WITH, CohortName, published
from model_export.statistics.agreement import Agreement
from model_export.study.report.baseline import BaselineRow
from model_export.study.report.comparisons import Family, PairRow, pair_rows
from model_export.study.report.differences import auc_comparisons, difference_sentences
from model_export.study.report.figures import METHODS, StudyFigures, convergence_findings
from model_export.study.report.paper_check import check_paper, hanley_mcneil_reach
from model_export.study.report.study_folder import StudyFolder

ORDER: dict[CohortName, tuple[str, ...]] = {"training": METHODS[:5], "test": METHODS[:7]}
"""Methods of Table 3: the paper has no combined ones in the training cohort."""


@dataclass(frozen=True, slots=True)
class CohortTables:
    """Tables 2 and 3 of one cohort."""

    title: str
    references: tuple[str, ...]
    table_2: tuple[Block, ...]
    table_3: tuple[Block, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PairTable:
    """A family of paired tests as printed."""

    title: str
    n_tests: int
    rows: tuple[PairRow, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """All that a page is made of.

    Attributes:
        study: what was read.
        test: figures of the test cohort.
        training: of the training cohort.
        baseline: Table 1.
        tested: paired tests of the test cohort.
        figures: Figures 3 and 4 and those that the paper has not.
        gallery: Figure 5: rightly, then wrongly staged; None when there is nobody of the kind.
        provenance: command, seeds, versions, digests, machine, times.
        settings: of the intervals.
    """

    study: StudyFolder
    test: CohortResult
    training: CohortResult
    baseline: tuple[BaselineRow, ...]
    tested: tuple[Family, ...]
    figures: StudyFigures
    gallery: tuple[FigureFile, ...]
    provenance: dict[str, str | int | float | None]
    settings: Settings


def render_study(results: Results) -> str:
    """The page as self-contained HTML."""
    compared = auc_comparisons(results.test)
    return (
        page_environment()
        .get_template("study.html")
        .render(
            notice=NOTICE,
            results=results,
            findings=[finding(results.test, threshold.name) for threshold in PANELS],
            tables=[
                _tables("Training cohort", "training", results.training),
                _tables("Test cohort", "test", results.test),
            ],
            pairs=[
                PairTable(family.title, len(family.tests), pair_rows(family)) for family in results.tested
            ],
            panels=PANELS,
            labels=[label_of(threshold.name) for threshold in PANELS],
            methods=list(results.test.methods[PANELS[0].name]),
            agreement=_varying(results.test),
            convergence=convergence_findings(results.study.curves),
            checked=check_paper(),
            compared=compared,
            differences=difference_sentences(results.test, compared, results.tested),
            sampling=_sampling(results.test),
            left_out=_sentences(results.study.record.get("left_out")),
        )
    )


def _tables(title: str, cohort: CohortName, result: CohortResult) -> CohortTables:
    notes: dict[str, None] = {}
    layout = Layout(COMPARED_WITH[cohort], published(cohort), ORDER[cohort])
    table_2 = tuple(table_2_block(result, threshold.name, layout, notes) for threshold in PANELS)
    table_3 = tuple(table_3_block(result, threshold.name, layout, notes) for threshold in PANELS)
    return CohortTables(title, layout.references, table_2, table_3, tuple(notes))


def _sampling(test: CohortResult) -> list[tuple[str, float]]:
    """Half the width that an AUC of .93 has in this cohort, by threshold; none without both classes."""
    counts = test.stage_counts
    classes = {one.name: (sum(counts[one.stage :]), sum(counts[: one.stage])) for one in PANELS}
    return [(name, hanley_mcneil_reach(0.93, *n)) for name, n in classes.items() if min(n) > 0]


def _varying(result: CohortResult) -> dict[str, Agreement]:
    """Agreement by method or by column, of scores that differ between a patient's images.

    Columns of one method that agree alike, as log-odds do that differ by a bias only, become one.
    """
    found: dict[str, Agreement] = {}
    for column, one in result.agreement.items():
        if not one.within_patient_sd:
            continue
        method = column.partition("@")[0]
        known = found.get(method)
        if known is None:
            found[method] = one
        elif not math.isclose(known.single.value or 0.0, one.single.value or 0.0, abs_tol=1e-6):
            found[column] = one
    return found


def _sentences(content: object) -> list[str]:
    """`left_out` of the record as sentences: a list, an object of reasons, or one text."""
    if isinstance(content, dict):
        return [f"{name}: {reason}" for name, reason in content.items()]
    if isinstance(content, list):
        return [str(one) for one in content]
    return [str(content)] if content else []
