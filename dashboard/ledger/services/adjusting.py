"""Adjusting payments and reversals by two people: asked by one, made when another one approves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor, system
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.errors import Conflict, Refused
from dashboard.ledger import moving, parents
from dashboard.ledger.models import Account, AccountBalance, Payment
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import orders as checking
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.money import Money

ADJUST = "ledger.adjust"
#: what else happens in the transaction that makes an approved adjusting payment, by name; knows the payment by its id
Follower = Callable[[UUID, Actor], None]
_followers: dict[str, Follower] = {}


def learn(name: str, follower: Follower) -> None:
    """Called by app.py: a higher domain that asks for adjusting payments does its part with them."""
    _followers[name] = follower


REVERSE = "ledger.reverse"
NO_REASON = "Asked by API, without a reason."


def _as_payload(order: Order) -> dict[str, Any]:
    return {
        "parentId": str(order.parent_id),
        "purpose": order.purpose,
        "valueDate": order.value_date.isoformat() if order.value_date else None,
        "transactions": [
            {
                "debtorAccountId": str(leg.debtor_id),
                "creditorAccountId": str(leg.creditor_id),
                "amountMinor": leg.amount_minor,
                "currency": leg.currency,
                "description": leg.description,
            }
            for leg in order.legs
        ],
    }


def order_of(request: ApprovalRequest) -> Order:
    """The order that was asked for, with the payment's id."""
    said = request.payload
    return Order(
        id=request.object_id,
        parent_type=ParentType.ADJUSTING_PAYMENT,
        parent_id=UUID(said["parentId"]),
        purpose=said["purpose"],
        value_date=date.fromisoformat(said["valueDate"]) if said["valueDate"] else None,
        legs=[
            Leg(
                debtor_id=UUID(leg["debtorAccountId"]),
                creditor_id=UUID(leg["creditorAccountId"]),
                amount_minor=int(leg["amountMinor"]),
                currency=leg["currency"],
                description=leg["description"],
            )
            for leg in said["transactions"]
        ],
    )


@dataclass(frozen=True)
class Around:
    """An account's posted balance before and after an order, if nothing else came between."""

    account_id: UUID
    number: str
    before: Money
    after: Money
    #: posted minus held
    available_before: Money
    available_after: Money
    #: what the account lacks for the order; None where it has enough
    short: Money | None = None


def around(orders: Mapping[Any, Order]) -> dict[Any, list[Around]]:
    """The balances of each order's accounts as they are now and as it would leave them; one query for all orders."""
    changes: dict[Any, dict[UUID, int]] = {}
    for name, order in orders.items():
        change = changes.setdefault(name, {})
        for leg in order.legs:
            change[leg.debtor_id] = change.get(leg.debtor_id, 0) - leg.amount_minor
            change[leg.creditor_id] = change.get(leg.creditor_id, 0) + leg.amount_minor
    wanted = {account_id for change in changes.values() for account_id in change}
    rows = session().execute(
        sa.select(
            Account.id,
            Account.number,
            Account.currency,
            sa.func.sum(AccountBalance.posted),
            sa.func.sum(AccountBalance.held),
            sa.func.max(AccountBalance.limit_minor) - sa.func.max(AccountBalance.blocked_minor),
            sa.func.bool_or(AccountBalance.guarded),
        )
        .join(AccountBalance, AccountBalance.account_id == Account.id)
        .where(Account.id.in_(wanted))
        .group_by(Account.id)
    )
    known = {
        account_id: (number, currency, int(posted), int(held), int(beyond), bool(guarded))
        for account_id, number, currency, posted, held, beyond, guarded in rows
    }
    found: dict[Any, list[Around]] = {}
    for name, change in changes.items():
        found[name] = []
        for account_id, moved in change.items():
            if account_id in known:
                number, currency, posted, held, beyond, guarded = known[account_id]
                available = posted - held
                room = available + beyond + moved
                found[name].append(
                    Around(
                        account_id=account_id,
                        number=number,
                        before=Money(posted, currency),
                        after=Money(posted + moved, currency),
                        available_before=Money(available, currency),
                        available_after=Money(available + moved, currency),
                        short=Money(-room, currency) if guarded and moved < 0 and room < 0 else None,
                    )
                )
    return found


def balances_around(order: Order) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same in words, by account number, as a request keeps it.

    Shown to people and never part of a fingerprint: balances run on.
    """
    lines = sorted(around({order.id: order})[order.id], key=lambda line: line.number)
    return {line.number: str(line.before) for line in lines}, {line.number: str(line.after) for line in lines}


def preview(order: Order, *, by: Actor) -> list[Around]:
    """What an adjusting payment would do to its accounts. Raises what the ledger would refuse now."""
    payments.check_order(order, may_adjust=True)
    _dry_run(order)
    return around({order.id: order})[order.id]


def _dry_run(order: Order, *, follows: bool = False) -> None:
    """What the ledger would refuse now is refused at once, and not only when somebody has approved it."""
    moved = None
    nested = session().begin_nested()
    try:
        # nobody stands behind it yet, and nothing of it stays
        moved = moving.create([order], PaymentState.POSTED, by=system("what would happen"), follows=follows)
    finally:
        nested.rollback()
    checking.raise_refusals(moved.outcomes, {order.id: order})


def ask(order: Order, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask for an adjusting payment. Raises what `payments.pay` raises, Invalid (no reason), Conflict."""
    if order.parent_type is not ParentType.ADJUSTING_PAYMENT:
        raise Refused("Only adjusting payments are asked for.", code="notAdjusting")
    payments.check_order(order, may_adjust=True)
    waiting = session().scalar(
        sa.select(ApprovalRequest.id).where(
            ApprovalRequest.kind == ADJUST,
            ApprovalRequest.state == "requested",
            ApprovalRequest.payload["parentId"].astext == str(order.parent_id),
            ApprovalRequest.payload["purpose"].astext == order.purpose,
        )
    )
    if waiting is not None:
        raise Conflict("This has been asked already and waits for a decision.", code="alreadyRequested",
                       details={"requestId": str(waiting)})  # fmt: skip
    _dry_run(order)
    before, after = balances_around(order)
    first = order.legs[0]
    more = f" and {len(order.legs) - 1} more" if len(order.legs) > 1 else ""
    return approvals.request(
        ADJUST,
        object_type="payment",
        object_id=order.id,
        client_id=None,
        subject=f"{Money(first.amount_minor, first.currency)}{more}",
        payload=_as_payload(order),
        before=before,
        after=after,
        reason=reason,
        restricted=False,
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks nothing that payments need; which accounts are open, and that the payment is not there yet."""
    order = order_of(request)
    wanted = {leg.debtor_id for leg in order.legs} | {leg.creditor_id for leg in order.legs}
    rows = (
        session()
        .execute(sa.select(Account.id, Account.status).where(Account.id.in_(wanted)).order_by(Account.id))
        .all()
    )
    return {"accounts": {str(account_id): status for account_id, status in rows}}


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved adjusting payment. Raises what `payments.pay` raises, and what those who asked for it
    refuse."""
    payments.pay(order_of(request), by=by)
    for follower in _followers.values():
        follower(request.object_id, by)


def ask_to_reverse(payment_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask to reverse a posted payment. Raises what `payments.reverse` raises, Conflict `alreadyRequested`."""
    parents.refuse_if_claimed(payment_id)
    order = payments.mirrored(payment_id, reason=reason)
    _dry_run(order, follows=True)
    before, after = balances_around(order)
    first = order.legs[0]
    more = f" and {len(order.legs) - 1} more" if len(order.legs) > 1 else ""
    return approvals.request(
        REVERSE,
        object_type="payment",
        object_id=payment_id,
        client_id=None,
        subject=f"{Money(first.amount_minor, first.currency)}{more}",
        payload={"paymentId": str(payment_id), "reason": reason.strip()},
        before=before,
        after=after,
        reason=reason,
        restricted=False,
        by=by,
    )


def reversal_fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """The payment's state and whether it was reversed meanwhile."""
    reversed_by = session().scalar(
        sa.select(Payment.id).where(
            Payment.reverses_id == request.object_id,
            Payment.state.not_in([PaymentState.CANCELED.value, PaymentState.ERROR.value]),
        )
    )
    state = session().scalar(sa.select(Payment.state).where(Payment.id == request.object_id))
    return {"state": state, "reversed": reversed_by is not None}


def execute_reversal(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved reversal."""
    parents.refuse_if_claimed(request.object_id)
    payments.reverse(request.object_id, reason=request.payload["reason"], by=by)
