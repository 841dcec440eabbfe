"""An older file is read as it is, lifted on demand with its comments, and kept beside the new one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from firmware_app.config import load_config
from firmware_app.config.migrations import migrate_file
from firmware_app.config.settings import VERSION
from firmware_app.errors import ConfigError
from tests.conftest import call

OLD = """# Room 7, installed by J. D.
site = "st-elsewhere"   # as on the broker
audit = "/var/lib/fibrostage/audit"  # asked for by the study
snapshot = "/run/fibrostage/snapshot.png"

# the scanner's own card
[source]
device = "/dev/fibrostage-capture"   # by the udev rule

[mqtt]
required = false # unattended
"""
"""A file as version 0.1.0 of the software had it; its layout is version 1."""
NEW = """version = 2
# Room 7, installed by J. D.
site = "st-elsewhere"   # as on the broker

# the scanner's own card
[source]
device = "/dev/fibrostage-capture"   # by the udev rule

[mqtt]
required = false # unattended

[records]
audit = "/var/lib/fibrostage/audit"  # asked for by the study
snapshot = "/run/fibrostage/snapshot.png"
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of version 1."""
    path = tmp_path / "fibrostage.toml"
    path.write_text(OLD, encoding="utf-8")
    path.chmod(0o640)
    return path


def test_an_older_file_is_read_as_it_is(old: Path) -> None:
    """Nobody has to lift a file: its settings stand where this version has them, the file is untouched."""
    config = load_config(old)
    assert config.records.audit == Path("/var/lib/fibrostage/audit")
    assert config.records.snapshot == Path("/run/fibrostage/snapshot.png")
    assert (config.version, config.site) == (VERSION, "st-elsewhere")
    assert old.read_text("utf-8") == OLD


def test_a_lifted_file_keeps_every_comment(old: Path) -> None:
    """Settings move with their comments; the old file lies beside it, with the same rights."""
    before = load_config(old)
    done = migrate_file(old)
    assert done is not None
    assert (done.came_from, done.backup.name) == (1, "fibrostage.toml.v1.bak")
    assert done.backup.read_text("utf-8") == OLD
    assert old.read_text("utf-8") == NEW
    assert load_config(old) == before
    assert {file.stat().st_mode & 0o777 for file in old.parent.iterdir()} == {0o640}


def test_lifting_twice_does_nothing(old: Path) -> None:
    """The second time there is nothing to do, and no further copy."""
    migrate_file(old)
    assert migrate_file(old) is None
    assert sorted(file.name for file in old.parent.iterdir()) == ["fibrostage.toml", "fibrostage.toml.v1.bak"]


def test_an_earlier_copy_is_never_overwritten(old: Path) -> None:
    """A copy of another content stays, and the new one gets the next name; the same content is kept once."""
    first = old.with_name("fibrostage.toml.v1.bak")
    first.write_text("# of last year\n")
    for _ in range(2):
        old.write_text(OLD, encoding="utf-8")
        done = migrate_file(old)
        assert done is not None
        assert done.backup.name == "fibrostage.toml.v1.bak-2"
    assert first.read_text() == "# of last year\n"


def test_a_lift_that_was_cut_off_is_no_obstacle(old: Path) -> None:
    """What a power cut left beside the file does not keep it from being lifted."""
    old.with_name(".fibrostage.toml.new").write_text("versi")
    assert migrate_file(old) is not None
    assert old.read_text("utf-8") == NEW


def test_windows_line_ends_stay(old: Path) -> None:
    """A file that an editor on Windows wrote keeps its line ends."""
    old.write_bytes(OLD.replace("\n", "\r\n").encode())
    migrate_file(old)
    assert old.read_bytes() == NEW.replace("\n", "\r\n").encode()


def test_a_link_stays_a_link(old: Path, tmp_path: Path) -> None:
    """A file that is reached through a link is lifted where it lies."""
    link = tmp_path / "folder" / "link.toml"
    link.parent.mkdir()
    link.symlink_to(old)
    done = migrate_file(link)
    assert done is not None
    assert link.is_symlink()
    assert done.backup.parent == old.parent
    assert old.read_text("utf-8") == NEW


def test_a_file_from_the_future_is_left_alone(old: Path) -> None:
    """It is refused by its version, in reading and in lifting, and not touched."""
    old.write_text("version = 3\nsite = 'a'\n")
    for work in (load_config, migrate_file):
        with pytest.raises(ConfigError, match=f"{old}: it is of version 3, .* up to version 2"):
            work(old)
    assert [file.read_text() for file in old.parent.iterdir()] == ["version = 3\nsite = 'a'\n"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_closed(old: Path) -> None:
    """Whoever may not write there is told so."""
    old.parent.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match="cannot be replaced"):
            migrate_file(old)
    finally:
        old.parent.chmod(0o700)


def test_as_a_technician_does_it(old: Path) -> None:
    """The command tells what it did and where the old file lies; the second time there is nothing to do."""
    told = call("fibrostage", "migrate-config", old)
    assert (told.code, told.err) == (0, "")
    assert "version 1 to 2" in told.out
    assert "fibrostage.toml.v1.bak" in told.out
    assert "nothing to do" in call("fibrostage", "migrate-config", old).out
    assert call("fibrostage", "migrate-config", old.with_name("gone.toml")).code == 2
