"""The crops of this exam, in memory only: they go when their verdict goes, and all when the exam ends."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import cv2

from firmware_app.journey import Crops, Picture

Pane = Literal["elastogram", "gray"]
PANES: tuple[Pane, ...] = ("elastogram", "gray")
PAGES = 16
"""Verdicts whose crops are kept: five that count, and the latest refusals."""
_QUALITY = 92


@dataclass(frozen=True, slots=True)
class _Page:
    elastogram: Picture
    gray: Picture


class Album:
    """Crops by the id of their acquisition or refusal; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: dict[UUID, _Page] = {}

    def add(self, verdict_id: UUID, crops: Crops) -> None:
        """Keep the crops of a verdict; beyond `PAGES` the oldest go."""
        with self._lock:
            self._pages[verdict_id] = _Page(crops.elastogram, crops.gray)
            while len(self._pages) > PAGES:
                del self._pages[next(iter(self._pages))]

    def keep_only(self, verdict_ids: Collection[UUID]) -> None:
        """Let go of everything else."""
        with self._lock:
            self._pages = {key: page for key, page in self._pages.items() if key in verdict_ids}

    def __contains__(self, verdict_id: object) -> bool:
        with self._lock:
            return verdict_id in self._pages

    def __len__(self) -> int:
        with self._lock:
            return len(self._pages)

    def picture(self, verdict_id: UUID, pane: Pane) -> Picture | None:
        """One crop, RGB; None: it is not there, or no longer."""
        with self._lock:
            page = self._pages.get(verdict_id)
        if page is None:
            return None
        return page.elastogram if pane == "elastogram" else page.gray

    def jpeg(self, verdict_id: UUID, pane: Pane) -> bytes | None:
        """One crop as JPEG."""
        picture = self.picture(verdict_id, pane)
        if picture is None:
            return None
        coded = cv2.imencode(
            ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        )
        return coded[1].tobytes()
