"""Batches by the quick way: plain payments that are all made, with the key and the answer, in one statement.

Whatever else there is to say (a payment that is refused, a field that is wrong, more than plain payments) the usual way
says, which does all of it again (docs/adr/0039).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from dashboard.database import new_hex_ids
from dashboard.direct import Row
from dashboard.ledger.api.asking import Asking
from dashboard.ledger.api.batch_answers import written
from dashboard.ledger.moving import LARGEST_BATCH, array_of, same_before
from dashboard.ledger.reading import plain_orders

PATH = "/internal/Payments/batch"
#: of a body, in bytes: some 3,000 plain payments. What is longer is read by one request at a time, in the usual way
LONGEST = 1_000_000
_CALL = "SELECT by_id FROM pay_batch_at_once(" + ", ".join(f"${number}" for number in range(1, 21)) + ")"
_FIELDS = frozenset({"payments", "allOrNothing"})


def made(one: Callable[[str, Sequence[Any]], Row | None], document: Any, asking: Asking) -> tuple[UUID, str] | None:
    """The token, and the answer of a batch that was made just now as a whole; None where the usual way must speak.

    Raises psycopg.Error where a payment was refused, or the database is away.
    """
    if (
        type(document) is not dict
        or not document.keys() <= _FIELDS
        or type(document.get("allOrNothing", False)) is not bool
    ):
        return None
    items = document.get("payments")
    if type(items) is not list or not 0 < len(items) <= LARGEST_BATCH:
        return None
    orders = plain_orders(items)
    if orders is None:
        return None
    answer = written(orders, {})
    row = one(
        _CALL,
        (
            asking.secret, asking.address, asking.request, "true" if document.get("allOrNothing") else "false",
            array_of(orders.ids), array_of(orders.parent_types), array_of(orders.parent_ids),
            array_of(same_before(zip(orders.parent_types, orders.parent_ids, strict=True))),
            array_of(range(1, len(orders) + 1)), array_of(orders.transaction_ids), array_of(orders.debtor_ids),
            array_of(orders.creditor_ids), array_of(orders.currencies), array_of(orders.amounts),
            array_of(new_hex_ids(len(orders))), asking.key, asking.method, asking.path, asking.digest, answer,
        ),
    )  # fmt: skip
    return None if row is None or row[0] is None else (row[0], answer)
