"""The payloads: the contract's keys, its schemas, its published form, and what never leaves the room."""

from __future__ import annotations

import dataclasses
import json

import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from firmware_app.exam.events import Event, Finish, PatientChanged, SerumEntered
from firmware_app.serum import Serum
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward import asyncapi, messages
from firmware_app.ward.publication import (
    EXAM_EXPIRY_S,
    RESULT_EXPIRY_S,
    Appliance,
    Publication,
    publication_of,
    status_message,
)
from firmware_app.wording import NOTICE
from tests.firmware_app.exam_examples import BIRTH, acquired, after, appliance, moment, refused, uid
from tests.firmware_app.health_examples import health

SERUM = Serum(ast_u_l=64, ast_uln_u_l=40, platelets_g_l=200, alt_u_l=64, age_years=50)
WHOLE_EXAM: tuple[Event, ...] = (
    acquired(1),
    refused(2),
    acquired(3),
    SerumEntered(uid(90), moment(4), SERUM),
    acquired(5),
    acquired(6),
    acquired(7),
    acquired(8),
    PatientChanged(uid(91), moment(9)),
)


def publications(events: tuple[Event, ...], speaker: Appliance) -> list[Publication]:
    """Everything that these events publish, in order."""
    made: list[Publication] = []
    for count, event in enumerate(events, start=1):
        _, effects = after(*events[:count])
        said = (publication_of(effect, event.at, speaker, time_trusted=True) for effect in effects)
        made += [publication for publication in said if publication is not None]
    return made


def lines(publications: list[Publication], kind: str) -> list[dict[str, object]]:
    """The payloads of that `type`, as a subscriber reads them."""
    contents = [json.loads(p.payload) for p in publications if p.message is not None]
    return [content for content in contents if content["type"] == kind]


@pytest.mark.parametrize("with_model", [True, False])
def test_every_payload_validates(with_model: bool) -> None:  # noqa: FBT001 -- a test's parameter
    """Each payload of a whole exam, each status and a health validates against the schema of its `type`."""
    speaker = appliance(with_model=with_model)
    schemas = asyncapi.json_schemas()
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    statuses = [
        status_message(speaker, capture, BIRTH, time_trusted=True) for capture in (CaptureState.LIVE, None)
    ]
    sent = [json.loads(p.payload) for p in publications(WHOLE_EXAM, speaker) if p.message is not None]
    sent += [json.loads(message.to_json()) for message in (*statuses, health())]
    assert {content["type"] for content in sent} == set(schemas)
    for content in sent:
        validator = jsonschema.Draft202012Validator(
            schemas[content["type"]], format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
        )
        validator.validate(content)
        with pytest.raises(jsonschema.ValidationError, match="patient_name"):
            validator.validate({**content, "patient_name": "x"})


def test_result_has_the_keys_of_the_contract() -> None:
    """The result holds every key that was promised, and what they promise."""
    (result,) = lines(publications(WHOLE_EXAM, appliance()), "result")
    promised = (
        "id exam_id n_acquisitions stage indeterminate probabilities lsm methods reliability evidence "
        "runtime bundle_id profile_id software time time_trusted notice"
    )
    assert set(promised.split()) <= set(result)
    assert list(result)[:3] == ["type", "id", "exam_id"]
    assert result["exam_id"] == str(uid(1001))
    assert result["notice"] == NOTICE
    assert result["time"] == "2026-03-01T09:00:07Z"
    assert result["stage"] == 3
    assert set(result["methods"]) == {"GM", "EM", "GM+EM", "GM+LSM", "LSM", "APRI", "FIB-4"}  # type: ignore[call-overload]  # JSON is untyped
    assert set(result["lsm"]) == {"mean_kpa", "median_kpa", "iqr_kpa", "iqr_over_median"}  # type: ignore[call-overload]  # JSON is untyped


def test_result_carries_its_evidence() -> None:
    """The result names the frames, times, crops, drops and latencies that it rests on."""
    message = next(
        p.message for p in publications(WHOLE_EXAM, appliance()) if p.topic == "result" and p.message
    )
    assert isinstance(message, messages.ResultMessage)
    evidence = message.evidence
    assert [a.id for a in evidence.acquisitions] == [uid(n) for n in (1, 3, 5, 6, 7)]
    first = evidence.acquisitions[0]
    assert (first.frame, first.pts_ns, first.dropped, first.latency_ms) == (60, 1_000_000_000, 2, 71.5)
    assert first.crop_digests is not None
    assert first.crop_digests.elastogram == f"{1:064x}"
    assert evidence.refused == {"box_unfilled": 1}
    assert evidence.dropped == 10


def test_exam_tells_its_progress() -> None:
    """The exam's messages count to five, are provisional at three and four, and say why it ends."""
    exams = lines(publications(WHOLE_EXAM, appliance()), "exam")
    assert [(e["n"], e["provisional"] is not None) for e in exams] == [
        (1, False),
        (1, False),
        (2, False),
        (2, False),
        (3, True),
        (4, True),
        (5, False),
        (5, False),
        (5, False),
    ]
    assert exams[1]["text"] == "Box not filled: hold breath, wait for a full map"
    assert exams[2]["last_refusal"] is None
    assert (exams[-1]["phase"], exams[-1]["closing"]) == ("closed", "patient_changed")


def test_retained_and_expiring_as_the_contract_says() -> None:
    """Exam and result are retained and expire, acquisitions are not; an empty payload clears a result."""
    for publication in publications(WHOLE_EXAM, appliance()):
        expected = {
            "exam": (True, EXAM_EXPIRY_S),
            "acquisition": (False, None),
            "result": (True, RESULT_EXPIRY_S if publication.message else None),
        }[publication.topic]
        assert (publication.retain, publication.expiry_s) == expected
        assert bool(publication.payload) == (publication.message is not None)


def test_no_serum_value_leaves_the_room() -> None:
    """Serum values and age are nowhere in what is published; the two scores are."""
    serum = Serum(ast_u_l=1234, ast_uln_u_l=43, platelets_g_l=789, alt_u_l=5678, age_years=61)
    events = (*WHOLE_EXAM[:1], SerumEntered(uid(90), moment(2), serum), *WHOLE_EXAM[4:7])
    sent = publications((*events, Finish(uid(92), moment(9))), appliance())
    text = b"\n".join(p.payload for p in sent).decode()
    for secret in ("1234", "5678", "789.0", "789,", '"age', "platelets", "ast_u"):
        assert secret not in text
    (result,) = lines(sent, "result")
    assert result["methods"]["APRI"]["value"] == pytest.approx(1234 / 43 / 789 * 100)  # type: ignore[index]  # JSON is untyped


def test_unknown_key_is_forbidden() -> None:
    """A payload with a key that the contract does not know is not built."""
    with pytest.raises(ValidationError, match="extra_forbidden"):
        messages.Probabilities.model_validate({"ge_s2": 0.5, "ge_s3": 0.4, "s4": 0.3, "s5": 0.2})


def test_published_contract_is_up_to_date() -> None:
    """`docs/asyncapi.yaml` is what `python -m firmware_app.ward.asyncapi` writes."""
    assert asyncapi.PATH.read_text(encoding="utf-8") == asyncapi.render()


def test_published_contract_hangs_together() -> None:
    """Every reference of the AsyncAPI document leads somewhere, and every schema forbids unknown keys."""
    contract = yaml.safe_load(asyncapi.PATH.read_text(encoding="utf-8"))
    for reference in _references(contract):
        target = contract
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
    objects = [s for s in contract["components"]["schemas"].values() if "properties" in s]
    assert objects
    assert all(schema["additionalProperties"] is False for schema in objects)


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        found = [node["$ref"]] if "$ref" in node else []
        return found + [reference for value in node.values() for reference in _references(value)]
    if isinstance(node, list):
        return [reference for value in node for reference in _references(value)]
    return []


def test_sentences_follow_the_language_and_names_do_not() -> None:
    """In another language the words of the payloads change, and nothing else does."""
    english, german = (
        [json.loads(p.payload) for p in publications(WHOLE_EXAM, speaker) if p.message is not None]
        for speaker in (appliance(), dataclasses.replace(appliance(), language="de"))
    )
    refusal = next(content for content in german if content["type"] == "refusal")
    assert refusal["remedy"] == "Atem anhalten, bis die Box gef\u00fcllt ist"
    assert refusal["reason"] == "box_unfilled"
    words = {"text", "remedy", "detail", "texts"}

    def _told(content: object, changed: set[str], other: object) -> None:
        if isinstance(content, dict) and isinstance(other, dict):
            assert content.keys() == other.keys()
            for key in content:
                if key in words and content[key] != other[key]:
                    changed.add(key)
                elif key not in words:
                    _told(content[key], changed, other[key])
        else:
            assert content == other

    changed: set[str] = set()
    for one, another in zip(english, german, strict=True):
        _told(one, changed, another)
    assert {"text", "remedy"} <= changed
