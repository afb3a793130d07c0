"""An adjusting payment from what a person typed: accounts by number, an amount in their currency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.errors import FieldError, Invalid, Refused
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.queries.parties import SHORTEST_END, Party, house_named, numbered, parties
from dashboard.ledger.services import adjusting
from dashboard.ledger.services.adjusting import Around
from dashboard.ledger.vocabulary import ParentType
from dashboard.money import Money, NotRepresentable

#: accounts that are offered when several fit what was typed
MOST_OFFERED = 8
_NUMBER = re.compile(r"-?\d{1,17}(\.\d{1,10})?")


@dataclass(frozen=True)
class Prepared:
    """An order that the ledger would carry out now, its two sides, and their balances around it."""

    order: Order
    debtor: Party
    creditor: Party
    money: Money
    lines: list[Around]

    @property
    def sides(self) -> dict[UUID, Party]:
        return {self.debtor.account_id: self.debtor, self.creditor.account_id: self.creditor}


def _account(typed: str, field: str, errors: list[FieldError]) -> UUID | None:
    if not typed.strip():
        errors.append(FieldError(field, "Write the number of the account.", "required"))
        return None
    found = numbered(typed, 2)
    if len(found) == 1:
        return found[0]
    if not found and any(letter.isalpha() for letter in typed):
        named = house_named(typed, MOST_OFFERED + 1)
        if len(named) == 1:
            return named[0]
        if named:
            offered = [f"{party.short} {party.currency.upper()}" for party in parties(named[:MOST_OFFERED]).values()]
            more = " and more" if len(named) > MOST_OFFERED else ""
            sentence = f"Several accounts fit; write the number of one: {', '.join(sorted(offered))}{more}."
            errors.append(FieldError(field, sentence, "ambiguous"))
            return None
    if found:
        errors.append(FieldError(field, "Several accounts end so. Write more of the number.", "ambiguous"))
    elif len("".join(typed.split())) < SHORTEST_END:
        errors.append(FieldError(field, f"Write the whole number, or at least its last {SHORTEST_END} characters.",
                                 "tooShort"))  # fmt: skip
    else:
        errors.append(FieldError(field, "No account has this number.", "unknown"))
    return None


def money_typed(typed: str, currency: str | None, errors: list[FieldError]) -> Money | None:
    """`1250`, `1 250,50` and `1,250.50` are read; nothing is rounded."""
    plain = re.sub(r"\s", "", typed)
    plain = plain.replace(",", "") if "." in plain else plain.replace(",", ".")
    if not plain:
        errors.append(FieldError("amount", "Write the amount.", "required"))
        return None
    if not _NUMBER.fullmatch(plain):
        errors.append(FieldError("amount", "Write an amount, like 1250.50.", "number"))
        return None
    if currency is None:
        return None
    try:
        money = Money.of(Decimal(plain), currency)
    except NotRepresentable as refusal:
        sentence = str(refusal)
        errors.append(FieldError("amount", f"{sentence[:1].upper()}{sentence[1:]}.", "range"))
        return None
    if money.minor_units <= 0:
        errors.append(FieldError("amount", "The amount must be greater than zero.", "range"))
        return None
    return money


def prepare(
    *,
    debtor: str,
    creditor: str,
    amount: str,
    description: str | None,
    value_date: date | None,
    parent_id: UUID,
    by: Actor,
) -> Prepared:
    """Raises Invalid (fields debtorAccountId, creditorAccountId, amount, description, valueDate), naming every one,
    and what the ledger would refuse now. `parent_id` tells the same form sent twice from two payments.
    """
    errors: list[FieldError] = []
    debtor_id = _account(debtor, "debtorAccountId", errors)
    creditor_id = _account(creditor, "creditorAccountId", errors)
    sides = parties(side for side in (debtor_id, creditor_id) if side is not None)
    currency = next((sides[side].currency for side in (debtor_id, creditor_id) if side is not None), None)
    money = money_typed(amount, currency, errors)
    if debtor_id is None or creditor_id is None:
        raise Invalid(errors)
    payer, payee = sides[debtor_id], sides[creditor_id]
    if payer.currency != payee.currency:
        sentence = f"This account is in {payee.currency.upper()}, the debtor’s in {payer.currency.upper()}."
        errors.append(FieldError("creditorAccountId", sentence, "currencyMismatch"))
    if errors or money is None:
        raise Invalid(errors)
    order = Order(
        parent_type=ParentType.ADJUSTING_PAYMENT,
        parent_id=parent_id,
        value_date=value_date,
        legs=[Leg(payer.account_id, payee.account_id, money.minor_units, money.currency, description)],
    )
    try:
        lines = adjusting.preview(order, by=by)
    except Refused as refusal:
        raise _beside_its_field(refusal, payer, payee, money) from None
    return Prepared(order, payer, payee, money, lines)


def _beside_its_field(refusal: Refused, payer: Party, payee: Party, money: Money) -> Refused | Invalid:
    """The same refusal with the field that a person can change and the account's name; others stay as they are."""
    if refusal.code == "insufficientFunds":
        available = Money.of(refusal.details["available"], money.currency)
        short = Money(money.minor_units - available.minor_units, money.currency)
        sentence = f"Available on {payer.end}: {available}; {short} short."
        return Invalid.one("amount", sentence, refusal.code)
    if refusal.code not in {"accountClosed", "accountFrozen"}:
        return refusal
    at_debtor = refusal.details.get("accountId") == str(payer.account_id)
    field, party = ("debtorAccountId", payer) if at_debtor else ("creditorAccountId", payee)
    frozen = f"frozen for {'debits' if at_debtor else 'credits'}"
    what = "closed" if refusal.code == "accountClosed" else frozen
    return Invalid.one(field, f"{party.short} is {what}.", refusal.code)
