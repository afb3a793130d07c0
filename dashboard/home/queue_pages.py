"""Pages of queues."""

from __future__ import annotations

from flask import Blueprint

queues = Blueprint("queues", __name__, url_prefix="/queues")
