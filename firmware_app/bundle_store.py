"""The bundles that are installed on an appliance: one in use, the one before, and a way back.

    STORE/demo-6b29ba1ab1d8/      a bundle, named by its id
    STORE/current -> demo-...     the one in use
    STORE/previous -> ...         the one before

A switch is the renaming of a link, which happens wholly or not at all. So a power cut at any moment leaves
a sound bundle in use; what was half copied has a name that nobody reads and goes with the next install.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from calibration.whole_file import sync
from firmware_app.errors import BundleError
from firmware_app.inference.bundle import FILE_LIMIT, GRAPH_LIMIT, Bundle, Manifest, load_bundle
from firmware_app.inference.bundle_files import copy_file, names_in
from firmware_app.inference.signature import TrustedKey

CURRENT, PREVIOUS = "current", "previous"
_HALF_COPIED = ".new-"
Role = Literal["current", "previous", "installed"]


@dataclass(frozen=True, slots=True)
class Installed:
    """A bundle in the store.

    Attributes:
        folder: where it lies.
        role: in use, the one before, or neither.
        bundle: as it was checked; None: it is not sound.
        complaint: why it is not sound; empty: it is.
    """

    folder: Path
    role: Role
    bundle: Bundle | None
    complaint: str = ""


def current_of(store: Path) -> Path | None:
    """Folder of the bundle in use; None: none was installed."""
    return _target(store, CURRENT)


def previous_of(store: Path) -> Path | None:
    """Folder of the bundle before the one in use; None: there is none."""
    return _target(store, PREVIOUS)


def list_bundles(store: Path, keys: Sequence[TrustedKey]) -> list[Installed]:
    """Every bundle in the store, the one in use first, each one checked."""
    roles: dict[Path, Role] = {}
    previous, current = _target(store, PREVIOUS), _target(store, CURRENT)
    if previous is not None:
        roles[previous] = "previous"
    if current is not None:
        roles[current] = "current"
    folders = [] if not store.is_dir() else sorted(store.iterdir())
    for folder in folders:
        if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith("."):
            roles.setdefault(folder, "installed")
    order = (CURRENT, PREVIOUS, "installed")
    return [
        _checked(folder, role, keys)
        for folder, role in sorted(roles.items(), key=lambda i: order.index(i[1]))
    ]


def install(
    store: Path, source: Path, keys: Sequence[TrustedKey], self_test: Callable[[Bundle], object]
) -> Bundle:
    """Copy a bundle into the store, check the copy, and put it in use; the one in use becomes the previous.

    Args:
        store: folder of the installed bundles; made if it is missing.
        source: folder of the bundle.
        keys: who is trusted.
        self_test: raises if the bundle does not work on this machine.

    Raises:
        BundleError: the bundle is not sound, not trusted or fails its self-test; nothing has changed then.
    """
    manifest = load_bundle(source, keys).manifest
    with _locked(store):
        folder = store / manifest.bundle_id
        copy = store / f"{_HALF_COPIED}{manifest.bundle_id}"
        _remove_half_copied(store)
        try:
            self_test(_copied(source, copy, manifest, keys))
        except BaseException:
            # On a full disk, half a copy would keep it full.
            shutil.rmtree(copy, ignore_errors=True)
            raise
        if folder.exists():
            # The same id stands for the same content: what lies there is kept unless it was damaged.
            if not _checked(folder, "installed", keys).complaint:
                shutil.rmtree(copy)
            else:
                shutil.rmtree(folder)
        if copy.exists():
            copy.rename(folder)
        sync(store)
        before = _target(store, CURRENT)
        # A way back that leads to a damaged bundle is none: the sound one before it stays.
        if before is not None and before != folder and not _checked(before, "current", keys).complaint:
            _point(store, PREVIOUS, before.name)
        _point(store, CURRENT, folder.name)
        _remove_older(store)
    return load_bundle(folder, keys)


def rollback(store: Path, keys: Sequence[TrustedKey]) -> Bundle:
    """Put the previous bundle in use again; the one in use becomes the previous.

    Raises:
        BundleError: there is no previous bundle, or it is not sound; nothing has changed then.
    """
    with _locked(store):
        current, previous = _target(store, CURRENT), _target(store, PREVIOUS)
        if previous is None or previous == current:
            raise BundleError(f"{store} holds no previous bundle to go back to; install one")
        bundle = load_bundle(previous, keys)
        _point(store, CURRENT, previous.name)
        if current is not None:
            _point(store, PREVIOUS, current.name)
    return bundle


def _checked(folder: Path, role: Role, keys: Sequence[TrustedKey]) -> Installed:
    try:
        return Installed(folder, role, load_bundle(folder, keys))
    except BundleError as error:
        return Installed(folder, role, None, str(error))


def _target(store: Path, link: str) -> Path | None:
    """Folder that a link of the store names, whether it is there or not."""
    path = store / link
    # Only the last part counts: no link leads out of the store.
    return store / path.readlink().name if path.is_symlink() else None


def _copied(source: Path, copy: Path, manifest: Manifest, keys: Sequence[TrustedKey]) -> Bundle:
    """Copy a checked bundle's files, readable for every user and on the disk, and check the copy.

    Whoever may write into the source can exchange a file after the check: links are refused here, too.
    """
    copy.mkdir(mode=0o755)
    for name in sorted(names_in(source)):
        copy_file(source, name, GRAPH_LIMIT if name == manifest.graph.file else FILE_LIMIT, copy / name)
    copy.chmod(0o755)
    sync(copy)
    copied = load_bundle(copy, keys)
    if copied.manifest != manifest:
        raise BundleError(f"bundle {source} changed while it was copied; install it again")
    return copied


def _point(store: Path, link: str, name: str) -> None:
    """Make a link name another bundle, wholly or not at all."""
    fresh = store / f".{link}.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name, target_is_directory=True)
    fresh.replace(store / link)
    sync(store)


def _remove_half_copied(store: Path) -> None:
    for folder in store.glob(f"{_HALF_COPIED}*"):
        shutil.rmtree(folder)


def _remove_older(store: Path) -> None:
    kept = {_target(store, CURRENT), _target(store, PREVIOUS)}
    for folder in store.iterdir():
        if folder.is_dir() and not folder.is_symlink() and folder not in kept:
            shutil.rmtree(folder)


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    """One change at a time; the store is made with its parent's owner, so the appliance may switch back."""
    try:
        if not store.is_dir():
            store.mkdir(parents=True, mode=0o755)
            if os.geteuid() == 0:
                owner = store.parent.stat()
                os.chown(store, owner.st_uid, owner.st_gid)
        descriptor = os.open(store, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(descriptor)
    except BlockingIOError as error:
        raise BundleError(f"{store} is being changed by another program; try again") from error
    except OSError as error:
        raise BundleError(
            f"{store} cannot be changed ({error.strerror}); run the command as root, look for free space, "
            "or set bundle_store to another folder"
        ) from error
