"""A result as DICOM: a Secondary Capture of its page, and a Comprehensive SR (TID 1500) that refers to it.

Patient name and identifier are present and empty, as the standard wants them; the archive fills them in.
Unique identifiers are derived from the result's own (2.25 and its uuid, PS3.5 B.2), so that writing a result
twice gives the same objects.
"""

from __future__ import annotations

from uuid import UUID, uuid5

import numpy as np
import numpy.typing as npt
from highdicom import UID
from highdicom.sc import SCImage
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes

from firmware_app.reports import codes
from firmware_app.reports.codes import Code
from firmware_app.ward.messages import ResultMessage
from firmware_app.wording import NOTICE

MANUFACTURER = "fibrostage (research)"


def secondary_capture(result: ResultMessage, page: npt.NDArray[np.uint8]) -> SCImage:
    """The page as an image.

    Args:
        result: whose page it is.
        page: RGB (height, width, 3), uint8, from `draw_result`.
    """
    image = SCImage(
        pixel_array=page,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=_uid(result.exam_id, "study"),
        series_instance_uid=_uid(result.id, "picture series"),
        series_number=1,
        sop_instance_uid=_uid(result.id, "picture"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        patient_id="",
        patient_name="",
        patient_birth_date="",
        patient_sex="",
        accession_number="",
        study_id="",
        study_date=result.evidence.opened.date(),
        study_time=result.evidence.opened.time().replace(tzinfo=None),
        referring_physician_name="",
        patient_orientation=("L", "F"),
    )
    image.BurnedInAnnotation = "NO"
    image.Laterality = ""  # the liver is not paired, but the module wants the attribute
    image.ImageComments = NOTICE
    _stamp(image, result)
    return image


def structured_report(result: ResultMessage, image: SCImage) -> ComprehensiveSR:
    """Stage, probabilities and stiffness as coded values; preliminary, not verified."""
    device = DeviceObserverIdentifyingAttributes(
        uid=_uid(result.id, "observer"), name="fibrostage", manufacturer_name=MANUFACTURER
    )
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=_uid(result.id, "group"), identifier=str(result.id)),
        algorithm_id=_algorithm(result),
        finding_sites=[FindingSite(_concept(codes.LIVER))],
        measurements=_measurements(result),
        qualitative_evaluations=[
            QualitativeEvaluation(_concept(codes.STAGE), _concept(codes.stage_value(result.stage)))
        ],
    )
    context = ObservationContext(
        observer_device_context=ObserverContext(
            observer_type=dicom_codes.DCM.Device, observer_identifying_attributes=device
        )
    )
    content = MeasurementReport(
        observation_context=context,
        procedure_reported=_concept(codes.US_LIVER),
        imaging_measurements=[group],
        title=_concept(codes.US_LIVER),
        referenced_images=[image],
    )
    said = (NOTICE, f"Stage: {result.stage_text}", *result.reliability.texts)
    for sentence in said:
        content[0].ContentSequence.append(
            TextContentItem(_concept(codes.COMMENT), sentence, RelationshipTypeValues.CONTAINS)
        )
    report = ComprehensiveSR(
        evidence=[image],
        content=content[0],
        series_instance_uid=_uid(result.id, "report series"),
        series_number=2,
        sop_instance_uid=_uid(result.id, "report"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
    )
    _stamp(report, result)
    return report


def _measurements(result: ResultMessage) -> list[Measurement]:
    lsm = result.lsm
    kilopascal, one = CodedConcept("kPa", "UCUM", "kPa"), CodedConcept("1", "UCUM", "no units")
    stiffness = (
        (codes.MEAN, lsm.mean_kpa, kilopascal),
        (codes.MEDIAN, lsm.median_kpa, kilopascal),
        (codes.IQR, lsm.iqr_kpa, kilopascal),
        (codes.IQR_OVER_MEDIAN, lsm.iqr_over_median, one),
    )
    found = [
        Measurement(
            name=_concept(codes.ELASTICITY),
            value=round(value, 4),
            unit=unit,
            derivation=_concept(derivation),
            method=_concept(codes.SHEAR_WAVE_2D),
        )
        for derivation, value, unit in stiffness
    ]
    if result.probabilities is not None:
        for key, code in codes.PROBABILITIES.items():
            value = round(getattr(result.probabilities, key), 4)
            found.append(Measurement(name=_concept(code), value=value, unit=one))
    for code, score in ((codes.APRI, result.methods.apri), (codes.FIB4, result.methods.fib4)):
        if score is not None:
            found.append(Measurement(name=_concept(code), value=round(score.value, 4), unit=one))
    return found


def _algorithm(result: ResultMessage) -> AlgorithmIdentification:
    name, _, version = result.software.partition(" ")
    parameters = [f"bundle {result.bundle_id}", f"runtime {result.runtime}", f"profile {result.profile_id}"]
    return AlgorithmIdentification(name, version or "unknown", parameters)


def _concept(code: Code) -> CodedConcept:
    return CodedConcept(code.value, code.scheme, code.meaning)


def _stamp(dataset: Dataset, result: ResultMessage) -> None:
    """Times of the result in place of the time of writing, so that writing it again gives the same bytes."""
    dataset.ContentDate, dataset.ContentTime = result.time.strftime("%Y%m%d"), result.time.strftime("%H%M%S")
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = dataset.ContentDate, dataset.ContentTime
    dataset.SeriesDate, dataset.SeriesTime = dataset.ContentDate, dataset.ContentTime
    for equipment in dataset.get("ContributingEquipmentSequence", ()):
        equipment.ContributionDateTime = result.time.strftime("%Y%m%d%H%M%S")


def _uid(base: UUID, name: str) -> UID:
    return UID(f"2.25.{uuid5(base, name).int}")
