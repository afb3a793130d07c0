"""A bare Flask endpoint around the least SQL: what HTTP, JSON and one statement cost, and nothing else.

No token, no checks, no audit, no idempotency. Served as the product is: `granian --interface wsgi` with two workers of
eight threads. REFERENCE_URL names the database.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import psycopg
from flask import Flask, jsonify, request

from bench.references.least_sql import ONE

app = Flask(__name__)
_of_thread = threading.local()


def _connection() -> psycopg.Connection[Any]:
    if not hasattr(_of_thread, "connection"):
        # foreign keys are looked up by an index from the first payment on, as the product's are
        _of_thread.connection = psycopg.connect(
            os.environ["REFERENCE_URL"], autocommit=True, options="-c enable_seqscan=off"
        )
    connection: psycopg.Connection[Any] = _of_thread.connection
    return connection


@app.post("/internal/Payments")
def pay() -> Any:
    asked = request.get_json()
    row = (
        _connection()
        .execute(
            ONE,
            {
                "parent": asked["parentId"],
                "debtor": asked["debtorAccountId"],
                "creditor": asked["creditorAccountId"],
                "currency": asked["currency"],
                "amount": round(asked["amount"] * 100),
            },
            prepare=True,
        )
        .fetchone()
    )
    assert row is not None
    return jsonify(paymentId=row[0], parentId=asked["parentId"], state="posted")
