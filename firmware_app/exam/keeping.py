"""The exam on the disk: to bytes and back.

What the networks saw (features, activation maps) is not kept: it counts for nothing any more. Serum values
are not kept either; they are entered again after an interruption.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any
from uuid import UUID

from cattrs.errors import BaseValidationError
from cattrs.preconf.json import make_converter

from firmware_app.exam.state import Exam, Phase
from firmware_app.journey import Attention, Features

FORMAT = 2
"""Another format is not read: the exam is closed then, not guessed at."""

_CONVERTER = make_converter(forbid_extra_keys=True)
_CONVERTER.register_unstructure_hook(UUID, str)
_CONVERTER.register_structure_hook(UUID, lambda text, _: UUID(text))
for _heavy in (Attention, Features):
    _CONVERTER.register_unstructure_hook(_heavy, lambda _: None)


def to_bytes(exam: Exam, bundle_id: str | None) -> bytes:
    """The exam and the bundle that scored it as JSON, behind its SHA-256."""
    bare = dataclasses.replace(exam, serum=None)
    content = json.dumps(
        {"format": FORMAT, "bundle_id": bundle_id, "exam": _CONVERTER.unstructure(bare)}
    ).encode()
    return hashlib.sha256(content).digest() + content


def from_bytes(content: bytes, bundle_id: str | None) -> Exam | None:
    """The exam; None: it is of another format, or damaged.

    Scores of another bundle than `bundle_id` mean nothing under this one: such an exam comes back as closed.
    """
    digest, text = content[:32], content[32:]
    if digest != hashlib.sha256(text).digest():
        return None
    try:
        kept: dict[str, Any] = json.loads(text)
        if kept["format"] != FORMAT:
            return None
        exam = _CONVERTER.structure(kept["exam"], Exam)
        foreign = kept["bundle_id"] != bundle_id
        return dataclasses.replace(exam, phase=Phase.CLOSED) if foreign and exam.is_current else exam
    except (ValueError, TypeError, KeyError, BaseValidationError):
        return None
