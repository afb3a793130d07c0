"""Pages of approvals."""

from __future__ import annotations

from flask import Blueprint

approvals = Blueprint("approvals", __name__, url_prefix="/approvals")
