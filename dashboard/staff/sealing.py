"""The secrets of second factors, encrypted at rest: a copy of the database makes no codes.

AES-256-GCM (cryptography), a fresh nonce each time, bound to the id of the row: what is sealed for one person opens for
no other. The keys come from SECOND_FACTOR_KEY; the first seals and all of them open, so that they can be changed.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dashboard.settings import Settings

_VERSION = "1."
_NONCE_BYTES = 12
_keys: list[tuple[str, AESGCM]] = []


class Unreadable(RuntimeError):
    """No key opens it: SECOND_FACTOR_KEY was changed without keeping the one before."""


def _derived(text: str, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(text.encode())


def _key(text: str) -> tuple[str, AESGCM]:
    """A name for it, which may be printed and tells nothing of it; and the key."""
    name = _derived(text, b"countinghouse second factor, name of the key", 4).hex()
    return name, AESGCM(_derived(text, b"countinghouse second factor 1", 32))


def install(settings: Settings) -> None:
    """Say which keys there are; called once, by the application factory."""
    _keys[:] = [_key(text) for text in settings.factor_keys()]


def seal(secret: str, *, of: UUID) -> str:
    """Encrypt for the row with this id."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = _keys[0][1].encrypt(nonce, secret.encode(), of.bytes)
    return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode()


def key_names() -> list[str]:
    """The keys that there are; the first seals."""
    return [name for name, _ in _keys]


def unseal(sealed: str, *, of: UUID) -> str:
    """Give the secret back. Raises Unreadable."""
    return opened(sealed, of=of)[1]


def opened(sealed: str, *, of: UUID) -> tuple[str, str]:
    """The name of the key that sealed it, and the secret. Raises Unreadable."""
    try:
        raw = base64.urlsafe_b64decode(sealed.removeprefix(_VERSION))
    except binascii.Error:
        raise Unreadable("this secret was not sealed here") from None
    for name, key in _keys:
        try:
            return name, key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], of.bytes).decode()
        except (InvalidTag, ValueError):
            continue
    raise Unreadable("no key of SECOND_FACTOR_KEY opens the secret of a second factor")
