"""References that clients give to their payers: making them, and finding them in a remittance text."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, FieldError, Invalid, NotFound, Refused
from dashboard.ledger.models import Account
from dashboard.ledger.numbers import check_digits
from dashboard.ledger.vocabulary import AccountStatus, AccountType
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS
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


def key_of(text: str) -> str:
    """Letters and digits only, upper case. A creditor reference (ISO 11649) loses the zeros that pad it."""
    return _unpadded("".join(_PIECE.findall(written_alike(text))))


def _unpadded(key: str) -> str:
    if _CREDITOR_REFERENCE.fullmatch(key) and check_digits("RF", key[4:]) == key[2:4]:
        # zeros in front of the number do not change its check digits
        return key[:4] + (key[4:].lstrip("0") or "0")
    return key


def is_creditor_reference(key: str) -> bool:
    """Whether it is an ISO 11649 reference with right check digits."""
    return bool(_CREDITOR_REFERENCE.fullmatch(key)) and check_digits("RF", key[4:]) == key[2:4]


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


def give(
    *,
    client_id: UUID,
    account_id: UUID,
    reference: str,
    expected_minor: int | None = None,
    expires_on: date | None = None,
    by: Actor,
) -> ClientReference:
    """Give a client a reference for payers to name. Nobody else ever gets the same one, not even when it has ended.

    Raises Invalid, NotFound `accountNotFound`, Refused `accountClosed`, Conflict `referenceTaken`.
    """
    written = " ".join(reference.split())
    key = key_of(written)
    errors = []
    if not SHORTEST <= len(key) <= LONGEST:
        errors.append(FieldError("reference", f"Use {SHORTEST} to {LONGEST} letters and digits.", "length"))
    elif key.startswith("RF") and key[2:4].isdigit() and not is_creditor_reference(key):
        errors.append(FieldError("reference", "The check digits of this creditor reference are wrong.", "checkDigits"))
    if expected_minor is not None and not 0 < expected_minor <= LARGEST_MINOR_UNITS:
        errors.append(FieldError("expectedAmount", "The amount must be greater than zero.", "range"))
    if errors:
        raise Invalid(errors)
    account = session().get(Account, account_id)
    if account is None or account.owner_id != client_id or account.type != AccountType.CLIENT:
        raise NotFound("There is no such account.", code="accountNotFound")
    if account.status != AccountStatus.OPEN or account.currency not in DECIMALS:
        raise Refused("The account is closed.", code="accountClosed")
    taken = session().scalar(sa.select(ClientReference).where(ClientReference.reference_key == key))
    if taken is not None:
        raise Conflict("This reference is given already.", code="referenceTaken")
    made = ClientReference(
        client_id=client_id, account_id=account_id, reference=written, reference_key=key,
        expected_minor=expected_minor, currency=account.currency, expires_on=expires_on, created_at=clock.now(),
    )  # fmt: skip
    session().add(made)
    session().flush()
    audit.record(
        "reference.given", by=by, object_type="client_reference", object_id=made.id, client_id=client_id,
        after={"reference": written, "accountId": str(account_id)},
    )  # fmt: skip
    return made


def revoke(reference_id: UUID, *, by: Actor) -> None:
    """It no longer names the account. Revoking twice changes nothing. Raises NotFound `referenceNotFound`."""
    known = session().get(ClientReference, reference_id, with_for_update={"key_share": True}, populate_existing=True)
    if known is None:
        raise NotFound("There is no such reference.", code="referenceNotFound")
    if known.revoked_at is None:
        known.revoked_at = clock.now()
        session().flush()
        audit.record("reference.revoked", by=by, object_type="client_reference", object_id=known.id,
                     client_id=known.client_id)  # fmt: skip
