"""What codes look like and when one is right. Nothing here asks the database or the clock.

Codes of an authenticator app follow RFC 6238 with what every app takes: SHA-1, six digits, 30 seconds a step.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime
from uuid import UUID

import pyotp
import segno

STEP_SECONDS = 30
DIGITS = 6
#: steps before and after the present one whose code is taken too: clocks of phones differ
WINDOW = 1
RECOVERY_CODES = 10
#: 16 letters and digits of RFC 4648's alphabet: 80 random bits
RECOVERY_BYTES = 10
_CODE = re.compile(rf"\d{{{DIGITS}}}", re.ASCII)
_RECOVERY = re.compile(r"[a-z2-7]{16}", re.ASCII)


def new_secret() -> str:
    """160 random bits, as RFC 4226 recommends, in the letters and digits that people can type."""
    return pyotp.random_base32()


def step_of(moment: datetime) -> int:
    """The time step of a moment."""
    return int(moment.timestamp()) // STEP_SECONDS


def as_typed(text: str) -> str:
    """Without what people put between the groups: spaces and hyphens."""
    return re.sub(r"[\s-]", "", text[:64]).lower()


def is_code(typed: str) -> bool:
    return _CODE.fullmatch(typed) is not None


def is_recovery_code(typed: str) -> bool:
    return _RECOVERY.fullmatch(typed) is not None


def matching_step(secret: str, typed: str, moment: datetime, *, after: int | None) -> int | None:
    """The step whose code this is; None when it is none of those that are taken, or of no later one than `after`."""
    if not is_code(typed):
        return None
    maker = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    present = step_of(moment)
    found = None
    for step in range(present - WINDOW, present + WINDOW + 1):
        # every step is compared, and each comparison takes as long whatever was typed
        same = hmac.compare_digest(maker.generate_otp(step), typed)
        if same and (after is None or step > after):
            found = step
    return found


def in_groups(text: str) -> str:
    """`abcd efgh …`, for reading aloud and typing over."""
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def new_code() -> str:
    """80 random bits, as they are shown: `abcd-efgh-ijkl-mnop`."""
    return in_groups(base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()).replace(" ", "-")


def recovery_hash(factor_id: UUID, code: str) -> str:
    """What is stored of a recovery code."""
    return hashlib.sha256(f"{factor_id} {as_typed(code)}".encode()).hexdigest()


def picture(secret: str, *, email: str, issuer: str) -> str:
    """The address that an app scans, as a picture in a data: URI. Black on white in every theme, for scanners."""
    address = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS).provisioning_uri(name=email, issuer_name=issuer)
    drawn: str = segno.make(address, error="m").svg_data_uri(scale=5, border=4, light="white", dark="black")
    return drawn
