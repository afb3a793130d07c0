"""What an order must be before it reaches the ledger, and what each refusal means in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dashboard.errors import Conflict, DomainError, FieldError, Invalid, NotFound, Refused
from dashboard.ledger.moving import LONGEST_PAYMENT, Order, Outcome
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS, Money

_PURPOSE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,39}")
LONGEST_DESCRIPTION = 500
#: the desk's own: by them the database knows a decision about unrecognized money
RESERVED_PURPOSES = ("disposition-", "undo-", "bank-reversal")


def check(order: Order, *, prefix: str = "") -> None:
    """Raises Invalid, naming every field that breaks a rule; amounts are minor units."""
    errors = []
    if not order.legs:
        errors.append(FieldError(f"{prefix}transactions", "A payment has at least one transaction.", "tooShort"))
    if len(order.legs) > LONGEST_PAYMENT:
        errors.append(
            FieldError(f"{prefix}transactions", f"A payment has at most {LONGEST_PAYMENT:,} transactions.", "tooLong")
        )
    if not _PURPOSE.fullmatch(order.purpose):
        errors.append(
            FieldError(f"{prefix}purpose", "Use 1 to 40 letters, digits and hyphens, a letter first.", "pattern")
        )
    for number, leg in enumerate(order.legs):
        where = f"{prefix}transactions.{number}." if len(order.legs) > 1 else prefix
        if leg.currency not in DECIMALS:
            errors.append(FieldError(f"{where}currency", "This currency is not known here.", "enum"))
        if not 0 < leg.amount_minor <= LARGEST_MINOR_UNITS:
            errors.append(FieldError(f"{where}amount", "The amount must be greater than zero.", "range"))
        if leg.debtor_id == leg.creditor_id:
            errors.append(
                FieldError(f"{where}creditorAccountId", "Debtor and creditor are the same account.", "sameAccount")
            )
        if leg.description is not None and len(leg.description) > LONGEST_DESCRIPTION:
            errors.append(
                FieldError(f"{where}description", f"Use at most {LONGEST_DESCRIPTION} characters.", "tooLong")
            )
    if errors:
        raise Invalid(errors[:100])


def refuse_reserved(order: Order) -> None:
    """No caller from outside makes a payment under a purpose of the desk. Raises Invalid."""
    if order.purpose.startswith(RESERVED_PURPOSES):
        raise Invalid.one("purpose", "This purpose belongs to decisions about unrecognized money.", "notAllowed")


#: refusal of the ledger to (code of the API, sentence); {side} is debtor or creditor
_SENTENCES = {
    "NeedsTwo": (
        "adjustingOnly",
        "The {side} account belongs to the house and moves by adjusting payments, with two people.",
    ),
    "CurrencyMismatch": ("currencyMismatch", "The {side} account is in another currency."),
    "Closed": ("accountClosed", "The {side} account is closed."),
    "Frozen": ("accountFrozen", "The {side} account is frozen for {kind}."),
}


def refusal(outcome: Outcome, order: Order | None = None) -> DomainError:
    """The outcome as an error that a caller understands. `order` adds which account and amount it was."""
    code = outcome.code or ""
    leg = order.legs[outcome.culprit - 1] if order and outcome.culprit else None
    details: dict[str, Any] = {"paymentId": str(outcome.payment_id)} if order is None else {}
    if outcome.culprit:
        details["transaction"] = outcome.culprit
    if code == "paymentExists":
        return Conflict(
            "This parent has a payment of this purpose already.",
            code=code,
            details={"paymentId": str(outcome.other_id)},
        )
    if code == "notDone":
        return Refused("Nothing was done, because another payment of the batch was refused.", code=code)
    if code == "invalidState":
        return Refused("The payment's state does not allow this.", code=code, details=details)
    if code == "sameAccount":
        return Refused("Debtor and creditor are the same account.", code=code, details=details)
    if code == "insufficientFunds":
        if leg is not None:
            details["accountId"] = str(leg.debtor_id)
            details["required"] = Money(leg.amount_minor, leg.currency).amount
            details["available"] = Money(outcome.room or 0, leg.currency).amount
        return Refused("The debtor account has not enough available.", code=code, details=details)
    side = "debtor" if code.startswith("debtor") else "creditor"
    if leg is not None:
        details["accountId"] = str(leg.debtor_id if side == "debtor" else leg.creditor_id)
    kind = code.removeprefix(side)
    if kind == "NotFound":
        return NotFound(f"There is no such {side} account.", code="accountNotFound", details=details)
    known, sentence = _SENTENCES[kind]
    return Refused(
        sentence.format(side=side, kind="debits" if side == "debtor" else "credits"), code=known, details=details
    )


def raise_refusals(outcomes: Sequence[Outcome], orders: dict[UUID, Order] | None = None) -> None:
    """Raise the first refusal, if there is one; what the others only did not do is not the reason."""
    refused = [outcome for outcome in outcomes if outcome.code]
    if refused:
        first = next((outcome for outcome in refused if outcome.code != "notDone"), refused[0])
        raise refusal(first, (orders or {}).get(first.payment_id))
