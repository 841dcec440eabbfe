"""`fibrostage report`: a result that was recorded, as files for other systems."""

from __future__ import annotations

from pathlib import Path

import click
from PIL import Image
from pydantic import ValidationError

from calibration import json_input
from firmware_app.errors import ReportError
from firmware_app.reports.picture import draw_result
from firmware_app.ward.messages import ResultMessage

_Path = click.Path(path_type=Path)
LARGEST_BYTES = 64 << 20


@click.command()
@click.argument("results", type=_Path)
@click.option("--out", type=_Path, required=True, help="Folder for the files; made if it is missing.")
@click.option("--id", "result_id", help="Which result, if the file holds several; default: the last one.")
def report(results: Path, out: Path, result_id: str | None) -> None:
    """Write a result as a picture, FHIR R4 and DICOM (Secondary Capture and SR).

    RESULTS holds the payload of the topic `result`, or the lines of `fibrostage replay --json`.
    """
    result = read_result(results, result_id)
    try:
        # large libraries, which only this command needs
        from firmware_app.reports.dicom import secondary_capture, structured_report  # noqa: PLC0415 - see above
        from firmware_app.reports.fhir import fhir_bundle  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise ReportError(
            f"reports need {error.name}: in the source tree `pip install -e '.[reports]'`"
        ) from error
    page = draw_result(result)
    image = secondary_capture(result, page)
    try:
        out.mkdir(parents=True, exist_ok=True)
        stem = out / f"result-{result.id}"
        Image.fromarray(page).save(f"{stem}.png")
        Path(f"{stem}.fhir.json").write_text(fhir_bundle(result) + "\n", encoding="utf-8")
        image.save_as(f"{stem}.sc.dcm")
        structured_report(result, image).save_as(f"{stem}.sr.dcm")
    except OSError as error:
        raise ReportError(f"{out} cannot be written: {error.strerror}; name another folder") from error
    for suffix in (".png", ".fhir.json", ".sc.dcm", ".sr.dcm"):
        print(f"{stem}{suffix}")


def read_result(path: Path, result_id: str | None) -> ResultMessage:
    """The last result in a file of JSON lines, or the one with this id.

    Raises:
        ReportError: one sentence that names the file and what is wrong with it.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ReportError(f"{path} is larger than {LARGEST_BYTES >> 20} MiB: name a file of results")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}; name a file of results") from error
    except UnicodeDecodeError as error:
        raise ReportError(f"{path} is not text: name a file of JSON lines") from error
    found = [line for line in text.splitlines() if line.strip() and _is_wanted(path, line, result_id)]
    if not found:
        wanted = "no result" if result_id is None else f"no result {result_id}"
        raise ReportError(
            f"{path} holds {wanted}: give the payload of `result`, or `fibrostage replay --json`"
        )
    try:
        return ResultMessage.model_validate_json(found[-1])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ReportError(
            f"{path}: the result is not one of this version: {place}: {first['msg']}"
        ) from error


def _is_wanted(path: Path, line: str, result_id: str | None) -> bool:
    try:
        content = json_input.parse(line)
    except ValueError as error:
        raise ReportError(f"{path} is not JSON lines: {str(error)[:80]}") from error
    if not isinstance(content, dict) or content.get("type") != "result":
        return False
    return result_id is None or content.get("id") == result_id
