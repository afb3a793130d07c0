"""The blueprint of the register, of treasury days and of own movements."""

from __future__ import annotations

from flask import Blueprint

treasury_register = Blueprint("treasury_register", __name__, url_prefix="/treasury")
