"""The model card: what a bundle is made of, how good it is, and what it must not be used for."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_app.inference import THRESHOLDS
from firmware_app.inference.bundle import LsmCutoffs, OperatingPoint, Threshold
from firmware_app.wording import NOTICE
from model_export.agree import Agreement, GraphPrecision

METHODS = ("GM", "EM", "GM+EM", "LSM", "GM+LSM")
"""Rows of the table of AUCs."""
NAMES: dict[Threshold, str] = {"ge_s2": ">=S2", "ge_s3": ">=S3", "s4": "S4"}
GRAPHS: dict[GraphPrecision, str] = {
    "fp32": "float32",
    "fp16": "float16, with the heads and the calibration in float32",
    "int8": "INT8 with explicit, symmetric Q/DQ nodes; what INT8 hurts is in float32",
}

TEMPLATE = """\
# Model card

**{notice}**

## What it is

Two Inception-V3 networks, one for the gray-scale picture (GM) and one for the elastogram (EM), which share a
frozen stem up to Mixed_6e, and three fully connected layers over both (GM+EM), after Xue et al., Eur Radiol
2020;30:2973-2983. Every output is ordinal: the log-odds of >=S2, >=S3 and S4 (Scheuer), never increasing.
A patient's log-odds are the mean over five acquisitions.

Inputs are the same square of both panes of a 2D-SWE screen with a colour bar of 0-40 kPa, 299x299 RGB. The
graph is {precision}.

## Data

{data} Refused by it on the way: {refused}.

## How good it is

Test patients ({test}), patient level, scored by the graph of this bundle:

{auc}

Cut-offs of the GM+EM probability (Youden, training patients). The indeterminate zone is one standard error
to either side, of a patient's mean log-odds, from the spread of the images within validation patients:

{points}

Stiffness cut-offs in kPa: >=S2 {lsm.ge_s2:.2f}, >=S3 {lsm.ge_s3:.2f}, S4 {lsm.s4:.2f} ({lsm.source}).

This graph against float32 on the test patients: probabilities differ by
{agreement.mean_probability_difference:.4f} in the mean and {agreement.largest_probability_difference:.4f} at
most, AUCs by {agreement.largest_auc_difference:.4f} at most. The stage by the bare cut-offs changes in
{agreement.flips} of {agreement.patients} patients; the published stage or what it leaves open changes in
{agreement.interval_flips}, and in {agreement.contradictions} the two have no stage in common.

Pictures whose features lie far from those of the training pictures are refused (out-of-range check). Of the
test patients' pictures, all of which the networks can know, {strange[0]} of {strange[1]} are refused.

## Limits

{limits}
- S0 and S1 are not told apart.
- The cut-offs come from patients that the networks were trained on and are therefore optimistic.

## Initial weights

Trained from {weights}. {licence}
"""

SIMULATED = (
    """\
Simulated patients only: {train} for training (of these {validation} decided when to stop and calibrated the
log-odds) and {test} for the test, with the paper's shares of the stages and five acquisitions each. Whole
screens were drawn, half of them passed a lossy capture card, and all were read and cropped by the
appliance's own code.""",
    """\
- No picture of a real patient was seen. Agreement with the paper on virtual patients shows that the tool
  chain works; it is not clinical evidence.
- The simulation knows one population (patients before liver resection, most with hepatitis B), one scanner
  and one colour range. Inflammation, congestion, cholestasis, a recent meal, antiviral treatment, ascites and
  obesity are not in it.
- The out-of-range check knows the simulation's pictures only: it may refuse most pictures of a real scanner.
  It does not see everything either: inverted gray values and pictures upside down pass as familiar.""",
)
"""What a card says of the data and its limits when the virtual scanner drew the cohort."""
OWN = (
    """\
A cohort that a site brought, not simulated patients as the notice above has it: {train} for training (of
these {validation} decided when to stop and calibrated the log-odds) and {test} for the test, five
acquisitions each.""",
    """\
- The patients are those of one cohort, chosen by the rules of the study: it is an internal validation, and no
  clinical evidence for patients of another kind, scanner or colour range.
- The out-of-range check knows this cohort's pictures only, and does not see everything.""",
)
"""The same of a site's own cohort."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the card says.

    Attributes:
        precision: of the graph.
        weights: name and digest of the initial weights' file, or that there was none.
        licence: of the initial weights, as the person who trained gave it.
        patients: training (validation among them), validation and test patients.
        own_cohort: the patients are a site's own, not drawn ones.
        refused: what the appliance refused of the cohort's pictures, by reason.
        auc: by method and threshold, test patients.
        agreement: of INT8 with float32, test patients.
        strange: test pictures that the out-of-range check refuses, and all of them.
        operating_points: of GM+EM.
        lsm_cutoffs: in kPa.
    """

    precision: GraphPrecision
    weights: str
    licence: str
    patients: tuple[int, int, int]
    own_cohort: bool
    refused: dict[str, int]
    auc: dict[str, dict[Threshold, float]]
    agreement: Agreement
    strange: tuple[int, int]
    operating_points: dict[Threshold, OperatingPoint]
    lsm_cutoffs: LsmCutoffs


def model_card(facts: CardFacts) -> str:
    """The card as Markdown, one line a paragraph."""
    train, validation, test = facts.patients
    data, limits = OWN if facts.own_cohort else SIMULATED
    return TEMPLATE.format(
        notice=NOTICE,
        precision=GRAPHS[facts.precision],
        data=data.format(train=train, validation=validation, test=test),
        limits=limits,
        test=test,
        refused=", ".join(f"{name} {count}" for name, count in sorted(facts.refused.items())) or "nothing",
        auc=_auc_table(facts.auc),
        points=_points(facts.operating_points),
        lsm=facts.lsm_cutoffs,
        agreement=facts.agreement,
        strange=facts.strange,
        weights=facts.weights,
        licence=facts.licence,
    )


def _auc_table(auc: dict[str, dict[Threshold, float]]) -> str:
    rows = [
        "| AUC | " + " | ".join(NAMES[key] for key in THRESHOLDS) + " |",
        "|---|" + "---|" * len(THRESHOLDS),
        *(
            f"| {name} | " + " | ".join(f"{auc[name][key]:.3f}" for key in THRESHOLDS) + " |"
            for name in METHODS
        ),
    ]
    return "\n".join(rows)


def _points(points: dict[Threshold, OperatingPoint]) -> str:
    return "\n".join(
        f"- {NAMES[key]}: {point.cutoff:.3f}, indeterminate from {point.low:.3f} to {point.high:.3f}; "
        f"ruled out below {point.rule_out:.3f} (95 % sensitivity), "
        f"ruled in from {point.rule_in:.3f} (95 % specificity)"
        for key, point in points.items()
    )
