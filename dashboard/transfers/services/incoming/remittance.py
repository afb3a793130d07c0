"""References of clients in a remittance text (`services.references` makes them): found however they are written."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.numbers import check_digits
from dashboard.transfers.models import ClientReference

SHORTEST, LONGEST = 6, 35
#: digits alone that are shorter look like dates and amounts: they are not put together across blanks
SHORTEST_DIGITS_IN_PIECES = 10
#: most of a text that is looked at: four lines of a message have 140 letters, a generous one a few thousand
LONGEST_TEXT = 5_000

_CREDITOR_REFERENCE = re.compile(r"RF[0-9]{2}[0-9A-Z]{1,21}")
_PIECE = re.compile(r"[^\W_]+", re.ASCII)


def written_alike(text: str) -> str:
    """Upper case, compatible letters (full width, small caps) as plain ones; nothing is taken away."""
    return unicodedata.normalize("NFKC", text).upper()


def _unpadded(key: str) -> str:
    """A creditor reference (ISO 11649) without the zeros that pad it: they do not change its check digits."""
    if _CREDITOR_REFERENCE.fullmatch(key) and check_digits("RF", key[4:]) == key[2:4]:
        return key[:4] + (key[4:].lstrip("0") or "0")
    return key


def spellings(text: str) -> dict[str, list[str]]:
    """Every key that the text may hold, and how each is spelled there without its blanks.

    A key begins where a word begins and ends where a word ends, so that a number inside a longer one is none.
    """
    plain = written_alike(text[:LONGEST_TEXT])
    pieces = [(match.start(), match.end()) for match in _PIECE.finditer(plain)]
    found: dict[str, list[str]] = {}
    for first, (start, _) in enumerate(pieces):
        key = ""
        for place in range(first, len(pieces)):
            key += plain[pieces[place][0] : pieces[place][1]]
            if len(key) > LONGEST:
                break
            if len(key) < SHORTEST:
                continue
            if place > first and key.isdigit() and len(key) < SHORTEST_DIGITS_IN_PIECES:
                continue
            spelled = "".join(plain[start : pieces[place][1]].split())
            found.setdefault(_unpadded(key), []).append(spelled)
    return found


def _is_spelled_so(reference: ClientReference, spelled: list[str]) -> bool:
    """Blanks may stand anywhere; signs between the letters only as they were given (21.07.26 is not 210726)."""
    given = "".join(written_alike(reference.reference).split())
    return any(one.isalnum() or one == given or one.replace("-", "") in {given, reference.reference_key}
               for one in spelled)  # fmt: skip


def found_in(text: str | None) -> list[ClientReference]:
    """References of clients that stand in the text, live ones and others, each once."""
    if not text:
        return []
    spelled = spellings(text)
    if not spelled:
        return []
    rows = session().scalars(sa.select(ClientReference).where(ClientReference.reference_key.in_(list(spelled))))
    return [row for row in rows if _is_spelled_so(row, spelled[row.reference_key])]


def is_live(reference: ClientReference, day: date) -> bool:
    return reference.revoked_at is None and (reference.expires_on is None or reference.expires_on >= day)
