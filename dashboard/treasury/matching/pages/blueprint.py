"""The blueprint of these pages."""

from __future__ import annotations

from flask import Blueprint

reconciliation = Blueprint("reconciliation", __name__, url_prefix="/treasury")
