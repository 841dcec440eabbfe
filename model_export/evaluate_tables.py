"""Results as the rows of the paper's Tables 2 and 3: what stands in each cell, before it becomes a page."""

from __future__ import annotations

from dataclasses import dataclass

from model_export.evaluate_figures import label_of
from model_export.evaluate_results import CohortResult, MethodResult
from model_export.evaluate_scores import base_of
from model_export.published import COMPARED_WITH, PublishedRow
from model_export.statistics.auc import PairedTest
from model_export.statistics.figure import Figure

DASH = "\N{EN DASH}"

_SWAPPED = "the paper prints these two columns of APRI, FIB-4 and LSM the other way round; put right here"

_MISSING = "not part of this evaluation"
_ABSENT = MethodResult(auc=Figure(None, note=_MISSING), note=_MISSING)


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


PublishedRows = dict[tuple[str, str], PublishedRow]
"""The paper's rows of one cohort, by threshold and method."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the tables of a cohort hold beside its results.

    Attributes:
        references: methods that the p-value columns compare with, two at most.
        paper: the paper's rows to print under ours; empty for none.
        order: methods of Table 3 in their order; one that the evaluation lacks gets a row that says so. Empty
            takes all but the twins of Table 2, in the order of the file.
    """

    references: tuple[str, ...]
    paper: PublishedRows
    order: tuple[str, ...] = ()


def table_2_block(result: CohortResult, threshold: str, layout: Layout, notes: dict[str, None]) -> Block:
    """Table 2: each method without transfer learning above the one with it, and the p-value of the pair.

    Args:
        result: of the cohort.
        threshold: name of the threshold.
        layout: what the table holds beside the results.
        notes: gathers the notes of the cells.
    """
    methods, paper, rows = result.methods[threshold], layout.paper, []
    for twin in methods:
        base = base_of(twin)
        if base != twin and base in methods:
            p_value = p_cell(paired_test(result, threshold, base, twin))
            rows.append(_row(f"{base} non-TL", methods[twin], (p_value,), notes))
            rows += _published_rows(paper.get((threshold, twin)), 1, notes)
            rows.append(_row(f"{base} TL", methods[base], (Cell(""),), notes))
            rows += _published_rows(paper.get((threshold, base)), 1, notes)
    return Block(label_of(threshold), tuple(rows))


def table_3_block(result: CohortResult, threshold: str, layout: Layout, notes: dict[str, None]) -> Block:
    """Table 3: every method with its p-value against each reference; arguments as of Table 2."""
    methods, references, rows = result.methods[threshold], layout.references, []
    own = [name for name in methods if base_of(name) == name or base_of(name) not in methods]
    show_p = references in COMPARED_WITH.values()
    for name in layout.order or own:
        # As in the paper, the two references are compared in the last column only.
        p_values = tuple(
            Cell("/")
            if name in references[index:]
            else p_cell(paired_test(result, threshold, name, reference))
            for index, reference in enumerate(references)
        )
        rows.append(_row(name, methods.get(name, _ABSENT), p_values, notes))
        rows += _published_rows(layout.paper.get((threshold, name)), len(references), notes, show_p=show_p)
    return Block(label_of(threshold), tuple(rows))


def _published_rows(
    row: PublishedRow | None, n_p_values: int, notes: dict[str, None], *, show_p: bool = True
) -> list[Row]:
    """The paper's row of a method, or none."""
    if row is None:
        return []
    note = _SWAPPED if row.transposed else ""
    if note:
        notes.setdefault(note)
    # A row of Table 3 that stands in Table 2 has no p-value there, as in the paper.
    p_values = row.p_values if show_p and len(row.p_values) == n_p_values else ("",) * n_p_values
    cells = (
        Cell(f"{row.auc:.3f}", f"{row.auc_low:.3f}{DASH}{row.auc_high:.3f}"),
        *map(Cell, p_values),
        Cell(f"{row.sensitivity:.1f}", note=note),
        Cell(f"{row.specificity:.1f}", note=note),
        Cell(f"{row.ppv:.1f}"),
        Cell(f"{row.npv:.1f}"),
        Cell("/" if row.lr_pos is None else f"{row.lr_pos:.1f}"),
        Cell(f"{row.lr_neg:.1f}"),
        Cell(""),
    )
    return [Row("Xue et al.", cells, is_published=True)]


def paired_test(result: CohortResult, threshold: str, a: str, b: str) -> PairedTest:
    """DeLong's test of method a against b, however the cohort holds it; empty without one of them."""
    for comparison in result.comparisons:
        if comparison.threshold == threshold and {comparison.a, comparison.b} == {a, b}:
            return comparison.test if comparison.a == a else comparison.test.turned()
    return PairedTest(None, None, None, None)


def p_cell(test: PairedTest) -> Cell:
    """A p-value as the paper prints it."""
    if test.p is None:
        return Cell(DASH, note="no test is possible")
    if test.p < 0.001:
        return Cell("< .001")
    return Cell(f"{test.p:.3f}".removeprefix("0") if test.p < 0.9995 else "1.000")


def _row(name: str, method: MethodResult, p_values: tuple[Cell, ...], notes: dict[str, None]) -> Row:
    cells = [figure_cell(method.auc, 3), *p_values]
    if method.figures is None:
        cells += [Cell(DASH, note=method.note)] * 6
    else:
        figures = method.figures
        shares = (figures.sensitivity, figures.specificity, figures.ppv, figures.npv)
        cells += [figure_cell(figure, 1, 100.0) for figure in shares]
        cells += [
            figure_cell(figure, 1 if index == 0 else 2)
            for index, figure in enumerate((figures.lr_pos, figures.lr_neg))
        ]
    cells.append(Cell(DASH if method.cutoff is None else f"{method.cutoff:.4g}", note=method.note))
    for cell in cells:
        if cell.note:
            notes.setdefault(cell.note)
    return Row(name, tuple(cells))


def figure_cell(figure: Figure, decimals: int, scale: float = 1.0) -> Cell:
    """A figure times `scale` with its interval, or a stroke with the reason."""
    if figure.value is None:
        return Cell("∞" if figure.note.startswith("infinite") else DASH, note=figure.note)
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f"{figure.low * scale:.{decimals}f}{DASH}{figure.high * scale:.{decimals}f}"
    return Cell(f"{figure.value * scale:.{decimals}f}", interval, figure.note)


def figure_text(figure: Figure, decimals: int) -> str:
    """A figure with its interval in one line."""
    cell = figure_cell(figure, decimals)
    return f"{cell.text} ({cell.interval})" if cell.interval else cell.text
