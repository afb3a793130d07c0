"""The blueprint of the pages of positions."""

from __future__ import annotations

from flask import Blueprint

treasury = Blueprint("treasury", __name__, url_prefix="/treasury")
