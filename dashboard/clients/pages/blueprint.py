"""The blueprint that the files of this package share."""

from __future__ import annotations

from flask import Blueprint

clients = Blueprint("clients", __name__, url_prefix="/clients")
