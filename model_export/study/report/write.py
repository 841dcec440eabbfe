"""From a study folder to its report: the whole journey in one function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from model_export.errors import ExportError, WrongInputError
from model_export.evaluate_figures import label_of
from model_export.evaluate_results import Settings, evaluate_cohort
from model_export.evaluate_scores import THRESHOLDS
from model_export.figure_files import FigureFile, Words, save_figure
from model_export.network import FibrosisNetwork
from model_export.study.report.baseline import baseline
from model_export.study.report.comparisons import families
from model_export.study.report.content import content_of, provenance_of
from model_export.study.report.figures import draw_study_figures
from model_export.study.report.gallery import Gallery, gallery_canvas, in_words, limits_of, make_gallery
from model_export.study.report.page import Results, render_study
from model_export.study.report.study_folder import read_study
from model_export.trained import TrainedRun, load_run


def write_report(study_folder: Path, work: Path, out: Path, settings: Settings) -> None:
    """Write `report.html`, `tables.json` and every figure as PNG and SVG.

    Args:
        study_folder: see `study_folder`.
        work: work folder of the training with transfer learning, for the pictures and maps of Figure 5.
        out: folder of the report; made when it is not there.
        settings: intervals and bootstrap; its seed also draws the examples of Figure 5.

    Raises:
        WrongInputError: the study or the work folder cannot be used; the sentence says why.
        ExportError: the folder cannot be written.
    """
    study = read_study(study_folder)
    run = load_run(work)
    cohort = run.patients("test")
    test = evaluate_cohort(study.scores["test"], study.scores["train"], settings)
    # Image-level figures are a second look at the test patients only.
    training = evaluate_cohort(study.scores["train"], None, replace(settings, replicates=0))
    network, threshold = _network_of_maps(run)
    gallery = make_gallery(network, cohort, study.scores["test"], test, settings.seed)
    try:
        out.mkdir(parents=True, exist_ok=True)
        results = Results(
            study=study,
            test=test,
            training=training,
            baseline=baseline(study),
            tested=families(test),
            figures=draw_study_figures(test, training, study.curves, out),
            gallery=tuple(_draw_gallery(gallery, out, settings.seed, threshold)),
            provenance=provenance_of(study, study_folder, settings),
            settings=settings,
        )
        (out / "report.html").write_text(render_study(results), encoding="utf-8")
        # Last, so that a tables.json is never there without its page. NaN would raise here.
        content = json.dumps(content_of(results, gallery), indent=1, allow_nan=False)
        (out / "tables.json").write_text(content + "\n", encoding="utf-8")
    except FileExistsError as error:
        raise WrongInputError(f"{out} is a file; name a folder for the report") from error
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error.strerror}") from error


def _network_of_maps(run: TrainedRun) -> tuple[FibrosisNetwork, str]:
    """The network whose maps are drawn, and the threshold that it is for; nothing when it serves all."""
    if run.heads == "shared":
        return run.load_network(), ""
    middle = len(THRESHOLDS) // 2
    return run.load_binary_networks()[middle], label_of(THRESHOLDS[middle].name)


def _draw_gallery(gallery: Gallery, out: Path, seed: int, threshold: str) -> Iterator[FigureFile]:
    """Figure 5 in two parts; a part without anybody is left out."""
    limits = limits_of(gallery)
    whose = f" by the networks for {threshold}" if threshold else ""
    parts = (
        ("figure-5a", "Figure 5a. Rightly staged", gallery.right, "calls rightly at all three thresholds"),
        ("figure-5b", "Figure 5b. Wrongly staged", gallery.wrong, "calls wrongly at one threshold or more"),
    )
    for name, title, examples, words in parts:
        if not examples:
            continue
        caption = (
            f"Of each stage one test patient whom GM+EM {words}, and one of his acquisitions, drawn with "
            f"seed {seed}; nobody was chosen by hand. Below each picture its class-activation map{whose}, "
            "the upper tenth outlined in white."
        )
        yield save_figure(
            lambda shown=examples: gallery_canvas(shown, limits),  # type: ignore[misc]  # bound for each part
            out,
            Words(name, title, caption, "; ".join(map(in_words, examples))),
            photographs=True,
        )
