"""How passwords and short codes are stored: slow to compare, so that a copy of the database is not guessed through.

OWASP's argon2id advice through argon2-cffi's defaults (64 MiB, 3 passes).
"""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

_hasher = PasswordHasher()
#: each check takes 64 MiB and 4 threads: more at once would starve the machine
_hashing = threading.BoundedSemaphore(2)


def hashed(text: str) -> str:
    """What is stored of it."""
    with _hashing:
        return _hasher.hash(text)


def matches(stored: str, text: str) -> bool:
    """Whether this is what was stored."""
    with _hashing:
        try:
            return _hasher.verify(stored, text)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False


def is_outdated(stored: str) -> bool:
    """Whether it was stored with other parameters than those of today."""
    return _hasher.check_needs_rehash(stored)
