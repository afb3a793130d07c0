"""Recipients: to whom clients, and the house, pay.

An account is checked as far as anybody can check it from here: an IBAN by its length and check digits, a UK account
by its digits, a BIC by its form. A bank that nobody here knows is no reason to refuse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients.folding import name_key
from dashboard.clients.models import Client
from dashboard.database import new_id, session
from dashboard.errors import FieldError, Invalid, NotFound
from dashboard.transfers.models import Recipient

LONGEST_NAME = 140
#: with blanks; without them an account has at most 34 characters, as in ISO 20022
LONGEST_ACCOUNT = 64
LONGEST_KEY = 34
LONGEST_ADDRESS = 500

_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")
_IBAN_LIKE = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{6,}")
_ANY = re.compile(r"[A-Z0-9][A-Z0-9/.-]*")
_COUNTRY = re.compile(r"[A-Z]{2}")


class AccountFormat(StrEnum):
    IBAN = "iban"
    SORT_CODE = "sortCode"
    OTHER = "other"


@dataclass(frozen=True)
class BankAccount:
    """An account somewhere, checked. `key`: without blanks, upper case; of a UK account sort code and number."""

    format: AccountFormat
    key: str
    bic: str | None
    bank_name: str | None
    country: str | None


def account(
    number: str,
    *,
    sort_code: str | None = None,
    bic: str | None = None,
    bank_name: str | None = None,
    country: str | None = None,
) -> BankAccount:
    """What somebody wrote, as an account. Raises Invalid, naming every field."""
    errors: list[FieldError] = []
    key = "".join(number.split()).upper()
    bank = "".join((bic or "").split()).upper() or None
    land = (country or "").strip().upper() or None
    said_bank = (bank_name or "").strip() or None
    if bank is not None and not _BIC.fullmatch(bank):
        errors.append(FieldError("bic", "A BIC has 8 or 11 letters and digits, such as HABAEE2X.", "bic"))
        bank = None
    if land is not None and not _COUNTRY.fullmatch(land):
        errors.append(FieldError("country", "Write two letters of ISO 3166, such as EE.", "pattern"))
        land = None
    if sort_code is not None and sort_code.strip():
        found = _uk(key, sort_code, bank, said_bank, land, errors)
    elif _IBAN_LIKE.fullmatch(key) and (bank is None or _has_ibans(key[:2])):
        found = _iban(key, bank, said_bank, land, errors)
    else:
        found = _other(key, bank, said_bank, land, errors)
    if errors or found is None:
        raise Invalid(errors)
    return found


def _has_ibans(country: str) -> bool:
    try:
        return bool(IBAN(f"{country}00", allow_invalid=True).spec)
    except SchwiftyException:
        return False


def _iban(
    key: str, bic: str | None, bank_name: str | None, country: str | None, errors: list[FieldError]
) -> BankAccount | None:
    try:
        iban = IBAN(key)
    except (SchwiftyException, ValueError):
        errors.append(
            FieldError("accountNumber", "This is no valid IBAN; check its length and its check digits.", "iban")
        )
        return None
    if country is not None and country != iban.country_code:
        errors.append(FieldError("country", f"The IBAN is of {iban.country_code}.", "value"))
    known = _bic_of(iban)
    return BankAccount(AccountFormat.IBAN, key, bic or known, bank_name or _name_of(iban), str(iban.country_code))


def _bic_of(iban: IBAN) -> str | None:
    try:
        return str(iban.bic) if iban.bic else None
    except (SchwiftyException, ValueError):
        return None


def _name_of(iban: IBAN) -> str | None:
    try:
        return iban.bank_name or None
    except (SchwiftyException, ValueError):
        return None


def _uk(
    key: str, sort_code: str, bic: str | None, bank_name: str | None, country: str | None, errors: list[FieldError]
) -> BankAccount | None:
    digits = re.sub(r"[\s-]", "", sort_code)
    if not re.fullmatch(r"[0-9]{6}", digits):
        errors.append(FieldError("sortCode", "A sort code has six digits, such as 60-16-13.", "pattern"))
    if not re.fullmatch(r"[0-9]{6,8}", key):
        errors.append(FieldError("accountNumber", "A UK account number has eight digits.", "pattern"))
    if country not in {None, "GB"}:
        errors.append(FieldError("country", "A sort code is of the United Kingdom: GB.", "value"))
    # a number of six or seven digits is written with zeros in front
    return BankAccount(AccountFormat.SORT_CODE, digits + key.rjust(8, "0"), bic, bank_name, "GB")


def _other(
    key: str, bic: str | None, bank_name: str | None, country: str | None, errors: list[FieldError]
) -> BankAccount | None:
    if len(key) > LONGEST_KEY or not _ANY.fullmatch(key):
        errors.append(FieldError("accountNumber", "Use letters, digits, - / and . only, 34 at most.", "pattern"))
    if bic is None and not any(error.field == "bic" for error in errors):
        errors.append(FieldError("bic", "An account without an IBAN needs the BIC of its bank.", "required"))
        return None
    land = country or (bic[4:6] if bic else None)
    known = bank_name or (_bank_of(bic) if bic else None)
    return BankAccount(AccountFormat.OTHER, key, bic, known, land)


def _bank_of(bic: str) -> str | None:
    try:
        found = BIC(bic, allow_invalid=True).bank_names
        return str(found[0]) if found else None
    except (SchwiftyException, ValueError):
        return None


def add(
    *,
    client_id: UUID | None,
    name: str,
    number: str,
    by: Actor,
    sort_code: str | None = None,
    bic: str | None = None,
    bank_name: str | None = None,
    country: str | None = None,
    address: str | None = None,
) -> Recipient:
    """A recipient of a client, or of the house. The same account under the same name again is the existing one, shown
    again if it was hidden.

    Raises Invalid, NotFound `clientNotFound`.
    """
    called = " ".join(name.split())
    if not called or len(called) > LONGEST_NAME:
        raise Invalid.one(
            "name", f"Write a name of 1 to {LONGEST_NAME} characters.", "tooLong" if called else "required"
        )
    where = account(number, sort_code=sort_code, bic=bic, bank_name=bank_name, country=country)
    if client_id is not None and session().scalar(sa.select(Client.id).where(Client.id == client_id)) is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    key = name_key(called)
    identifier = new_id()
    # whoever asks for the same at the same moment waits here, and then finds the first one's row
    made = session().scalar(
        postgresql.insert(Recipient)
        .values(
            id=identifier,
            client_id=client_id,
            name=called,
            name_key=key,
            account_format=where.format.value,
            account_key=where.key,
            bic=where.bic,
            bank_name=where.bank_name,
            country=where.country,
            address=(address or "").strip() or None,
            visible=True,
            created_at=clock.now(),
            created_by_kind=by.kind,
            created_by_id=by.id,
        )
        .on_conflict_do_nothing()
        .returning(Recipient.id)
    )
    if made is not None:
        audit.record("recipient.added", by=by, object_type="recipient", object_id=made, client_id=client_id,
                     after={"format": where.format.value, "country": where.country})  # fmt: skip
        return session().get_one(Recipient, made)
    found = (
        session()
        .scalars(
            sa.select(Recipient).where(
                Recipient.client_id == client_id if client_id is not None else Recipient.client_id.is_(None),
                Recipient.account_key == where.key,
                Recipient.name_key == key,
            )
        )
        .one()
    )
    if not found.visible:
        show(found.id, visible=True, client_id=client_id, by=by)
    return found


def show(recipient_id: UUID, *, visible: bool, client_id: UUID | None, by: Actor) -> Recipient:
    """Show or hide a recipient; hidden ones stay for what was paid to them. Raises NotFound `recipientNotFound`."""
    found = session().scalar(
        sa.select(Recipient)
        .where(
            Recipient.id == recipient_id,
            Recipient.client_id == client_id if client_id is not None else Recipient.client_id.is_(None),
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("There is no such recipient.", code="recipientNotFound")
    if found.visible != visible:
        found.visible = visible
        session().flush()
        audit.record("recipient.shown" if visible else "recipient.hidden", by=by, object_type="recipient",
                     object_id=found.id, client_id=client_id)  # fmt: skip
    return found
