"""What is answered for each payment of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.database import hyphened
from dashboard.errors import DomainError, Invalid
from dashboard.ledger.moving import Outcome, PlainOrders
from dashboard.ledger.services import orders as checking
from dashboard.web import json


def item_of(index: int, payment_id: Any, error: DomainError | None) -> dict[str, Any]:
    if error is None:
        return {"index": index, "done": True, "paymentId": payment_id, "code": None, "message": None, "details": None}
    details = dict(error.details)
    if isinstance(error, Invalid):
        details["errors"] = [{"field": e.field, "rule": e.rule, "message": e.message} for e in error.errors]
    return {
        "index": index, "done": False, "paymentId": None, "code": error.code, "message": error.message,
        "details": details or None,
    }  # fmt: skip


#: an item that was done, as `json.dumps` writes what `_item` gives
_DONE = json.dumps(item_of(0, "", None)).replace('"index": 0', '"index": %d').replace('""', '"%s"')


def written(orders: PlainOrders, refused: Mapping[int, Outcome]) -> str:
    """The answer as text: identifiers are put into their place, and only what was refused is thought about."""
    items = [_DONE % (index, hyphened(one)) for index, one in enumerate(orders.ids)]
    for index, outcome in refused.items():
        items[index] = json.dumps(item_of(index, None, checking.refusal(outcome, orders.order(index))))
    done = len(items) - len(refused)
    return f'{{"done": {done}, "refused": {len(refused)}, "items": [{", ".join(items)}]}}\n'
