"""Verbs of payments. Each runs in the caller's transaction; a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.clock import now
from dashboard.database import new_id, session
from dashboard.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from dashboard.ledger import moving
from dashboard.ledger.models import LedgerTransaction, Payment
from dashboard.ledger.moving import Leg, Moved, Order, Outcome, PlainOrders
from dashboard.ledger.services import orders as checking
from dashboard.ledger.vocabulary import ParentType, PaymentState

LONGEST_REASON = 500
REVERSAL_PURPOSE = "reversal"


def check_order(order: Order, *, may_adjust: bool, prefix: str = "") -> None:
    """What can be said of an order without looking at accounts. Raises Invalid, Forbidden."""
    checking.check(order, prefix=prefix)
    if order.value_date is not None and not date(2000, 1, 1) <= order.value_date <= now().date():
        raise Invalid.one(f"{prefix}valueDate", "The value date lies after 1999 and is not in the future.", "range")
    if order.parent_type is ParentType.ADJUSTING_PAYMENT and not may_adjust:
        raise Forbidden(
            "An adjusting payment needs the permission payments:adjust.",
            details={"permission": Permission.PAYMENTS_ADJUST.value},
        )


def may_adjust(by: Actor) -> bool:
    """Whether the actor may make adjusting payments without a second person's request (the house itself may)."""
    return by.kind == "system" or by.may(Permission.PAYMENTS_ADJUST)


def _made(order: Order, to: PaymentState, by: Actor) -> Moved:
    check_order(order, may_adjust=may_adjust(by))
    moved = moving.create([order], to, by=by)
    checking.raise_refusals(moved.outcomes, {order.id: order})
    return moved


def pay(order: Order, *, by: Actor) -> Moved:
    """Make the payment and move the money at once (GL-30).

    Raises Invalid, NotFound `accountNotFound`, Conflict `paymentExists`, Refused `insufficientFunds`,
    `currencyMismatch`, `accountFrozen`, `accountClosed`, Forbidden for an adjusting payment without the scope.
    """
    return _made(order, PaymentState.POSTED, by)


def draft(order: Order, *, by: Actor) -> Moved:
    """Make the payment; no money moves and nothing is held (GL-31). Raises as `pay`, funds and freezes excepted."""
    return _made(order, PaymentState.DRAFT, by)


def hold(order: Order, *, by: Actor) -> Moved:
    """Make the payment and hold what it withdraws: draft and pend in one. Raises as `pay`."""
    return _made(order, PaymentState.PENDING, by)


def _advanced(payment_id: UUID, to: PaymentState, by: Actor, reason: str | None = None) -> None:
    if reason is not None and len(reason) > LONGEST_REASON:
        raise Invalid.one("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    payment = session().execute(sa.select(Payment.parent_type).where(Payment.id == payment_id)).one_or_none()
    if payment is None:
        raise NotFound("There is no such payment.", code="paymentNotFound")
    if payment.parent_type == ParentType.ADJUSTING_PAYMENT and by.kind != "system":
        by.require(Permission.PAYMENTS_ADJUST)
    moved = moving.advance([payment_id], to, by=by, reason=reason)
    refused = moved.outcomes[0]
    if refused.code == "invalidState":
        state = session().scalar(sa.select(Payment.state).where(Payment.id == payment_id))
        raise Refused(
            f"A {state} payment cannot become {to.value}.",
            code="invalidState",
            details={"state": state, "wanted": to.value},
        )
    if refused.code:
        raise checking.refusal(refused, _as_order(payment_id))


def _as_order(payment_id: UUID) -> Order:
    legs = session().scalars(
        sa.select(LedgerTransaction)
        .where(LedgerTransaction.payment_id == payment_id)
        .order_by(LedgerTransaction.position)
    )
    return Order(
        parent_type=ParentType.TRANSFER,
        parent_id=payment_id,
        legs=[Leg(leg.debtor_account_id, leg.creditor_account_id, leg.amount_minor, leg.currency) for leg in legs],
        id=payment_id,
    )


def pend(payment_id: UUID, *, by: Actor) -> None:
    """Hold the amount of every withdrawal from a guarded account (GL-32).

    Raises NotFound, Refused `invalidState`, `insufficientFunds`, `accountFrozen`, `accountClosed`.
    """
    _advanced(payment_id, PaymentState.PENDING, by)


def post(payment_id: UUID, *, by: Actor) -> None:
    """Withdraw what is held and deposit it; from draft the money moves at once (GL-33).

    What was held is posted in spite of a freeze, because it follows facts at the bank. Raises as `pend`.
    """
    _advanced(payment_id, PaymentState.POSTED, by)


def cancel(payment_id: UUID, *, by: Actor, reason: str | None = None) -> None:
    """Give back what is held (GL-34). Raises NotFound, Refused `invalidState`."""
    _advanced(payment_id, PaymentState.CANCELED, by, reason)


def fail(payment_id: UUID, *, by: Actor, reason: str) -> None:
    """The payment cannot be carried out; what is held is given back. Raises NotFound, Refused `invalidState`."""
    _advanced(payment_id, PaymentState.ERROR, by, reason)


def _check_size(count: int) -> None:
    if not count:
        raise Invalid.one("payments", "A batch has at least one payment.", "tooShort")
    if count > moving.LARGEST_BATCH:
        raise Invalid.one("payments", f"A batch has at most {moving.LARGEST_BATCH:,} payments.", "tooLong")


def batch(orders: Sequence[Order], *, all_or_none: bool, by: Actor) -> Moved:
    """Post up to 10,000 payments, each decided as if it had come alone, in the order given.

    `all_or_none`: one refusal refuses all (their code is `notDone`). Raises Invalid, Conflict.
    """
    _check_size(len(orders))
    return moving.create(orders, PaymentState.POSTED, by=by, all_or_none=all_or_none)


def batch_of_plain(orders: PlainOrders, *, all_or_none: bool, by: Actor) -> dict[int, Outcome]:
    """The same for payments in columns; gives those that were refused, by their place from 0."""
    _check_size(len(orders))
    return moving.create_plain(orders, by=by, all_or_none=all_or_none)


def _reversing(leg: LedgerTransaction) -> str:
    """What the owners of the accounts read; the reason is the house's own and stands with the payment's state."""
    said = f"Reversal: {leg.description}" if leg.description else "Reversal"
    return said[: checking.LONGEST_DESCRIPTION]


def mirrored(payment_id: UUID, *, reason: str) -> Order:
    """The order that reverses a posted payment in full. Raises NotFound, Refused `notPosted`, `reversalOfReversal`,
    Conflict `alreadyReversed`, Invalid (no reason)."""
    why = reason.strip()
    if not why:
        raise Invalid.one("reason", "Say why.", "required")
    if len(why) > LONGEST_REASON:
        raise Invalid.one("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    original = session().get(Payment, payment_id, populate_existing=True)
    if original is None:
        raise NotFound("There is no such payment.", code="paymentNotFound")
    if original.state != PaymentState.POSTED:
        raise Refused("Only a posted payment is reversed; cancel this one.", code="notPosted",
                      details={"state": original.state})  # fmt: skip
    if original.reverses_id is not None:
        raise Refused("A reversal is not reversed. Make the payment anew.", code="reversalOfReversal")
    known = session().scalar(
        sa.select(Payment.id).where(
            Payment.reverses_id == payment_id,
            Payment.state.not_in([PaymentState.CANCELED.value, PaymentState.ERROR.value]),
        )
    )
    if known is not None:
        raise Conflict("This payment is reversed already.", code="alreadyReversed", details={"paymentId": str(known)})
    legs = session().scalars(
        sa.select(LedgerTransaction)
        .where(LedgerTransaction.payment_id == payment_id)
        .order_by(LedgerTransaction.position.desc())
    )
    return Order(
        parent_type=ParentType.ADJUSTING_PAYMENT,
        parent_id=new_id(),
        purpose=REVERSAL_PURPOSE,
        reverses_id=payment_id,
        legs=[
            Leg(leg.creditor_account_id, leg.debtor_account_id, leg.amount_minor, leg.currency, _reversing(leg))
            for leg in legs
        ],
    )


def reverse(payment_id: UUID, *, reason: str, by: Actor) -> Moved:
    """Reverse a posted payment by an adjusting payment that points at it. A freeze does not stop it; money that a
    guarded account no longer has does. Raises as `mirrored` and `pay`."""
    order = mirrored(payment_id, reason=reason)
    if by.kind != "system":
        by.require(Permission.PAYMENTS_ADJUST)
    moved = moving.create([order], PaymentState.POSTED, by=by, follows=True, reason=reason.strip())
    checking.raise_refusals(moved.outcomes, {order.id: order})
    return moved
