"""Where the JSON operations of transfers are registered."""

from __future__ import annotations

from flask_openapi3 import APIBlueprint, Tag

FRONT_OFFICE = [Tag(name="TransferOrchestrator - FrontOffice")]
SYSTEM = [Tag(name="TransferOrchestrator - System")]
INTEGRATION = [Tag(name="TransferOrchestrator - Integration")]

transfer_operations = APIBlueprint("transfer_operations", __name__, abp_security=[{"token": []}])
