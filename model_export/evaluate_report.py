"""The results as one self-contained HTML page, its tables in the layout of the paper's Tables 2 and 3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from firmware_app.wording import NOTICE
from model_export.evaluate_figures import PANELS, label_of
from model_export.evaluate_results import CohortResult
from model_export.evaluate_tables import (
    Block,
    Layout,
    PublishedRows,
    figure_text,
    p_cell,
    paired_test,
    table_2_block,
    table_3_block,
)
from model_export.figure_files import FigureFile
from model_export.published import COMPARED_WITH, published


@dataclass(frozen=True, slots=True)
class Section:
    """The tables and figures of one cohort."""

    title: str
    result: CohortResult
    table_2: tuple[Block, ...]
    table_3: tuple[Block, ...]
    figures: tuple[FigureFile, ...]
    findings: tuple[str, ...]
    notes: tuple[str, ...]


def references_of(methods: Sequence[str], chosen: Sequence[str]) -> tuple[str, ...]:
    """The methods that the p-value columns compare with.

    Args:
        methods: names in the order of the file.
        chosen: what the user named; empty takes the paper's two when both are there, else the last method.
    """
    if chosen:
        return tuple(chosen)
    if set(COMPARED_WITH["test"]) <= set(methods):
        return COMPARED_WITH["test"]
    return tuple(methods[-1:]) if len(methods) > 1 else ()


def render(  # noqa: PLR0913 - the two cohorts, their figures and three choices of the page
    result: CohortResult,
    training: CohortResult | None,
    figures: tuple[FigureFile, ...],
    references: tuple[str, ...],
    provenance: dict[str, str | int | None],
    *,
    beside_paper: bool,
) -> str:
    """The page.

    Args:
        result: of the cohort to evaluate.
        training: of the training cohort; None when there was none.
        figures: of the cohort to evaluate; they are embedded.
        references: methods that the p-value columns compare with, two at most.
        provenance: command, digests, versions, seed.
        beside_paper: print the paper's figures under each method that it has.
    """
    title = "Evaluated patients" if training is None else "Test cohort"
    paper: PublishedRows = published("test") if beside_paper else {}
    sections = [_section(title, result, figures, references, paper)]
    if training is not None:
        paper = published("training") if beside_paper else {}
        sections.append(_section("Training cohort", training, (), references, paper))
    return (
        page_environment()
        .get_template("evaluate.html")
        .render(
            notice=NOTICE,
            sections=sections,
            references=references,
            provenance=provenance,
            panels=PANELS,
            has_training=training is not None,
            beside_paper=beside_paper,
        )
    )


def page_environment() -> Environment:
    """Jinja with the package's templates and the filters that they use."""
    environment = Environment(
        loader=PackageLoader("model_export", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["threshold"] = label_of
    environment.filters["figure"] = lambda figure: figure_text(figure, 3)
    return environment


def _section(
    title: str,
    result: CohortResult,
    figures: tuple[FigureFile, ...],
    references: tuple[str, ...],
    paper: PublishedRows,
) -> Section:
    notes: dict[str, None] = {}
    layout = Layout(references, paper)
    table_2 = tuple(table_2_block(result, threshold.name, layout, notes) for threshold in PANELS)
    table_3 = tuple(table_3_block(result, threshold.name, layout, notes) for threshold in PANELS)
    return Section(
        title=title,
        result=result,
        table_2=tuple(block for block in table_2 if block.rows),
        table_3=table_3,
        figures=figures,
        findings=tuple(finding(result, threshold.name) for threshold in PANELS),
        notes=tuple(notes),
    )


def finding(result: CohortResult, threshold: str) -> str:
    """The best method of a threshold in words, and how sure it is that it beats the next."""
    ranked = sorted(
        (
            (method.auc.value, name)
            for name, method in result.methods[threshold].items()
            if method.auc.value is not None
        ),
        key=lambda found: -found[0],
    )
    if not ranked:
        return f"{label_of(threshold)}: not defined, every patient is on one side of it."
    (_, best), *others = ranked
    auc = figure_text(result.methods[threshold][best].auc, 3)
    words = f"{label_of(threshold)}: {best} has the highest AUC, {auc}"
    if not others:
        return words + "."
    value, second = others[0]
    p_value = p_cell(paired_test(result, threshold, best, second)).text
    p_words = f"p {p_value}" if p_value.startswith("<") else f"p = {p_value}"
    return f"{words}; next is {second}, {value:.3f} ({p_words})."
