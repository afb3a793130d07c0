"""The quick way of GL-30: token, key, payment and answer in one statement of the database.

It comes before everything else that a request goes through, and only ever answers a payment that was made. Whatever
else there is to say (who may not, which field is wrong, a refusal, a key that was sent before) the usual way says,
which does all of it again; so both ways mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg
from flask import Flask, Response, g, request

from dashboard import direct
from dashboard.access import idempotency, tokens
from dashboard.database import new_id
from dashboard.ledger.dto import Times, made_dto
from dashboard.ledger.queries import payments as queries
from dashboard.ledger.reading import plain_order
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.web import json

ENDPOINT = "ledger_operations.create_payment"
_CALL = "SELECT by_id, said FROM pay_at_once(" + ", ".join(["%s"] * 17) + ")"
#: the database puts its own times in their place
_TIMES = Times(moment="@moment@", booked="@booked@")
#: a longer body has fields that the quick way does not know
_LONGEST = 1024


@dataclass(frozen=True)
class Teller:
    """Who it was, for the log."""

    id: UUID
    kind: str = "token"


def payment() -> Response | None:
    """The answer of a payment that was made just now; None where the usual way must speak. Raises InProgress."""
    if request.endpoint != ENDPOINT or request.mimetype != "application/json":
        return None
    if not 0 < (request.content_length or 0) <= _LONGEST:
        return None
    secret = tokens.secret_hash(request.headers.get("Authorization"))
    key = request.headers.get(idempotency.HEADER)
    if secret is None or not (key is None or idempotency.is_key(key)):
        return None
    try:
        document = json.loads(request.get_data(cache=True))
    except (ValueError, RecursionError):
        return None
    order = plain_order(document)
    if order is None or order.parent_type is ParentType.ADJUSTING_PAYMENT:
        return None
    [leg] = order.legs
    debtor, creditor = queries.known_number(leg.debtor_id), queries.known_number(leg.creditor_id)
    if debtor is None or creditor is None:
        return None
    numbers = {leg.debtor_id: debtor, leg.creditor_id: creditor}
    try:
        row = direct.one(
            _CALL,
            (
                secret, request.remote_addr, g.get("request_id"),
                order.id, order.parent_type.value, order.parent_id, leg.id, leg.debtor_id, leg.creditor_id,
                leg.currency, leg.amount_minor, new_id(),
                key, request.method, request.path, idempotency.body_hash() if key else None,
                json.dumps(made_dto(order, PaymentState.POSTED, _TIMES, numbers)),
            ),
        )  # fmt: skip
    except (psycopg.errors.RaiseException, psycopg.IntegrityError):
        return None
    except psycopg.errors.LockNotAvailable:
        if key is None:
            return None
        # it waited for whoever came first with this key, and so with this parent
        raise idempotency.InProgress("The first request with this key still runs. Ask again.") from None
    if row is None or row[0] is None:
        return None
    g.actor = Teller(row[0])
    return Response(row[1], mimetype="application/json")


def install(app: Flask) -> None:
    """To be called before the guard is installed."""
    app.before_request(payment)
