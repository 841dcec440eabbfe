"""Every code that a report uses: a standard one where there is one, else one of our own scheme.

No LOINC code was found for the stiffness by 2D shear-wave elastography, nor for the Scheuer stage (77615-3 is
transient elastography, another method). Source of the rest: DICOM PS3.16, LOINC 2.8, SNOMED CT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scheme = Literal["DCM", "LN", "SCT", "99FIBROSTAGE"]

FHIR_SYSTEMS: dict[Scheme, str] = {
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "99FIBROSTAGE": "urn:fibrostage:codes:1",
}
"""The same schemes as FHIR names them."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a scheme and its meaning."""

    value: str
    scheme: Scheme
    meaning: str


US_LIVER = Code("28614-6", "LN", "US Liver")
LIVER = Code("10200004", "SCT", "Liver")
SHEAR_WAVE_2D = Code("130609", "DCM", "2D Shear Wave Elastography")
ELASTICITY = Code("110830", "DCM", "Elasticity")
MEAN = Code("373098007", "SCT", "Mean")
MEDIAN = Code("373099004", "SCT", "Median")
IQR = Code("130614", "DCM", "Interquartile Range of population")
IQR_OVER_MEDIAN = Code("130615", "DCM", "Interquartile Range to Median ratio of population")
COMMENT = Code("121106", "DCM", "Comment")
APRI = Code("86465-2", "LN", "AST to platelet ratio index")
FIB4 = Code("98488-0", "LN", "FIB-4 index")
STAGE = Code("stage", "99FIBROSTAGE", "Estimated Scheuer fibrosis stage")
PROBABILITIES = {
    "ge_s2": Code("p-ge-s2", "99FIBROSTAGE", "Estimated probability of stage 2 or worse"),
    "ge_s3": Code("p-ge-s3", "99FIBROSTAGE", "Estimated probability of stage 3 or worse"),
    "s4": Code("p-s4", "99FIBROSTAGE", "Estimated probability of stage 4"),
}


def stage_value(stage: int | None) -> Code:
    """The code of a stage; 0 stands for S0-S1, None for an indeterminate one."""
    if stage is None:
        return Code("indeterminate", "99FIBROSTAGE", "Indeterminate")
    name = "S0-S1" if stage == 0 else f"S{stage}"
    return Code(name.lower(), "99FIBROSTAGE", f"Estimated stage {name}")
