"""Pages of clients."""

from __future__ import annotations

from flask import Blueprint

clients = Blueprint("clients", __name__, url_prefix="/clients")
