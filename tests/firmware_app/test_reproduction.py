"""A result comes out of its evidence again, byte for byte; whatever was changed is found and named."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_app.assembly import SOFTWARE
from firmware_app.errors import EvidenceError
from firmware_app.exam.events import Discard, SerumEntered
from firmware_app.model import Model, load_model
from firmware_app.records.archive import packed, unpacked
from firmware_app.records.folder import sealed_in
from firmware_app.records.manifest import MANIFEST, RESULT, digest_of
from firmware_app.records.opening import Evidence, read_evidence
from firmware_app.records.reproduction import Verdict, reproduce
from firmware_app.serum import Serum
from firmware_app.ward.publication import Appliance
from tests.conftest import call
from tests.firmware_app.evidence_examples import Examination
from tests.firmware_app.exam_examples import appliance, moment, uid

SERUM = Serum(ast_u_l=83.25, ast_uln_u_l=41.5, platelets_g_l=127.75, alt_u_l=61.125, age_years=57.5)


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """The demonstration bundle on this machine."""
    opened = load_model(None)
    yield opened
    opened.engine.close()


def speaker(model: Model | None) -> Appliance:
    """An appliance that runs this model."""
    return replace(
        appliance(),
        software=SOFTWARE,
        language="de",
        runtime=None if model is None else model.engine.name,
        manifest=None if model is None else model.bundle.manifest,
    )


@pytest.fixture(scope="module")
def examined(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence of a scored exam with serum values, in which one acquisition was taken out."""
    folder = tmp_path_factory.mktemp("evidence")
    couch = Examination(folder, speaker=speaker(model), engine=model.engine)
    couch.happen(SerumEntered(uid(800), moment(0.5), SERUM)).take(1, 2)
    couch.happen(Discard(uid(900), moment(2.5))).take(3, 4, 5, 6)
    couch.store.close()
    [file] = sealed_in(folder)
    return file


def test_result_is_reproduced_bit_for_bit(examined: Path, model: Model) -> None:
    """Scored and decided again, the payload is the very bytes that were published."""
    evidence = read_evidence(examined)
    found = reproduce(evidence, model)
    assert (found.verdict, found.faults, found.conditions) == (Verdict.IDENTICAL, (), ())
    assert found.payload == evidence.payload
    assert evidence.result.methods.apri is not None
    assert evidence.result.evidence.discarded == [uid(2)]


def test_evidence_holds_no_serum_value(examined: Path) -> None:
    """APRI and FIB-4 are kept; what they come from is not."""
    members = unpacked(examined.read_bytes(), "evidence")
    text = b" ".join(content for name, content in members.items() if name.endswith(".json"))
    for value in (SERUM.ast_u_l, SERUM.ast_uln_u_l, SERUM.platelets_g_l, SERUM.alt_u_l, SERUM.age_years):
        assert str(value).encode() not in text


def test_result_without_a_bundle_is_reproduced(tmp_path: Path) -> None:
    """Stiffness alone needs no network."""
    Examination(tmp_path, speaker=speaker(None)).take(1, 2, 3, 4, 5).store.close()
    [file] = sealed_in(tmp_path)
    assert reproduce(read_evidence(file), None).verdict is Verdict.IDENTICAL


def test_other_software_is_told_and_the_numbers_compared(tmp_path: Path, model: Model) -> None:
    """What scored then and now is named, and that the numbers agree; a result of today's is not blamed."""
    old = replace(speaker(model), software="fibrostage 0.0.9", runtime="TensorRT 10.3 Orin INT8")
    Examination(tmp_path, speaker=old, engine=model.engine).take(1, 2, 3, 4, 5).store.close()
    found = reproduce(read_evidence(sealed_in(tmp_path)[0]), model)
    assert (found.verdict, found.largest, found.faults) == (Verdict.EQUAL_WITHIN, 0.0, ())
    assert "software was fibrostage 0.0.9, is " + SOFTWARE in found.conditions
    assert any(condition.startswith("runtime was TensorRT") for condition in found.conditions)


def forged(examined: Path, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The evidence with changes, by somebody who brings every digest in order again."""
    members = unpacked(examined.read_bytes(), "evidence")
    change(members)
    manifest = json.loads(members[MANIFEST])
    manifest["files"] = {name: digest_of(content) for name, content in members.items() if name != MANIFEST}
    return packed({**members, MANIFEST: json.dumps(manifest).encode()})


def forged_evidence(examined: Path, folder: Path, change: Callable[[dict[str, bytes]], None]) -> Evidence:
    """The same, opened."""
    file = folder / "forged.zip"
    file.write_bytes(forged(examined, change))
    return read_evidence(file)


def in_result(then: bytes, now: bytes) -> Callable[[dict[str, bytes]], None]:
    """Replace something in the result."""

    def change(members: dict[str, bytes]) -> None:
        assert members[RESULT].count(then) == 1
        members[RESULT] = members[RESULT].replace(then, now)

    return change


@pytest.mark.parametrize("software_too", [False, True])
def test_forged_result_does_not_come_out_again(
    examined: Path, model: Model, tmp_path: Path, *, software_too: bool
) -> None:
    """A stage that does not follow from the crops is named, whatever else is said to differ."""
    result = read_evidence(examined).result

    def change(members: dict[str, bytes]) -> None:
        stage, text = result.stage, result.stage_text
        in_result(f'"stage":{stage},"stage_interval"'.encode(), b'"stage":2,"stage_interval"')(members)
        in_result(f'"stage_text":"{text}"'.encode(), b'"stage_text":"S2"')(members)
        if software_too:
            in_result(SOFTWARE.encode(), b"fibrostage 0.0.9")(members)

    assert result.stage != 2
    found = reproduce(forged_evidence(examined, tmp_path, change), model)
    assert found.verdict is Verdict.DIFFERENT
    assert f"stage was 2, is {result.stage}" in found.faults


def test_last_digit_of_a_probability_counts(examined: Path, model: Model, tmp_path: Path) -> None:
    """Where nothing that scored differs, the smallest difference is one."""
    result = read_evidence(examined).result
    assert result.methods.gm is not None
    then = repr(result.methods.gm.ge_s2)
    now = repr(float(np.nextafter(result.methods.gm.ge_s2, 0.5)))
    change = in_result(f'"GM":{{"ge_s2":{then}'.encode(), f'"GM":{{"ge_s2":{now}'.encode())
    evidence = forged_evidence(examined, tmp_path, change)
    found = reproduce(evidence, model)
    assert found.verdict is Verdict.DIFFERENT
    assert "nothing that scored is known to differ" in found.faults[0]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_found(examined: Path, data: st.DataObject) -> None:
    """One byte anywhere, one more, or some fewer: the file is refused."""
    content = bytearray(examined.read_bytes())
    kind = data.draw(st.sampled_from(["changed", "removed", "added", "cut off"]))
    place = data.draw(st.integers(0, len(content) - 1))
    match kind:
        case "changed":
            content[place] ^= data.draw(st.integers(1, 255))
        case "removed":
            del content[place]
        case "added":
            content.insert(place, data.draw(st.integers(0, 255)))
        case _:
            del content[place:]
    with pytest.raises(EvidenceError, match="damaged"):
        unpacked(bytes(content), "evidence")


def first_crop(members: dict[str, bytes]) -> str:
    """Name of a crop in the evidence."""
    return next(name for name in members if name.endswith("gray.png"))


def one_pixel(members: dict[str, bytes]) -> None:
    """Change one pixel of a crop."""
    name = first_crop(members)
    picture = cv2.imdecode(np.frombuffer(members[name], np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    picture[5, 5, 1] ^= 1
    members[name] = cv2.imencode(".png", picture)[1].tobytes()


def huge_picture(members: dict[str, bytes]) -> None:
    """A picture that claims to be larger than any memory."""
    name = first_crop(members)
    members[name] = members[name][:16] + b"\x7f\xff\xff\xff" * 2 + members[name][24:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (one_pixel, "are not those that were scored"),
        (huge_picture, "is no crop"),
        (lambda members: members.pop(first_crop(members)), "does not list exactly"),
        (lambda members: members.update({"more.txt": b"more"}), "does not list exactly"),
        (lambda members: members.update({RESULT: b"{}"}), "is not what this software publishes"),
        (lambda members: members.update({MANIFEST: b'{"format": 2}'}), "format"),
        (in_result(b'"exam_id":"0000', b'"exam_id":"1000'), "do not belong together"),
    ],
)
def test_evidence_that_does_not_fit_together_is_refused(
    examined: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None], words: str
) -> None:
    """Even with every digest in order, one sentence says what is wrong."""
    members = unpacked(examined.read_bytes(), "evidence")
    change(members)
    other_format = b'"format": 2' in members[MANIFEST]
    data = packed(members) if other_format else forged(examined, change)
    file = tmp_path / "forged.zip"
    file.write_bytes(data)
    with pytest.raises(EvidenceError, match=words):
        read_evidence(file)


def test_archive_of_another_program_is_refused(examined: Path) -> None:
    """Unpacked and packed again it is no evidence any more."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in unpacked(examined.read_bytes(), "evidence").items():
            archive.writestr(name, content)
    with pytest.raises(EvidenceError, match="damaged, or is no evidence"):
        unpacked(stream.getvalue(), "evidence")


@pytest.mark.timeout(300)
def test_program_reproduces_a_folder(examined: Path) -> None:
    """One line for each result, with the payload as it comes out now; exit code 0."""
    ended = call("fibrostage", "replay", "--evidence", examined.parent, "--json")
    assert ended.code == 0, ended.err
    [line] = ended.lines
    assert (line["verdict"], line["type"]) == ("identical", "reproduction")
    assert line["result"] == json.loads(read_evidence(examined).payload)


@pytest.mark.timeout(300)
def test_program_names_what_does_not_come_out(examined: Path, tmp_path: Path) -> None:
    """Exit code 1, and one line that says what was and what is."""
    text = read_evidence(examined).result.stage_text
    change = in_result(f'"stage_text":"{text}"'.encode(), b'"stage_text":"S2"')
    (tmp_path / "result.zip").write_bytes(forged(examined, change))
    ended = call("fibrostage", "replay", "--evidence", tmp_path)
    assert ended.code == 1
    assert f"stage_text was S2, is {text}" in ended.err


@pytest.mark.timeout(300)
def test_program_names_what_is_damaged_and_goes_on(examined: Path, tmp_path: Path) -> None:
    """Exit code 2 and no traceback, after all others were listed; likewise for a folder without evidence."""
    (tmp_path / "a.zip").write_bytes(examined.read_bytes()[:-1])
    (tmp_path / "b.zip").write_bytes(examined.read_bytes())
    listed = call("fibrostage", "evidence", "list", tmp_path, "--json")
    assert (listed.code, "Traceback" in listed.err) == (2, False)
    assert "a.zip is damaged" in listed.err
    assert listed.lines[1]["stage"] == read_evidence(examined).result.stage_text
    ended = call("fibrostage", "replay", "--evidence", tmp_path / "a.zip")
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert call("fibrostage", "replay", "--evidence", tmp_path / "none").code == 2
    assert call("fibrostage", "replay").code == 2


@pytest.mark.timeout(300)
def test_bundle_that_is_not_here_is_named(examined: Path, tmp_path: Path) -> None:
    """The sentence says which bundle scored the result, and what to do."""
    bundle_id = read_evidence(examined).manifest.bundle_id
    assert bundle_id is not None

    def rename(members: dict[str, bytes]) -> None:
        for name, content in members.items():
            members[name] = content.replace(bundle_id.encode(), b"site-0123456789ab")

    (tmp_path / "other.zip").write_bytes(forged(examined, rename))
    ended = call("fibrostage", "replay", "--evidence", tmp_path / "other.zip")
    assert ended.code == 2
    assert "bundle site-0123456789ab, which scored this result, is not here" in ended.err
