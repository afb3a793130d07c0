"""The code of the second person: counts only together with what the first one hands over.

Who asked for an invitation or a reset makes its link or code and could use it alone. So who approved makes another one,
and the person needs both. Ten letters are short enough to be said aloud; they are stored by a slow hash, and tries are
counted before anything is looked at.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from uuid import UUID

from dashboard import clock
from dashboard.errors import DomainError, Invalid
from dashboard.staff import pauses, slow_hashing
from dashboard.staff.models import Countersigned

#: without i, l and o, which read like others: 45 random bits in ten of them
LETTERS = "abcdefghjkmnpqrstuvwxyz"
LENGTH = 10
_SHAPE = re.compile(rf"[{LETTERS}]{{{LENGTH}}}", re.ASCII)


class Wrong(Invalid):
    """It is not the one that was made last, too old, or none was made: the answer never says which."""


class Paused(DomainError):
    """After wrong ones none is looked at; `until` is when the next try is taken."""

    status = 422
    code = "countersignPaused"

    def __init__(self, until: datetime) -> None:
        super().__init__("Too many wrong codes. Nothing was changed.")
        self.until = until


def make(of: Countersigned, *, by: UUID, until: datetime) -> str:
    """A fresh one, in place of one made before; stored nowhere. Tries begin anew. Gives it as it is shown."""
    code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
    of.countersign_hash = slow_hashing.hashed(code)
    of.countersign_by = by
    of.countersign_until = until
    of.countersign_failures = 0
    of.countersign_locked_until = None
    return f"{code[:5]}-{code[5:]}"


def begin_try(of: Countersigned) -> datetime | None:
    """Count one try before the code is looked at; the row is locked. Raises Paused.

    Gives the end of the pause that this try brings should it fail. The caller commits before the code is looked at.
    """
    moment = clock.now()
    if of.countersign_locked_until is not None and of.countersign_locked_until > moment:
        raise Paused(of.countersign_locked_until)
    of.countersign_failures += 1
    pause = pauses.after(of.countersign_failures)
    if pause is not None:
        of.countersign_locked_until = moment + pause
    return moment + pause if pause is not None else None


def check(of: Countersigned, typed: str, *, field: str) -> None:
    """The caller has committed `begin_try`. Raises Wrong, naming the field."""
    code = re.sub(r"[\s-]", "", typed[:64]).lower()
    stored, until = of.countersign_hash, of.countersign_until
    if (
        stored is None
        or until is None
        or until <= clock.now()
        or not _SHAPE.fullmatch(code)
        or not slow_hashing.matches(stored, code)
    ):
        raise Wrong.one(field, "This code is wrong or too old. Ask who gave it to you for another one.", "wrong")
