"""Whether a body was signed by Sumsub: HMAC in lower-case hex over the raw bytes, and nothing else.

The algorithm is pinned in the settings: an attacker may write the header as well as the body. A header that names
another one is refused; one that is missing means the pinned one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from dashboard.onboarding.sumsub.vocabulary import Algorithm, Refusal

DIGEST_HEADER = "X-Payload-Digest"
ALGORITHM_HEADER = "X-Payload-Digest-Alg"

_HASHES = {Algorithm.SHA1: hashlib.sha1, Algorithm.SHA256: hashlib.sha256, Algorithm.SHA512: hashlib.sha512}
_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}", re.ASCII)


def sign(secret: str, body: bytes, algorithm: Algorithm = Algorithm.SHA256) -> str:
    """The digest of a body, in lower-case hex."""
    return hmac.new(secret.encode(), body, _HASHES[algorithm]).hexdigest()


def check(
    body: bytes, digest: str | None, algorithm: str | None, *, secrets: Sequence[str], pinned: Algorithm
) -> int | Refusal:
    """The number of the secret that signed it (0: the first), or why it is refused.

    Every secret is tried, so that the time tells nothing of which one fitted; each comparison is of constant time.
    """
    if algorithm is not None and algorithm != pinned.value:
        return Refusal.ALGORITHM
    if not digest:
        return Refusal.MISSING
    if not _HEX.fullmatch(digest):
        return Refusal.MALFORMED
    fitting = [
        number for number, secret in enumerate(secrets) if hmac.compare_digest(sign(secret, body, pinned), digest)
    ]
    return fitting[0] if fitting else Refusal.WRONG
