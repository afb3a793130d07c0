"""What every kind of statement file is read into: one neutral stream.

For each statement of a file come its `Head`, its entries in their order, and its `End`; what cannot be taken comes as
`Refused` in its place. A reader holds one entry at a time, whatever the size of the file. Amounts are exact, in major
units as the bank wrote them, positive where money came to the account; what they mean in minor units says `taking.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

#: what banks write where there is no reference
NOTHING = frozenset({"NOTPROVIDED", "NOT PROVIDED", "NONREF", "NONE", "N/A", "-", "0"})
#: longest texts that are kept; a bank writes far less
LONGEST_REFERENCE, LONGEST_TEXT = 140, 2_000


class Unreadable(Exception):
    """The file cannot be read, or not to its end. The text says why, without personal data."""


@dataclass(frozen=True, slots=True)
class Balance:
    """`kind`: OPBD, CLBD, ITBD, PRCD … of ISO 20022; MT940's fields are told by the same codes."""

    kind: str
    amount: Decimal
    currency: str
    on: date | None


@dataclass(frozen=True, slots=True)
class Head:
    """A statement begins. `place` counts statements of the file from 1; `account` is without blanks, upper case."""

    place: int
    #: statement | interim | notification
    kind: str
    account: str | None
    currency: str | None
    bank_id: str | None = None
    sequence: int | None = None
    first_day: date | None = None
    last_day: date | None = None
    created_on: date | None = None
    #: of a statement that comes on several pages
    page: int | None = None
    #: of its first entry, where neither the account nor a balance names one: it tells accounts of one number apart
    likely_currency: str | None = None


@dataclass(slots=True)
class Detail:
    """One transaction of an entry. `amount` None: the bank gave none of its own."""

    amount: Decimal | None = None
    currency: str | None = None
    end_to_end_id: str | None = None
    provider_reference: str | None = None
    batch_reference: str | None = None
    references: tuple[str, ...] = ()
    counterparty: str | None = None
    counterparty_account: str | None = None
    remittance: str | None = None


@dataclass(slots=True)
class Entry:
    """One booking of the bank. `number` counts within its statement from 1; `where` is its place in the file."""

    number: int
    where: str
    amount: Decimal
    currency: str | None
    #: booked | pending | information
    status: str
    booking_date: date | None
    value_date: date | None
    reversal: bool = False
    bank_reference: str | None = None
    #: whether `bank_reference` is the bank's own of this booking, the same each time it is told
    certain: bool = False
    batch_reference: str | None = None
    code: str | None = None
    text: str | None = None
    details: tuple[Detail, ...] = ()
    #: the same amount in other currencies, as the bank itself told it
    beside: tuple[tuple[Decimal, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry or a statement that cannot be taken. `reference` is the bank's own, to find it by."""

    where: str
    reason: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class End:
    """A statement is over; its balances are known now, wherever in the file they stood."""

    balances: tuple[Balance, ...] = ()
    remarks: tuple[str, ...] = field(default=())


Item = Head | Entry | Refused | End


def cleaned(said: object, longest: int = LONGEST_TEXT) -> str | None:
    """Blanks made one, characters that no table holds left out; None where nothing remains, or where it is no text."""
    if not isinstance(said, str):
        return None
    text = " ".join((said.replace("\x00", " ") if "\x00" in said else said).split())
    return text[:longest] or None


def reference(said: object) -> str | None:
    """A reference as it is compared; None for the words that banks write instead of one."""
    text = cleaned(said, LONGEST_REFERENCE)
    return None if text is None or text.upper() in NOTHING else text


def account_number(said: object) -> str | None:
    text = "".join(said.split()).upper() if isinstance(said, str) else ""
    return text[:64] or None
