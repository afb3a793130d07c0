"""The blueprint and what its operations share in the API document."""

from __future__ import annotations

from flask_openapi3 import APIBlueprint, Tag

SYSTEM = [Tag(name="ClientProfile - System", description="Clients, for the institution's own systems.")]
FRONT_OFFICE = [Tag(name="ClientProfile - FrontOffice", description="For an app that acts for one client.")]

client_operations = APIBlueprint("client_operations", __name__, abp_security=[{"token": []}])
