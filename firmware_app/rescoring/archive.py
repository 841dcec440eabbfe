"""The recordings of an archive, and the file that comes of each: JSON lines, written whole.

The first line says which recording and who scored it, the last what it amounted to, and between them stand
the very payloads that MQTT would carry. Nothing in a file depends on when or where it was scored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from calibration import json_input
from calibration.whole_file import write_durably
from firmware_app.errors import SinkError, SourceError
from firmware_app.replay import line_of
from firmware_app.rescoring.scoring import Recording, Scored, Speaker
from firmware_app.wording import NOTICE

_KINDS = ("avi", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mxf", "ogv", "ts", "webm", "wmv")
SUFFIXES = frozenset(f".{kind}" for kind in _KINDS)
"""A file whose name ends in one of these is a recording; anything else lies beside them."""
LINES = ".jsonl"


def recordings_in(folder: Path) -> list[Recording]:
    """Every recording below a folder, sorted by name; hidden ones are passed over.

    Raises:
        SourceError: there is none, or the folder cannot be read.
    """
    try:
        found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}") from error
    names = {path.relative_to(folder).as_posix(): path.absolute() for path in found}
    recordings = [Recording(name, names[name]) for name in sorted(names) if not _is_hidden(name)]
    if not recordings:
        known = ", ".join(sorted(SUFFIXES))
        raise SourceError(f"no recording in {folder}: a recording is a video file ({known})")
    return recordings


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def lines_of(recording: Recording, scored: Scored, speaker: Speaker) -> Iterator[str]:
    """The lines of one recording."""
    summary = asdict(scored.summary)
    del summary["elapsed_s"]  # the one thing that is not the recording's
    head = {"recording": recording.name, "video": scored.summary.video, "scored_by": asdict(speaker)}
    yield json.dumps({"type": "recording", **head, "notice": NOTICE})
    yield from map(line_of, scored.messages)
    yield json.dumps({"type": "summary", **summary, "notice": NOTICE})


class Shelf:
    """A folder with one file of lines for each recording that is finished."""

    def __init__(self, folder: Path, speaker: Speaker) -> None:
        """Make the folder.

        Raises:
            SinkError: it cannot be made.
        """
        self._folder, self._speaker = folder, speaker
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"{folder} cannot be made: {error.strerror}") from error

    def file_of(self, recording: Recording) -> Path:
        """Where its lines go; the whole name, for `a.mp4` and `a.mkv` may lie side by side."""
        return self._folder / f"{recording.name}{LINES}"

    def with_known(self, recording: Recording) -> Recording:
        """The recording with the digest of what this speaker scored here under its name, if anything."""
        lines = self._read(recording)
        if lines is None or lines[0].get("scored_by") != asdict(self._speaker):
            return recording
        return replace(recording, known=str(lines[0].get("video")))

    def broke_off(self, recording: Recording) -> str | None:
        """What its file says of how it ended before its end; None: it did not."""
        lines = self._read(recording)
        broke_off: str | None = None if lines is None else lines[-1].get("broke_off")
        return broke_off

    def put(self, recording: Recording, scored: Scored) -> None:
        """Write its file: whole, or not at all.

        Raises:
            SinkError: the disk refuses.
        """
        path = self.file_of(recording)
        text = "".join(f"{line}\n" for line in lines_of(recording, scored, self._speaker))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, text.encode())
        except OSError as error:
            raise SinkError(f"{path} cannot be written: {error.strerror}") from error

    def _read(self, recording: Recording) -> list[dict[str, Any]] | None:
        """First and last line of its file; None: there is none that we wrote."""
        try:
            lines = self.file_of(recording).read_text(encoding="utf-8").splitlines()
            ends = [json_input.parse(lines[0]), json_input.parse(lines[-1])]
        except (OSError, ValueError, IndexError):
            return None
        return ends if all(isinstance(end, dict) for end in ends) else None
