"""What requests about payments are about, read without locks for a whole list at once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.approvals.kinds import Detail, Line, Link, Outcome
from dashboard.approvals.models import ApprovalRequest
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.queries import payments
from dashboard.ledger.queries.parties import Party, parties
from dashboard.ledger.services import adjusting
from dashboard.ledger.vocabulary import ParentType
from dashboard.money import Money

#: transactions that a request reads back one by one
MOST_SHOWN = 5


def _orders(requests: Sequence[ApprovalRequest]) -> dict[UUID, Order]:
    """What each request asks for, by the request's id: a reversal is the payment the other way round."""
    found = {request.id: adjusting.order_of(request) for request in requests if request.kind == adjusting.ADJUST}
    reversals = [request for request in requests if request.kind == adjusting.REVERSE]
    originals = payments.read([request.object_id for request in reversals]) if reversals else {}
    for request in reversals:
        legs = originals[request.object_id].transactions
        found[request.id] = Order(
            parent_type=ParentType.ADJUSTING_PAYMENT,
            parent_id=request.object_id,
            legs=[
                Leg(leg.creditor_id, leg.debtor_id, leg.money.minor_units, leg.money.currency, leg.description)
                for leg in reversed(legs)
            ],
        )
    return found


def _sides(orders: Sequence[Order]) -> dict[UUID, Party]:
    shown = [leg for order in orders for leg in order.legs[: MOST_SHOWN + 1]]
    return parties(side for leg in shown for side in (leg.debtor_id, leg.creditor_id))


def _as_asked(requests: Sequence[ApprovalRequest]) -> dict[UUID, Outcome]:
    orders = _orders(requests)
    sides = _sides(list(orders.values()))
    found: dict[UUID, Outcome] = {}
    for request in requests:
        legs = orders[request.id].legs[:MOST_SHOWN]
        shown = {sides[side].number: sides[side].short for leg in legs for side in (leg.debtor_id, leg.creditor_id)}
        found[request.id] = (
            {f"{name}, as asked": request.before[number] for number, name in shown.items() if number in request.before},
            {f"{name}, as asked": request.after[number] for number, name in shown.items() if number in request.after},
        )
    return found


def outcomes(requests: Sequence[ApprovalRequest]) -> dict[UUID, Outcome]:
    """Of open ones: the balances of the accounts now and after. Of approved ones what the two people were shown when it
    was asked, marked so: balances ran on until the decision."""
    found = _as_asked([request for request in requests if request.state == "approved"])
    waiting = _orders([request for request in requests if request.state == "requested"])
    around = adjusting.around(waiting)
    sides = parties(line.account_id for lines in around.values() for line in lines[: 2 * MOST_SHOWN])
    for request_id, lines in around.items():
        shown = [(sides[line.account_id].short, line) for line in lines[: 2 * MOST_SHOWN]]
        found[request_id] = (
            {name: str(line.before) for name, line in shown},
            {name: str(line.after) for name, line in shown},
        )
    return found


def _said(leg: Leg, sides: dict[UUID, Party]) -> str:
    return (
        f"{Money(leg.amount_minor, leg.currency)} from {sides[leg.debtor_id].short} to {sides[leg.creditor_id].short}"
    )


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """Accounts, amounts and dates, and where they are to be seen."""
    orders = _orders(requests)
    sides = _sides(list(orders.values()))
    found = {}
    for request in requests:
        order = orders[request.id]
        shown, more = order.legs[:MOST_SHOWN], len(order.legs) - MOST_SHOWN
        lines = [Line("Moves", (_said(leg, sides),)) for leg in shown]
        if more > 0:
            lines.append(Line("", (f"and {more} more",)))
        if request.kind == adjusting.ADJUST:
            on = order.value_date
            lines.append(Line("Value date", (f"{on.day} {on:%b %Y}" if on else "booking day",)))
            lines += [Line("Description", (f"“{leg.description}”",)) for leg in shown[:1] if leg.description]
        first = order.legs[0]
        debtor, creditor = sides[first.debtor_id], sides[first.creditor_id]
        # an open request names both sides with their balances
        short = "" if request.state == "requested" else f"{debtor.short} → {creditor.short}"
        found[request.id] = Detail(short, tuple(lines), _links(request, debtor, creditor))
    return found


def _links(request: ApprovalRequest, debtor: Party, creditor: Party) -> tuple[Link, ...]:
    payment = f"/ledger/payments/{request.object_id}"
    accounts = (
        Link(f"Account {debtor.end}", debtor.account_url),
        Link(f"Account {creditor.end}", creditor.account_url),
    )
    if request.kind == adjusting.REVERSE:
        return (Link("The payment", payment), *accounts)
    return (Link("The payment", payment), *accounts) if request.state == "approved" else accounts


def closed(request: ApprovalRequest) -> str | None:
    """What made a request stale; None where the usual sentence is right."""
    if request.state != "stale":
        return None
    what = "an account was closed" if request.kind == adjusting.ADJUST else "the payment was reversed"
    return f"This request has gone stale: {what} meanwhile. No money has moved."
