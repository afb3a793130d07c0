"""The blueprint of the ledger's pages."""

from __future__ import annotations

from flask import Blueprint

ledger = Blueprint("ledger", __name__, url_prefix="/ledger")
