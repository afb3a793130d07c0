"""From what a bank wrote to what is stored: minor units, the account it is of, keys that tell it again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from dashboard.money import DECIMALS, Money, NotRepresentable
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.statements.reading.stream import Balance, Detail, Entry, Head
from dashboard.treasury.vocabulary import EntryStatus

#: days that a bank can mean
EARLIEST, LATEST = date(1980, 1, 1), date(2200, 1, 1)


class NotTaken(Exception):
    """It cannot be taken as it stands. The text says why, without personal data."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is matched with the ledger, or shown beside it. `position` 0 is the entry itself."""

    position: int
    amount_minor: int
    currency: str
    detail: Detail | None


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry in minor units. `odd`: why its details are not used one by one."""

    amount_minor: int
    booking_date: date
    fingerprint: UUID
    lines: tuple[Line, ...]
    odd: str | None = None


def account_of(head: Head) -> BankAccountView:
    """The bank account that a statement is of. Raises NotTaken."""
    if not head.account:
        raise NotTaken("The statement does not say which account it is of.")
    currency = head.currency
    if currency is not None and currency not in DECIMALS:
        raise NotTaken(f"{currency.upper()} is no currency that is kept here.")
    shown = f"…{head.account[-4:]}"
    known: list[BankAccountView] = []
    for number in _spellings(head.account, currency):
        known = register.by_number(number)
        if known:
            break
    if not known:
        raise NotTaken(f"The account {shown} is no bank account of the house. Register it first.")
    fitting = [view for view in known if currency is None or view.currency == currency]
    if currency is None and len(fitting) > 1:
        fitting = [view for view in known if view.currency == head.likely_currency] or fitting
    if not fitting:
        held = ", ".join(view.currency.upper() for view in known)
        raise NotTaken(
            f"The statement of account {shown} is in {(currency or '').upper()}; it is registered in {held}."
        )
    if len(fitting) > 1:
        raise NotTaken(f"The account {shown} is registered in several currencies, and the statement names none.")
    return fitting[0]


def _spellings(number: str, currency: str | None) -> Sequence[str]:
    """As it stands, without a currency behind it, and without a bank code before it."""
    found = [number]
    if currency and number.endswith(currency.upper()):
        found.append(number[: -len(currency)])
    if "/" in number:
        found.append(number.rpartition("/")[2])
    return found


def minor(amount: Decimal, currency: str) -> int:
    """Raises NotTaken for decimals that the currency does not have, unless they are zero."""
    try:
        return Money.of(amount, currency).minor_units
    except NotRepresentable:
        if currency not in DECIMALS:
            raise NotTaken(f"{currency[:3].upper()} is no currency that is kept here.") from None
        plain = amount.normalize()
        decimals = max(0, -int(plain.as_tuple().exponent))
        if decimals > DECIMALS[currency]:
            raise NotTaken(
                f"The amount has {decimals} decimals, {currency.upper()} has {DECIMALS[currency]}. Nothing is rounded."
            ) from None
        raise NotTaken("The amount is too large.") from None


def take(entry: Entry, currency: str) -> Taken:
    """Raises NotTaken."""
    told = entry.currency or currency
    amount = minor(entry.amount if told == currency else _moved(entry, told, currency), currency)
    day = entry.booking_date or entry.value_date
    if day is None:
        raise NotTaken("The entry has no booking date.")
    if not EARLIEST <= day <= LATEST:
        raise NotTaken("The booking date is none that a bank can mean.")
    lines, odd = _lines(entry, amount, currency)
    if told != currency:
        odd = odd or (
            f"An entry is told in {told[:3].upper()}; what the bank says of it in {currency.upper()} was taken."
        )
    return Taken(amount, day, _fingerprint(entry, amount, currency, day), lines, odd)


def _moved(entry: Entry, told: str, currency: str) -> Decimal:
    """What an entry in another currency moved on the account, where the bank says one amount and no other."""
    said = f"The entry is in {told[:3].upper()}, the account in {currency.upper()}"
    found = {amount for amount, each in entry.beside if each == currency}
    if len(found) != 1:
        many = "more than one amount is" if found else "no amount is"
        raise NotTaken(f"{said}, and {many} told for the whole of it in {currency.upper()}. Nothing is converted.")
    return found.pop()


def _lines(entry: Entry, amount: int, currency: str) -> tuple[tuple[Line, ...], str | None]:
    if not entry.details:
        return (Line(0, amount, currency, None),), None
    if len(entry.details) == 1:
        # what moved on the account is the entry's amount, whatever was instructed
        return (Line(1, amount, currency, entry.details[0]),), None
    found, total, odd = [], 0, None
    for position, detail in enumerate(entry.details, 1):
        try:
            if detail.amount is None or detail.currency is None:
                raise NotTaken("no amount")
            part = minor(detail.amount, detail.currency)
        except NotTaken:
            odd = "Not all transactions of the entry have an amount that can be read."
            continue
        found.append(Line(position, part, detail.currency, detail))
        if detail.currency != currency:
            odd = odd or "The transactions of the entry are in another currency."
        total += part
    if odd is None and total != amount:
        odd = "The transactions of the entry do not add up to its amount."
    if odd is not None:
        return (Line(0, amount, currency, None), *found), odd
    return tuple(found), None


def _fingerprint(entry: Entry, amount: int, currency: str, day: date) -> UUID:
    said = [day.isoformat(), str(amount), currency, str(entry.reversal)]
    if entry.certain:
        said.append(f"ref:{entry.bank_reference}")
    else:
        said.append(f"text:{entry.text}")
        for each in entry.details:
            said += [str(each.end_to_end_id), str(each.counterparty_account), str(each.remittance)]
    return UUID(hashlib.sha256("\x1f".join(said).encode()).hexdigest()[:32])


@dataclass(frozen=True, slots=True)
class Balances:
    """Opening and closing in minor units, None where unknown, and what is odd about them."""

    opening_minor: int | None
    closing_minor: int | None
    opening_on: date | None
    closing_on: date | None
    remarks: tuple[str, ...]


#: codes of the two ends, the better ones first
_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)


def balances(told: Sequence[Balance], currency: str) -> Balances:
    """Of several openings the earliest counts, of several closings the latest; an interim balance where there is no
    other: a page of a statement ends and begins with one."""
    remarks: list[str] = []
    known: list[Balance] = []
    for each in told:
        if each.kind not in {*_OPENING, *_CLOSING, "ITBD"}:
            continue
        if each.currency != currency:
            remarks.append(f"The balance {each.kind} is told in {each.currency.upper()}, the account is in "
                           f"{currency.upper()}: it is unknown.")  # fmt: skip
            continue
        known.append(each)
    interim = [each for each in known if each.kind == "ITBD"]
    opening = _chosen(known, _OPENING, first=True) or (
        interim[0] if interim and len(interim) + _count(known) > 1 else None
    )
    closing = _chosen(known, _CLOSING, first=False) or next(
        (each for each in reversed(interim) if each is not opening), None
    )
    found: list[int | None] = []
    ends: tuple[Balance | None, ...] = (opening, closing)
    for end in ends:
        try:
            found.append(None if end is None else minor(end.amount, currency))
        except NotTaken as reason:
            remarks.append(f"A balance cannot be taken: {reason}")
            found.append(None)
    return Balances(found[0], found[1], opening.on if opening else None, closing.on if closing else None,
                    tuple(remarks))  # fmt: skip


def _count(known: Sequence[Balance]) -> int:
    return sum(1 for each in known if each.kind in _CLOSING)


def _chosen(known: Sequence[Balance], kinds: Sequence[str], *, first: bool) -> Balance | None:
    for kind in kinds:
        found = [each for each in known if each.kind == kind]
        if found:
            dated = sorted((each for each in found if each.on), key=lambda each: each.on or EARLIEST)
            return (dated[0] if first else dated[-1]) if dated else found[0 if first else -1]
    return None


def booked(entry: Entry) -> bool:
    return entry.status == EntryStatus.BOOKED
