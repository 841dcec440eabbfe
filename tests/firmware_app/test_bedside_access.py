"""PIN and sessions of the bedside page: constant time, few tries, nothing for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_app.bedside.access import ADDRESSES, SESSION_S, SESSIONS, TRIES, WAIT_S, Access, read_pin
from firmware_app.errors import ConfigError

PIN = "271828"


def wrong(access: Access, times: int, address: str = "10.0.0.1", now_s: float = 0.0) -> None:
    """So many wrong PINs."""
    for _ in range(times):
        assert access.enter("000000", address, now_s) is None


def test_the_pin_opens_a_session_and_nothing_else_does() -> None:
    """Without a session nothing is seen; the right PIN opens one, which ends when left or after a shift."""
    access = Access(PIN)
    assert access.needs_pin
    assert not access.may_see(None, 0)
    assert not access.may_see("guess", 0)
    token = access.enter(PIN, "10.0.0.1", 0)
    assert token is not None
    assert len(token) > 40
    assert access.may_see(token, SESSION_S - 1)
    assert not access.may_see(token, SESSION_S)
    access.leave(token)
    assert not access.may_see(token, 1)


def test_wrong_pins_make_the_address_wait_and_no_other() -> None:
    """After five wrong PINs even the right one has to wait a minute; another tablet may still enter."""
    access = Access(PIN)
    wrong(access, TRIES)
    assert access.wait_s("10.0.0.1", 1) == WAIT_S - 1
    assert access.enter(PIN, "10.0.0.1", 1) is None
    assert access.enter(PIN, "10.0.0.2", 1) is not None
    assert access.enter(PIN, "10.0.0.1", WAIT_S) is not None


def test_many_addresses_together_have_to_wait_too() -> None:
    """Guessing from ever new addresses is bounded as a whole: thirty a minute, of a million PINs."""
    access = Access(PIN)
    for number in range(30):
        wrong(access, 1, f"10.0.1.{number}")
    assert access.wait_s("10.0.0.9", 1) > 0
    assert access.enter(PIN, "10.0.0.9", 1) is None
    assert access.enter(PIN, "10.0.0.9", WAIT_S + 1) is not None


def test_what_is_remembered_is_bounded() -> None:
    """Sessions and addresses do not pile up."""
    access = Access(PIN)
    tokens = [access.enter(PIN, "10.0.0.1", 0) for _ in range(SESSIONS + 1)]
    assert not access.may_see(tokens[0], 0)
    assert access.may_see(tokens[-1], 0)
    for number in range(ADDRESSES + 50):
        access.enter("000000", f"address {number}", number * WAIT_S)
    assert len(access._tries) <= ADDRESSES


def test_without_a_pin_everybody_who_reaches_the_page_sees_it() -> None:
    """On this machine alone no PIN is needed; none can be tried either."""
    access = Access(None)
    assert access.may_see(None, 0)
    assert access.enter("", "127.0.0.1", 0) is None


@pytest.mark.parametrize("text", ["", "12345", "\n123456", "x" * 65])
def test_a_pin_that_is_none_is_refused_at_the_start(tmp_path: Path, text: str) -> None:
    """The sentence names the setting and what to write, and never the PIN."""
    path = tmp_path / "pin"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bedside\.pin_file .* 6 to 64 characters") as refusal:
        read_pin(path)
    assert "12345" not in str(refusal.value)


def test_a_pin_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    """What stands below is a remark; a file that is not there is named."""
    path = tmp_path / "pin"
    path.write_text("271828\nfor room 1\n", encoding="utf-8")
    assert read_pin(path) == PIN
    with pytest.raises(ConfigError, match="cannot be read"):
        read_pin(tmp_path / "none")
