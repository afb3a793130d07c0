"""Many payments in one request: POST /internal/Payments/batch, an addition to the documented operations."""

from __future__ import annotations

from typing import Any

from flask import Response

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import new_ids
from dashboard.errors import DomainError, FieldError, Invalid
from dashboard.ledger.api.batch_answers import item_of, written
from dashboard.ledger.api.blueprint import SYSTEM, ledger_operations
from dashboard.ledger.dto import BatchAnswer
from dashboard.ledger.moving import Moved, Order
from dashboard.ledger.reading import order_from, plain_orders
from dashboard.ledger.schemas import BatchBody
from dashboard.ledger.services import orders as checking
from dashboard.ledger.services import payments
from dashboard.ledger.services.retrying import in_transaction
from dashboard.web.api import MOST_ERRORS, documented_errors, takes_bodies_of

#: 10,000 payments with all their optional fields
LARGEST_BODY = 16 * 1024 * 1024


def _read(items: list[Any], *, may_adjust: bool) -> tuple[list[tuple[int, Order]], dict[int, DomainError]]:
    orders, wrong = [], {}
    ids = new_ids(2 * len(items))
    for index, item in enumerate(items):
        try:
            own = (ids[2 * index], ids[2 * index + 1])
            orders.append((index, order_from(item, may_adjust=may_adjust, ids=own)))
        except DomainError as error:
            wrong[index] = error
    return orders, wrong


def _refuse_all(wrong: dict[int, DomainError]) -> None:
    """All or nothing: whatever is wrong with an item is wrong with the request."""
    errors = []
    for index, error in wrong.items():
        if not isinstance(error, Invalid):
            raise error
        errors += [FieldError(f"payments.{index}.{e.field}".rstrip("."), e.message, e.rule) for e in error.errors]
    raise Invalid(errors[:MOST_ERRORS])


@ledger_operations.post(
    "/internal/Payments/batch", tags=SYSTEM, summary="Create up to 10,000 payments and move the money at once",
    description="Each payment is decided as if it had come alone, in the order given: what one brings the next may"
    " spend. With `allOrNothing` one refusal refuses all (the others answer `notDone`); otherwise each stands or falls"
    " on its own. The answer has a result for every item.",
    operation_id="createPayments", responses={200: BatchAnswer, **documented_errors(409, 413, 415)},
)  # fmt: skip
@takes_bodies_of(LARGEST_BODY)
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def create_payments(body: BatchBody) -> dict[str, Any] | Response:
    by = current_actor()
    plain = plain_orders(body.payments)
    if plain is not None:
        refused = in_transaction(lambda: payments.batch_of_plain(plain, all_or_none=body.all_or_nothing, by=by))
        return Response(written(plain, refused), mimetype="application/json")
    orders, wrong = _read(body.payments, may_adjust=payments.may_adjust(by))
    if wrong and body.all_or_nothing:
        _refuse_all(wrong)
    moved = Moved([], None, None)
    if orders:
        moved = in_transaction(
            lambda: payments.batch([order for _, order in orders], all_or_none=body.all_or_nothing, by=by)
        )
    found: list[Any] = [None] * len(body.payments)
    for index, error in wrong.items():
        found[index] = item_of(index, None, error)
    for (index, order), outcome in zip(orders, moved.outcomes, strict=True):
        found[index] = item_of(index, order.id, checking.refusal(outcome, order) if outcome.code else None)
    done = sum(item["done"] for item in found)
    return {"done": done, "refused": len(found) - done, "items": found}
