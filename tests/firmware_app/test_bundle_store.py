"""A bundle is installed wholly or not at all, the one before stays at hand, and there is a way back."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from firmware_app import bundle_store
from firmware_app.bundle_store import current_of, install, list_bundles, previous_of, rollback
from firmware_app.errors import BundleError
from firmware_app.inference.bundle import Bundle, load_bundle
from firmware_app.inference.signature import TrustedKey
from tests.firmware_app.bundle_examples import TRUST, write_small_bundle


def works(_bundle: Bundle) -> None:
    """A self-test that is passed: the small bundles have no graph to run."""


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """Three different bundles."""
    return [
        write_small_bundle(tmp_path / f"source{number}", training={"seed": number}) for number in range(3)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where they are installed; not there yet."""
    return tmp_path / "state" / "bundles"


def roles(store: Path) -> dict[str, str]:
    """Role and seed of everything in the store."""
    return {
        one.role: str(one.bundle.manifest.training["seed"]) if one.bundle else one.complaint
        for one in list_bundles(store, TRUST)
    }


def test_install_keeps_the_bundle_before_and_removes_older_ones(store: Path, sources: list[Path]) -> None:
    """Of three installed bundles the last is in use, the second is kept, the first is gone."""
    assert current_of(store) is None
    assert list_bundles(store, TRUST) == []
    for source in sources:
        installed = install(store, source, TRUST, works)
        assert current_of(store) == installed.folder
    assert roles(store) == {"current": "2", "previous": "1"}
    assert sorted(path.name for path in store.iterdir() if not path.is_symlink()) == sorted(
        load_bundle(source, TRUST).manifest.bundle_id for source in sources[1:]
    )


def test_installed_bundle_is_a_copy_that_every_user_may_read(store: Path, sources: list[Path]) -> None:
    """The source may vanish, and a strict umask does not lock the appliance's own user out."""
    before = os.umask(0o077)
    try:
        installed = install(store, sources[0], TRUST, works)
    finally:
        os.umask(before)
    shutil.rmtree(sources[0])
    assert load_bundle(store / "current", TRUST).manifest == installed.manifest
    assert {path.stat().st_mode & 0o777 for path in installed.folder.iterdir()} == {0o644}
    assert installed.folder.stat().st_mode & 0o777 == 0o755


def test_rollback_swaps_current_and_previous(store: Path, sources: list[Path]) -> None:
    """Back, and back again."""
    for source in sources[:2]:
        install(store, source, TRUST, works)
    assert rollback(store, TRUST).manifest.training["seed"] == 0
    assert roles(store) == {"current": "0", "previous": "1"}
    assert rollback(store, TRUST).manifest.training["seed"] == 1
    assert roles(store) == {"current": "1", "previous": "0"}


def test_damaged_bundle_does_not_become_the_way_back(store: Path, sources: list[Path]) -> None:
    """After a damaged bundle in use was replaced, the way back leads to the sound one before it."""
    first = install(store, sources[0], TRUST, works).folder
    second = install(store, sources[1], TRUST, works).folder
    (second / "model_card.md").write_text("altered", encoding="utf-8")
    third = install(store, sources[2], TRUST, works).folder
    assert (current_of(store), previous_of(store)) == (third, first)


def test_rollback_without_a_previous_bundle_changes_nothing(store: Path, sources: list[Path]) -> None:
    """With one bundle there is no way back, and it says so."""
    install(store, sources[0], TRUST, works)
    with pytest.raises(BundleError, match="no previous bundle"):
        rollback(store, TRUST)
    assert roles(store) == {"current": "0"}


def test_rollback_to_a_damaged_bundle_changes_nothing(store: Path, sources: list[Path]) -> None:
    """A previous bundle that was altered on the disk is not put in use, and the list names it."""
    for source in sources[:2]:
        install(store, source, TRUST, works)
    with (store / "previous" / "graph.onnx").open("r+b") as graph:
        graph.write(b"X")
    with pytest.raises(BundleError, match=r"graph\.onnx was altered"):
        rollback(store, TRUST)
    assert roles(store)["current"] == "1"
    assert "graph.onnx was altered" in roles(store)["previous"]


def test_bundle_that_fails_its_self_test_is_not_installed(store: Path, sources: list[Path]) -> None:
    """The copy is tested before the switch; a failure leaves everything as it was."""

    def fails(_bundle: Bundle) -> None:
        raise BundleError("its self-test failed")

    install(store, sources[0], TRUST, works)
    with pytest.raises(BundleError, match="self-test"):
        install(store, sources[1], TRUST, fails)
    assert roles(store) == {"current": "0"}


def test_untrusted_or_altered_bundle_is_not_installed(store: Path, sources: list[Path]) -> None:
    """Nothing is even copied."""
    with pytest.raises(BundleError, match="not trusted"):
        install(store, sources[0], (), works)
    (sources[0] / "extra").touch()
    with pytest.raises(BundleError, match="extra"):
        install(store, sources[0], TRUST, works)
    assert not store.exists()


def test_file_exchanged_after_the_check_is_not_followed(
    store: Path, sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link put into the source between check and copy reaches no other file, whose mode stays."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    secret.chmod(0o600)
    sound = load_bundle(sources[0], TRUST)

    def exchanged_after_the_check(folder: Path, keys: Sequence[TrustedKey]) -> Bundle:
        if folder != sources[0]:
            return load_bundle(folder, keys)
        card = folder / "model_card.md"
        card.unlink()
        card.symlink_to(secret)
        return sound

    monkeypatch.setattr(bundle_store, "load_bundle", exchanged_after_the_check)
    with pytest.raises(BundleError, match="link"):
        install(store, sources[0], TRUST, works)
    assert secret.stat().st_mode & 0o777 == 0o600
    assert list(store.iterdir()) == []


def test_store_that_cannot_be_made_is_named(sources: list[Path], tmp_path: Path) -> None:
    """The sentence names the store and says what to do, for install and rollback alike."""
    store = tmp_path / "file"
    store.touch()
    with pytest.raises(BundleError, match=r"file cannot be changed .*bundle_store"):
        install(store, sources[0], TRUST, works)
    with pytest.raises(BundleError, match=r"file cannot be changed .*bundle_store"):
        rollback(store, TRUST)


def test_installing_again_mends_a_damaged_copy(store: Path, sources: list[Path]) -> None:
    """The same bundle once more replaces what was altered on the disk, and does not push the previous out."""
    for source in sources[:2]:
        install(store, source, TRUST, works)
    (store / "current" / "model_card.md").unlink()
    install(store, sources[1], TRUST, works)
    install(store, sources[1], TRUST, works)
    assert roles(store) == {"current": "1", "previous": "0"}


def test_two_changes_at_once_are_refused(store: Path, sources: list[Path]) -> None:
    """Whoever comes second is told to try again."""
    install(store, sources[0], TRUST, works)
    descriptor = os.open(store, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(BundleError, match="another program"):
            install(store, sources[1], TRUST, works)
    finally:
        os.close(descriptor)
    assert roles(store) == {"current": "0"}


# Installs and rolls back in a child that dies at its n-th call to the file system, for every n. The children
# are forked from a process without threads, so the loop is quick.
POWER_CUT = """
import os, signal, sys
from pathlib import Path
from firmware_app.bundle_store import install, list_bundles, rollback
from firmware_app.inference.signature import read_public_key

action, state, first, second, third, key = sys.argv[1], *map(Path, sys.argv[2:])
TRUST = (read_public_key(key),)
WATCHED = {"os.rename", "os.symlink", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "open"}


def act(store):
    if action == "install":
        install(store, third, TRUST, lambda bundle: None)
    else:
        rollback(store, TRUST)


def dies_at(store, moment):
    child = os.fork()
    if child == 0:
        seen = 0

        def hook(event, arguments):
            nonlocal seen
            if event in WATCHED:
                seen += 1
                if seen == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        act(store)
        os._exit(0)
    return os.waitpid(child, 0)[1] != 0


moment = 0
while True:
    moment += 1
    store = state / str(moment)
    for source in (first, second):
        install(store, source, TRUST, lambda bundle: None)
    died = dies_at(store, moment)
    after = {one.role: one for one in list_bundles(store, TRUST)}
    assert after["current"].bundle is not None, (moment, after)
    install(store, third, TRUST, lambda bundle: None)
    after = {one.role: one for one in list_bundles(store, TRUST)}
    assert after["current"].bundle.manifest.training["seed"] == 2, (moment, after)
    assert not [path for path in store.iterdir() if path.name.startswith(".")], moment
    if not died:
        break
print(moment)
"""


@pytest.mark.timeout(300)  # some fifty processes, one after the other
@pytest.mark.parametrize("action", ["install", "rollback"])
def test_power_cut_at_any_moment_leaves_a_sound_bundle_in_use(
    action: str, tmp_path: Path, sources: list[Path]
) -> None:
    """Killed at every single call to the file system, the store stays usable and the next install works."""
    from model_export.signing import public_pem  # noqa: PLC0415 - the other tests need no private key
    from tests.firmware_app.bundle_examples import KEY  # noqa: PLC0415 - see above

    key = tmp_path / "tests.pub"
    key.write_bytes(public_pem(KEY))
    done = subprocess.run(
        [sys.executable, "-c", POWER_CUT, action, str(tmp_path / "state"), *map(str, sources), str(key)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > (40 if action == "install" else 15)
