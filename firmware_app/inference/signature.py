"""Who made a bundle: Ed25519 signatures, and the keys that this appliance trusts.

Signed are the bytes of `bundle.json`, which lists the digest of every other file; so one signature covers
the whole folder. `bundle.sig` is one line of text, "ed25519 FINGERPRINT SIGNATURE", lower-case hexadecimal;
the fingerprint is the SHA-256 of the 32 bytes of the public key (RFC 8032).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from firmware_app.errors import KeyFileError

SIGNATURE_NAME = "bundle.sig"
"""The signature of `bundle.json`, beside it."""
SHIPPED_KEYS = Path(__file__).parent.parent / "bundles"
"""Here lies `demo.pub`, the key of the demonstration bundle; its private half was thrown away (ADR 14)."""
SHIPPED_NAME = "{} key (virtual patients)"
"""How a shipped key is called: whatever it signed has seen virtual patients only."""
SITE_KEYS = Path("/etc/fibrostage/keys")
"""Public keys that the site trusts, one `NAME.pub` each."""
_LINE = re.compile(rb"ed25519 ([0-9a-f]{64}) ([0-9a-f]{128})\n")
_KEY_FILE_LIMIT = 4096
"""Bytes; a public key in PEM has 113."""


class SignatureError(Exception):
    """Why a signature does not hold, as the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key.

    Attributes:
        name: of its file, without `.pub`, for people.
        fingerprint: SHA-256 of its 32 bytes, as hexadecimal digits.
        public: verifies.
    """

    name: str
    fingerprint: str
    public: Ed25519PublicKey


def fingerprint_of(public: Ed25519PublicKey) -> str:
    """SHA-256 of the key's 32 bytes, as hexadecimal digits."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def signature_line(public: Ed25519PublicKey, signature: bytes) -> bytes:
    """The content of `bundle.sig`."""
    return f"ed25519 {fingerprint_of(public)} {signature.hex()}\n".encode("ascii")


def read_public_key(path: Path) -> TrustedKey:
    """A public key from a PEM file.

    Raises:
        KeyFileError: the file cannot be read or holds no Ed25519 public key.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(_KEY_FILE_LIMIT)
    except OSError as error:
        raise KeyFileError(f"key {path} cannot be read ({error.strerror}); name a readable file") from error
    remedy = "make a pair with `fibrostage-export keygen`"
    try:
        public = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"key {path} is not a public key in PEM; {remedy}") from error
    if not isinstance(public, Ed25519PublicKey):
        raise KeyFileError(f"key {path} is not an Ed25519 key; {remedy}")
    return TrustedKey(path.stem, fingerprint_of(public), public)


def trusted_keys(site_folder: Path = SITE_KEYS) -> tuple[TrustedKey, ...]:
    """The key of the demonstration bundle and those of the site.

    Raises:
        KeyFileError: a file that ends in `.pub` is not a key.
    """
    shipped = [read_public_key(file) for file in sorted(SHIPPED_KEYS.glob("*.pub"))]
    named = [replace(key, name=SHIPPED_NAME.format(key.name)) for key in shipped]
    return (*named, *(read_public_key(file) for file in sorted(site_folder.glob("*.pub"))))


def verify(content: bytes, line: bytes, keys: Iterable[TrustedKey]) -> TrustedKey:
    """The trusted key that signed the content.

    Args:
        content: bytes of `bundle.json`.
        line: bytes of `bundle.sig`.
        keys: those that are trusted.

    Raises:
        SignatureError: the line is no signature, its key is not trusted, or it does not fit the content.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise SignatureError(f"{SIGNATURE_NAME} is not a signature; sign it with `fibrostage-export sign`")
    fingerprint, signature = match[1].decode("ascii"), bytes.fromhex(match[2].decode("ascii"))
    key = next((key for key in keys if key.fingerprint == fingerprint), None)
    if key is None:
        raise SignatureError(
            f"it is signed with the key {fingerprint[:16]}..., which is not trusted here; "
            f"if you trust its maker, put the public key into {SITE_KEYS}"
        )
    try:
        key.public.verify(signature, content)
    except InvalidSignature as error:
        raise SignatureError(
            f"bundle.json or {SIGNATURE_NAME} was altered: the signature of key {key.name} does not fit"
        ) from error
    return key
