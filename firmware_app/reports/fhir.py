"""A result as FHIR R4: a bundle with one DiagnosticReport, its Observations and the Device that made them.

No Patient resource and no subject: the receiving system attaches it to whom it belongs. Everything is
`preliminary`, and the notice about research use stands in the conclusion and on every observation.
"""

from __future__ import annotations

from uuid import UUID, uuid5

from fhir.resources.R4B.bundle import Bundle

from firmware_app.reports import codes
from firmware_app.reports.codes import Code
from firmware_app.ward.messages import ResultMessage
from firmware_app.wording import NOTICE

Resource = dict[str, object]
_KPA = {"unit": "kPa", "system": "http://unitsofmeasure.org", "code": "kPa"}
_ONE = {"unit": "1", "system": "http://unitsofmeasure.org", "code": "1"}


def fhir_bundle(result: ResultMessage) -> str:
    """The bundle as JSON, validated against the FHIR R4 models.

    Observations: the stage (local code), its three probabilities, the stiffness (mean, median, IQR and
    IQR/median as components), APRI and FIB-4 where serum values were entered.
    """
    observations = _observations(result)
    device = _device(result)
    references = [{"reference": _urn(result.id, name)} for name in observations]
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "status": "preliminary",
        "code": _concept(codes.US_LIVER),
        "effectiveDateTime": result.evidence.opened.isoformat(),
        "issued": result.time.isoformat(),
        "result": references,
        "conclusion": f"{_sentence(result)} {NOTICE}",
    }
    resources = {"report": report, **observations, "device": device}
    entries = [{"fullUrl": _urn(result.id, name), "resource": value} for name, value in resources.items()]
    content = {
        "resourceType": "Bundle",
        "type": "collection",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{result.id}"},
        "timestamp": result.time.isoformat(),
        "entry": entries,
    }
    bundle = Bundle.model_validate(content)
    return str(bundle.model_dump_json(indent=1))


def _observations(result: ResultMessage) -> dict[str, Resource]:
    found: dict[str, Resource] = {"stage": _observation(result, codes.STAGE)}
    if result.stage is None:
        found["stage"]["valueString"] = result.stage_text
    else:
        found["stage"]["valueCodeableConcept"] = _concept(codes.stage_value(result.stage))
    if result.probabilities is not None:
        for key, code in codes.PROBABILITIES.items():
            value = _quantity(getattr(result.probabilities, key), _ONE)
            found[code.value] = {**_observation(result, code), "valueQuantity": value}
    found["stiffness"] = {**_observation(result, codes.ELASTICITY), **_stiffness(result)}
    for code, score in ((codes.APRI, result.methods.apri), (codes.FIB4, result.methods.fib4)):
        if score is not None:
            found[code.value] = {**_observation(result, code), "valueQuantity": _quantity(score.value, _ONE)}
    return found


def _stiffness(result: ResultMessage) -> Resource:
    lsm = result.lsm
    parts = (
        (codes.MEAN, lsm.mean_kpa, _KPA),
        (codes.MEDIAN, lsm.median_kpa, _KPA),
        (codes.IQR, lsm.iqr_kpa, _KPA),
        (codes.IQR_OVER_MEDIAN, lsm.iqr_over_median, _ONE),
    )
    return {
        "method": _concept(codes.SHEAR_WAVE_2D),
        "component": [
            {"code": _concept(code), "valueQuantity": _quantity(value, unit)} for code, value, unit in parts
        ],
    }


def _observation(result: ResultMessage, code: Code) -> Resource:
    notes = [NOTICE] if result.reliability.ok else [NOTICE, *result.reliability.texts]
    return {
        "resourceType": "Observation",
        "status": "preliminary",
        "code": _concept(code),
        "bodySite": _concept(codes.LIVER),
        "effectiveDateTime": result.time.isoformat(),
        "device": {"reference": _urn(result.id, "device")},
        "note": [{"text": text} for text in notes],
    }


def _device(result: ResultMessage) -> Resource:
    name, _, version = result.software.partition(" ")
    versions = [{"type": {"text": "software"}, "value": version or "unknown"}]
    if result.bundle_id is not None:
        versions.append({"type": {"text": "model bundle"}, "value": result.bundle_id})
    return {
        "resourceType": "Device",
        "deviceName": [{"name": name, "type": "model-name"}],
        "version": versions,
        "note": [{"text": NOTICE}],
    }


def _sentence(result: ResultMessage) -> str:
    stage = "Indeterminate" if result.indeterminate else "Estimated"
    doubts = "" if result.reliability.ok else f" Not reliable: {'; '.join(result.reliability.texts)}."
    return f"{stage} fibrosis stage {result.stage_text}; stiffness {result.lsm.mean_kpa:.1f} kPa.{doubts}"


def _concept(code: Code) -> dict[str, object]:
    coding = {"system": codes.FHIR_SYSTEMS[code.scheme], "code": code.value, "display": code.meaning}
    return {"coding": [coding], "text": code.meaning}


def _quantity(value: float, unit: dict[str, str]) -> dict[str, object]:
    return {"value": round(value, 4), **unit}


def _urn(result_id: UUID, name: str) -> str:
    return f"urn:uuid:{uuid5(result_id, name)}"
