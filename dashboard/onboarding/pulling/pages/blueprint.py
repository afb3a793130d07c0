"""The blueprint of these pages."""

from __future__ import annotations

from flask import Blueprint

pulling = Blueprint("pulling", __name__, url_prefix="/onboarding")
