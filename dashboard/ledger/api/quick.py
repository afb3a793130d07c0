"""The quick way of GL-30 and of batches: token, key, payments and answer in one statement of the database.

It stands before the application and only ever answers what was made. Whatever else there is to say (who may
not, which field is wrong, a refusal, a key that was sent before) the usual way says, which does all of it again; so
both ways mean the same, and this one may know nothing of pages, forms, schemas and failures (docs/adr/0010).
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import psycopg
from flask import Flask

from dashboard import direct
from dashboard.access import idempotency, tokens
from dashboard.database import hyphened, new_id
from dashboard.ledger.api import quick_batches
from dashboard.ledger.api.asking import Asking
from dashboard.ledger.api.together import Asked, Together
from dashboard.ledger.dto import Times, made_dto
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.queries import payments as queries
from dashboard.ledger.reading import plain_orders
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.money import Money
from dashboard.web import headers, json, logs, metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PATH = "/internal/Payments"
#: a longer body has fields that the quick way does not know
_LONGEST = 1024


class Way(NamedTuple):
    """How a path is answered quickly, and the longest body that it knows."""

    make: Callable[[Any, Asking], tuple[UUID, str] | None]
    longest: int


#: the database puts its own times in their place
_TIMES = Times(moment="@moment@", booked="@booked@")


def _template() -> str:
    """The answer as `made_dto` gives it, with places for what differs from one payment to the next."""
    payment, parent, transaction, debtor, creditor = (UUID(int=number) for number in range(1, 6))
    leg = Leg(debtor, creditor, 1_234_567_89, "eur", None, transaction)
    order = Order(ParentType.TRANSFER, parent, (leg,), id=payment)
    numbers = {debtor: "@debtor@", creditor: "@creditor@"}
    text = json.dumps(made_dto(order, PaymentState.POSTED, _TIMES, numbers)).replace("%", "%%")
    places = {
        "payment": str(payment), "parent": str(parent), "transaction": str(transaction), "debtor": str(debtor),
        "creditor": str(creditor), "debtor_number": '"@debtor@"', "creditor_number": '"@creditor@"',
        "amount": "1234567.89", "currency": '"eur"', "parent_type": '"transfer"',
    }  # fmt: skip
    for name, value in places.items():
        assert value in text, name
        text = text.replace(value, f'"%({name})s"' if name in {"currency", "parent_type"} else f"%({name})s")
    return text


_ANSWER = _template()
#: numbers of accounts as JSON
_quoted = lru_cache(maxsize=100_000)(json.dumps)


class QuickPayments:
    """WSGI middleware. What it does not answer it hands on untouched."""

    def __init__(self, app: Flask, *, https: bool) -> None:
        self.app = app
        self.usual = app.wsgi_app
        self.together = app.extensions["countinghouse.together"] = Together(app)
        self.ways = {
            PATH: Way(self._payment, _LONGEST), quick_batches.PATH: Way(self._batch, quick_batches.LONGEST),
        }  # fmt: skip
        self.headers = [("Content-Type", "application/json"), *headers.common(https=https)]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        way = self.ways.get(path) if path and environ.get("REQUEST_METHOD") == "POST" else None
        if path and way is not None:
            started = time.perf_counter()
            request_id = logs.request_id(environ.get("HTTP_X_REQUEST_ID", ""))
            made = self._made(environ, path, way, request_id)
            if made is not None:
                return self._answer(made, path, request_id, started, start_response)
        return self.usual(environ, start_response)

    def _answer(
        self, made: tuple[UUID, str], path: str, request_id: str, started: float, start_response: StartResponse
    ) -> Iterable[bytes]:
        token_id, said = made
        content = said.encode()
        elapsed = (time.perf_counter() - started) * 1000
        logs.log.info(
            "request", method="POST", route=path, status=200, ms=round(elapsed, 1), actor=f"token:{token_id}",
            request=request_id,
        )  # fmt: skip
        counts = metrics.counts(self.app)
        if counts is not None:
            counts.add("POST", path, 200, elapsed / 1000)
        start_response(
            "200 OK",
            [
                *self.headers,
                ("Content-Length", str(len(content))),
                ("X-Request-Id", request_id),
                ("Server-Timing", f"app;dur={elapsed:.1f}"),
            ],
        )
        return [content]

    def _made(self, environ: WSGIEnvironment, path: str, way: Way, request_id: str) -> tuple[UUID, str] | None:
        """The token and the answer of what was made just now; None where the usual way must speak."""
        try:
            length = int(environ.get("CONTENT_LENGTH") or 0)
        except ValueError:
            return None
        if not 0 < length <= way.longest or environ.get("CONTENT_TYPE") != "application/json":
            return None
        secret = tokens.secret_hash(environ.get("HTTP_AUTHORIZATION"))
        key = environ.get("HTTP_IDEMPOTENCY_KEY")
        if secret is None or not (key is None or idempotency.is_key(key)):
            return None
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        digest = hashlib.sha256(body).digest() if key else None
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return None
        try:
            return way.make(document, Asking(secret, environ.get("REMOTE_ADDR"), request_id, key, "POST", path, digest))
        except psycopg.errors.LockNotAvailable:
            # it waited for whoever came first with this key, and so with this parent: nobody waits a second time
            environ[idempotency.WAITED] = True
            return None
        except psycopg.Error:
            # refused; or the database is away, which the usual way will tell
            return None

    def _payment(self, document: Any, asking: Asking) -> tuple[UUID, str] | None:
        orders = plain_orders([document])
        if orders is None:
            return None
        debtor, creditor = orders.debtor_ids[0], orders.creditor_ids[0]
        debtor_id, creditor_id = UUID(debtor), UUID(creditor)
        numbers = queries.numbers_at_once(self._one, debtor_id, creditor_id)
        if numbers is None:
            return None
        currency, amount = orders.currencies[0], orders.amounts[0]
        answer = _ANSWER % {
            "payment": hyphened(orders.ids[0]), "transaction": hyphened(orders.transaction_ids[0]),
            "parent": orders.parent_ids[0], "parent_type": orders.parent_types[0],
            "debtor": debtor, "debtor_number": _quoted(numbers[debtor_id]),
            "creditor": creditor, "creditor_number": _quoted(numbers[creditor_id]),
            "currency": currency, "amount": Money(amount, currency).amount,
        }  # fmt: skip
        return self.together.pay(
            Asked(
                asking.secret, asking.address, asking.request, orders.ids[0], orders.parent_types[0],
                orders.parent_ids[0], orders.transaction_ids[0], debtor, creditor, currency, amount, new_id(),
                asking.key, asking.method, asking.path, asking.digest, answer,
            )
        )  # fmt: skip

    def _batch(self, document: Any, asking: Asking) -> tuple[UUID, str] | None:
        return quick_batches.made(self._one, document, asking)

    def _one(self, statement: str, parameters: Any) -> direct.Row | None:
        return direct.beside(self.app, statement, parameters)


def install(app: Flask, *, https: bool) -> None:
    """Put it before the application, within what knows of proxies."""
    app.wsgi_app = app.extensions["countinghouse.quick"] = QuickPayments(app, https=https)  # type: ignore[method-assign]
