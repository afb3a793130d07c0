"""The blueprint of the pages of transfers."""

from __future__ import annotations

from flask import Blueprint

transfers = Blueprint("transfers", __name__, url_prefix="/transfers")
