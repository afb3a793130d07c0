"""A bare Flask endpoint that does the least a webhook's receiver must: verify the body's HMAC and keep it, once.

No reading of the body, no guard, no log, no security headers. Served as the product is. REFERENCE_URL names the
database, REFERENCE_SECRET the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from typing import Any
from uuid import uuid4

import psycopg
from flask import Flask, jsonify, request

TABLES = """
CREATE TABLE event (id uuid PRIMARY KEY, digest text NOT NULL UNIQUE, body bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now())
"""
_KEEP = "INSERT INTO event (id, digest, body) VALUES (%s, %s, %s) ON CONFLICT (digest) DO NOTHING"

app = Flask(__name__)
_of_thread = threading.local()


def _connection() -> psycopg.Connection[Any]:
    if not hasattr(_of_thread, "connection"):
        _of_thread.connection = psycopg.connect(os.environ["REFERENCE_URL"], autocommit=True)
    connection: psycopg.Connection[Any] = _of_thread.connection
    return connection


@app.post("/integration/sumsub-webhooks/update-state")
def receive() -> Any:
    body = request.get_data()
    digest = hmac.new(os.environ["REFERENCE_SECRET"].encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(digest, request.headers.get("X-Payload-Digest", "")):
        return jsonify(status="refused"), 401
    _connection().execute(_KEEP, (uuid4(), hashlib.sha256(body).hexdigest(), body), prepare=True)
    return jsonify(status="kept")
