"""The blueprint of these pages."""

from __future__ import annotations

from flask import Blueprint

statements = Blueprint("statements", __name__, url_prefix="/treasury/statements")
