"""The results as one self-contained HTML page, its tables in the layout of the paper's Tables 2 and 3."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from firmware_app.wording import NOTICE
from model_export.evaluate_figures import PANELS, FigureFile, label_of
from model_export.evaluate_results import CohortResult, MethodResult
from model_export.evaluate_scores import base_of
from model_export.published import PublishedRow, published
from model_export.statistics.auc import PairedTest
from model_export.statistics.figure import Figure

_DASH = "\N{EN DASH}"

_SWAPPED = "the paper prints these two columns of APRI, FIB-4 and LSM the other way round; put right here"

_PAPER_REFERENCES = ("GM+LSM", "GM+EM")
"""The two methods that the paper's Table 3 compares all others with in the test cohort."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as printed: its value, its interval in small print, its note as a tooltip."""

    text: str
    interval: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One method: name, AUC, p-values against the references, the six operating figures, the cut-off.

    A published row holds the paper's figures of the same method.
    """

    name: str
    cells: tuple[Cell, ...]
    is_published: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of one threshold under its heading."""

    heading: str
    rows: tuple[Row, ...]


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


PublishedRows = dict[tuple[str, str], PublishedRow]


def references_of(methods: Sequence[str], chosen: Sequence[str]) -> tuple[str, ...]:
    """The methods that the p-value columns compare with.

    Args:
        methods: names in the order of the file.
        chosen: what the user named; empty takes the paper's two when both are there, else the last method.
    """
    if chosen:
        return tuple(chosen)
    if set(_PAPER_REFERENCES) <= set(methods):
        return _PAPER_REFERENCES
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
    environment = Environment(
        loader=PackageLoader("model_export", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["embedded"] = _embedded
    environment.filters["threshold"] = label_of
    environment.filters["figure"] = lambda figure: _number(figure, 3)
    return environment.get_template("evaluate.html").render(
        notice=NOTICE,
        sections=sections,
        references=references,
        provenance=provenance,
        panels=PANELS,
        has_training=training is not None,
        beside_paper=beside_paper,
    )


def _embedded(svg: str) -> str:
    """An SVG as a data address: the page needs no other file, and the ids of two drawings cannot meet."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _section(
    title: str,
    result: CohortResult,
    figures: tuple[FigureFile, ...],
    references: tuple[str, ...],
    paper: PublishedRows,
) -> Section:
    notes: dict[str, None] = {}
    table_2 = tuple(_twin_block(result, threshold.name, paper, notes) for threshold in PANELS)
    table_3 = tuple(_block(result, threshold.name, references, paper, notes) for threshold in PANELS)
    return Section(
        title=title,
        result=result,
        table_2=tuple(block for block in table_2 if block.rows),
        table_3=table_3,
        figures=figures,
        findings=tuple(_finding(result, threshold.name) for threshold in PANELS),
        notes=tuple(notes),
    )


def _finding(result: CohortResult, threshold: str) -> str:
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
    auc = _number(result.methods[threshold][best].auc, 3)
    words = f"{label_of(threshold)}: {best} has the highest AUC, {auc}"
    if not others:
        return words + "."
    value, second = others[0]
    p_value = _p_cell(_test(result, threshold, best, second)).text
    p_words = f"p {p_value}" if p_value.startswith("<") else f"p = {p_value}"
    return f"{words}; next is {second}, {value:.3f} ({p_words})."


def _twin_block(result: CohortResult, threshold: str, paper: PublishedRows, notes: dict[str, None]) -> Block:
    """Table 2: each method without transfer learning above the one with it, and the p-value of the pair."""
    methods, rows = result.methods[threshold], []
    for twin in methods:
        base = base_of(twin)
        if base != twin and base in methods:
            p_value = _p_cell(_test(result, threshold, base, twin))
            rows.append(_row(f"{base} non-TL", methods[twin], (p_value,), notes))
            rows += _published_rows(paper, threshold, twin, 1, notes)
            rows.append(_row(f"{base} TL", methods[base], (Cell(""),), notes))
            rows += _published_rows(paper, threshold, base, 1, notes)
    return Block(label_of(threshold), tuple(rows))


def _block(
    result: CohortResult,
    threshold: str,
    references: tuple[str, ...],
    paper: PublishedRows,
    notes: dict[str, None],
) -> Block:
    """Table 3: every method but the twins of Table 2, with its p-value against each reference."""
    rows = []
    for name, method in result.methods[threshold].items():
        if base_of(name) != name and base_of(name) in result.methods[threshold]:
            continue
        p_values = tuple(
            Cell("/") if name == reference else _p_cell(_test(result, threshold, name, reference))
            for reference in references
        )
        rows.append(_row(name, method, p_values, notes))
        rows += _published_rows(paper, threshold, name, len(references), notes)
    return Block(label_of(threshold), tuple(rows))


def _published_rows(
    paper: PublishedRows, threshold: str, method: str, n_p_values: int, notes: dict[str, None]
) -> list[Row]:
    """The paper's row of a method, or none."""
    row = paper.get((threshold, method))
    if row is None:
        return []
    note = _SWAPPED if row.transposed else ""
    if note:
        notes.setdefault(note)
    cells = (
        Cell(f"{row.auc:.3f}", f"{row.auc_low:.3f}{_DASH}{row.auc_high:.3f}"),
        *[Cell("")] * n_p_values,
        Cell(f"{row.sensitivity:.1f}", note=note),
        Cell(f"{row.specificity:.1f}", note=note),
        Cell(f"{row.ppv:.1f}"),
        Cell(f"{row.npv:.1f}"),
        Cell("/" if row.lr_pos is None else f"{row.lr_pos:.1f}"),
        Cell(f"{row.lr_neg:.1f}"),
        Cell(""),
    )
    return [Row("Xue et al.", cells, is_published=True)]


def _test(result: CohortResult, threshold: str, a: str, b: str) -> PairedTest:
    for comparison in result.comparisons:
        if comparison.threshold == threshold and {comparison.a, comparison.b} == {a, b}:
            return comparison.test
    return PairedTest(None, None, None, None)


def _p_cell(test: PairedTest) -> Cell:
    """A p-value as the paper prints it."""
    if test.p is None:
        return Cell(_DASH, note="no test is possible")
    if test.p < 0.001:
        return Cell("< .001")
    return Cell(f"{test.p:.3f}".removeprefix("0") if test.p < 0.9995 else "1.000")


def _row(name: str, method: MethodResult, p_values: tuple[Cell, ...], notes: dict[str, None]) -> Row:
    cells = [_cell(method.auc, 3), *p_values]
    if method.figures is None:
        cells += [Cell(_DASH, note=method.note)] * 6
    else:
        figures = method.figures
        shares = (figures.sensitivity, figures.specificity, figures.ppv, figures.npv)
        cells += [_cell(figure, 1, 100.0) for figure in shares]
        cells += [
            _cell(figure, 1 if index == 0 else 2)
            for index, figure in enumerate((figures.lr_pos, figures.lr_neg))
        ]
    cells.append(Cell(_DASH if method.cutoff is None else f"{method.cutoff:.4g}", note=method.note))
    for cell in cells:
        if cell.note:
            notes.setdefault(cell.note)
    return Row(name, tuple(cells))


def _cell(figure: Figure, decimals: int, scale: float = 1.0) -> Cell:
    if figure.value is None:
        return Cell("∞" if figure.note.startswith("infinite") else _DASH, note=figure.note)
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f"{figure.low * scale:.{decimals}f}{_DASH}{figure.high * scale:.{decimals}f}"
    return Cell(f"{figure.value * scale:.{decimals}f}", interval, figure.note)


def _number(figure: Figure, decimals: int) -> str:
    """A figure with its interval in one line."""
    cell = _cell(figure, decimals)
    return f"{cell.text} ({cell.interval})" if cell.interval else cell.text
