"""Clients for machines."""

from __future__ import annotations

from flask_openapi3 import APIBlueprint

client_operations = APIBlueprint("client_operations", __name__)
