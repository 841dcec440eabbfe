"""Who may see the page: a PIN, compared in constant time, few tries, and sessions that live in memory.

Pure but for the random tokens: time is an argument.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from firmware_app.errors import ConfigError

SHORTEST, LONGEST = 6, 64
"""Characters of a PIN."""
TRIES = 5
"""Wrong PINs from one address before it has to wait."""
TRIES_OF_ALL = 30
"""Wrong PINs from all addresses together before everybody has to wait."""
WAIT_S = 60.0
SESSION_S = 12 * 60 * 60.0
"""A shift."""
SESSIONS = 64
ADDRESSES = 256
"""Addresses whose wrong tries are remembered; the oldest is forgotten."""


def read_pin(path: Path) -> str:
    """The PIN: first line of its file.

    Raises:
        ConfigError: it cannot be read, or is too short or too long.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"bedside.pin_file {path} cannot be read: {error}") from error
    pin = lines[0].strip() if lines else ""
    if not SHORTEST <= len(pin) <= LONGEST:
        raise ConfigError(
            f"bedside.pin_file {path}: write a PIN of {SHORTEST} to {LONGEST} characters in its first line"
        )
    return pin


@dataclass(slots=True)
class _Tries:
    """Wrong PINs since `since_s`."""

    since_s: float
    count: int = 0

    def left_s(self, now_s: float, allowed: int) -> float:
        """How long to wait before the next try."""
        return max(0.0, self.since_s + WAIT_S - now_s) if self.count >= allowed else 0.0

    def note(self, now_s: float) -> None:
        if now_s - self.since_s >= WAIT_S:
            self.since_s, self.count = now_s, 0
        self.count += 1


class Access:
    """The PIN and the sessions that it opened. Without a PIN everybody who reaches the page may see it."""

    def __init__(self, pin: str | None) -> None:
        self._pin = None if pin is None else _digest(pin)
        self._sessions: OrderedDict[bytes, float] = OrderedDict()
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._all = _Tries(0.0)

    @property
    def needs_pin(self) -> bool:
        """Whether a PIN is set."""
        return self._pin is not None

    def wait_s(self, address: str, now_s: float) -> float:
        """How long this address has to wait before its next try; 0: it may try."""
        own = self._tries.get(address)
        return max(self._all.left_s(now_s, TRIES_OF_ALL), 0.0 if own is None else own.left_s(now_s, TRIES))

    def enter(self, pin: str, address: str, now_s: float) -> str | None:
        """Try a PIN: the token of a new session, or None: it is wrong, or the address has to wait."""
        if self._pin is None or self.wait_s(address, now_s) > 0:
            return None
        if not hmac.compare_digest(self._pin, _digest(pin)):
            own = self._tries.setdefault(address, _Tries(now_s))
            own.note(now_s)
            self._all.note(now_s)
            while len(self._tries) > ADDRESSES:
                self._tries.popitem(last=False)
            return None
        self._tries.pop(address, None)
        token = secrets.token_urlsafe(32)
        self._sessions[_digest(token)] = now_s
        while len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return token

    def may_see(self, token: str | None, now_s: float) -> bool:
        """Whether a session's token is good."""
        if self._pin is None:
            return True
        began_s = None if token is None else self._sessions.get(_digest(token))
        return began_s is not None and now_s - began_s < SESSION_S

    def leave(self, token: str | None) -> None:
        """End a session."""
        if token is not None:
            self._sessions.pop(_digest(token), None)


def _digest(text: str) -> bytes:
    """Equally long for every text, so that a comparison tells nothing about it."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
