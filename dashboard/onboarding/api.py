"""Imports for machines."""

from __future__ import annotations

from flask_openapi3 import APIBlueprint

onboarding_operations = APIBlueprint("onboarding_operations", __name__)
