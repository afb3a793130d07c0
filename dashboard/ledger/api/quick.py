"""The quick way of GL-30: key, payment and answer in one statement of the database.

It only ever answers a payment that was made. Whatever else there is to say (a field that is wrong, a refusal, a key
that was sent before) the usual way says, which does all of it again; so both ways mean the same.
"""

from __future__ import annotations

from typing import Any

import psycopg
from flask import Response, request

from dashboard import direct
from dashboard.access.guard import current_actor
from dashboard.access.idempotency import InProgress, body_hash
from dashboard.database import new_id
from dashboard.ledger.dto import Times, made_dto
from dashboard.ledger.queries import payments as queries
from dashboard.ledger.reading import plain_order
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.web import json

_CALL = "SELECT pay_at_once(" + ", ".join(["%s"] * 20) + ")"
#: the database puts its own times in their place
_TIMES = Times(moment="@moment@", booked="@booked@")
_LOCK_TIMEOUT = "55P03"


def payment(key: str | None) -> Response | None:
    """The answer of a payment that was made just now; None where the usual way must speak. Raises InProgress."""
    document: Any = request.get_json(silent=True)
    order = plain_order(document)
    if order is None or order.parent_type is ParentType.ADJUSTING_PAYMENT:
        return None
    [leg] = order.legs
    numbers = queries.numbers_of((leg.debtor_id, leg.creditor_id))
    if len(numbers) != 2:
        return None
    by = current_actor()
    try:
        row = direct.one(
            _CALL,
            (
                order.id, order.parent_type.value, order.parent_id, leg.id, leg.debtor_id, leg.creditor_id,
                leg.currency, leg.amount_minor, new_id(),
                by.kind, by.id, by.name, by.role, by.address, by.request_id,
                key, request.method, request.path, body_hash() if key else None,
                json.dumps(made_dto(order, PaymentState.POSTED, _TIMES, numbers)),
            ),
        )  # fmt: skip
    except (psycopg.errors.RaiseException, psycopg.IntegrityError):
        return None
    except psycopg.errors.LockNotAvailable:
        if key is None:
            raise
        raise InProgress("The first request with this key still runs. Ask again.") from None
    answer = row[0] if row else None
    return None if answer is None else Response(answer, mimetype="application/json")
