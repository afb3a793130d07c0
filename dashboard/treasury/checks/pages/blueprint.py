"""The blueprint of these pages."""

from __future__ import annotations

from flask import Blueprint

checks = Blueprint("checks", __name__, url_prefix="/treasury/checks")
