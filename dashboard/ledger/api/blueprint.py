"""The blueprint and what its operations share in the API document."""

from __future__ import annotations

from flask_openapi3 import APIBlueprint, Tag

SYSTEM = [Tag(name="GeneralLedger - System", description="Accounts, payments and balances, for internal systems.")]
FRONT_OFFICE = [Tag(name="GeneralLedger - FrontOffice", description="Own accounts, for an app of one client.")]

ledger_operations = APIBlueprint("ledger_operations", __name__, abp_security=[{"token": []}])
