"""Private keys, and the signatures that they put under a bundle.

A bundle that is written without a key is signed with one that is made for it alone: the public half is
left beside it, the private half is never written anywhere. The signature then says that nothing changed
since; who made the bundle is for the public key's way to tell.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from firmware_app.errors import KeyFileError
from firmware_app.inference.bundle import MANIFEST_LIMIT, MANIFEST_NAME, Bundle, check_content, load_bundle
from firmware_app.inference.bundle_files import names_in, read_small
from firmware_app.inference.signature import SIGNATURE_NAME, TrustedKey, fingerprint_of, signature_line

PUBLIC_SUFFIX = ".pub"
_REMEDY = "make a pair with `fibrostage-export keygen`"


def new_key() -> Ed25519PrivateKey:
    """A fresh private key."""
    return Ed25519PrivateKey.generate()


def write_key(key: Ed25519PrivateKey, path: Path) -> Path:
    """Write a private key that only its owner may read, and the public one beside it; returns the latter.

    Raises:
        KeyFileError: one of the two files exists and is not overwritten, or they cannot be written.
    """
    if not path.name:
        raise KeyFileError(f"{path} is a folder; name the file of the private key, e.g. liver-centre.pem")
    public = path.with_suffix(PUBLIC_SUFFIX)
    if public == path:
        raise KeyFileError(f"{path} would be the public key's name; give another name for the private key")
    for file in (path, public):
        if file.exists():
            raise KeyFileError(f"{file} exists and is not overwritten; give another name")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # The mode is given when the file is made: there is no moment at which others could read it.
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(pem)
        public.write_bytes(public_pem(key))
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written ({error.strerror}); name another folder") from error
    return public


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """The public half, as it stands in a `.pub` file."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_key(path: Path) -> Ed25519PrivateKey:
    """A private key from a PEM file without a passphrase.

    Raises:
        KeyFileError: the file cannot be read or holds no such key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise KeyFileError(f"key {path} cannot be read ({error.strerror}); {_REMEDY}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"key {path} is not a private PEM key without a passphrase; {_REMEDY}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"key {path} is not an Ed25519 key; {_REMEDY}")
    return key


def trusted(key: Ed25519PrivateKey, name: str = "signer") -> TrustedKey:
    """The public half as a trusted key, to check what was just signed."""
    public = key.public_key()
    return TrustedKey(name, fingerprint_of(public), public)


def signature_of(content: bytes, key: Ed25519PrivateKey) -> bytes:
    """What `bundle.sig` holds for these bytes of `bundle.json`."""
    return signature_line(key.public_key(), key.sign(content))


def sign_bundle(folder: Path, key: Ed25519PrivateKey) -> Bundle:
    """Sign a bundle in place of whoever signed it before, once everything else in it has been checked.

    Raises:
        BundleError: the bundle is not sound; it is left as it was.
    """
    content = read_small(folder, MANIFEST_NAME, MANIFEST_LIMIT)
    check_content(folder, names_in(folder), content)
    # Written beside the bundle first: in it, an unfinished file would make the bundle unsound.
    fresh = folder.resolve().with_name(f".{folder.resolve().name}.sig")
    fresh.write_bytes(signature_of(content, key))
    fresh.replace(folder / SIGNATURE_NAME)
    return load_bundle(folder, [trusted(key)])
