"""Imports for machines: ON-01."""

from __future__ import annotations

from typing import Any

from flask_openapi3 import APIBlueprint, Tag

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.clients.profile import Address, Document, IndividualProfile
from dashboard.database import transaction
from dashboard.onboarding import services
from dashboard.onboarding.schemas import Imported, IndividualImport
from dashboard.web.api import documented_errors

CLIENTS_IMPORT = [Tag(name="Onboarding - ClientsImport", description="For partners' onboarding systems.")]

onboarding_operations = APIBlueprint("onboarding_operations", __name__, abp_security=[{"token": []}])


def _profile(body: IndividualImport) -> IndividualProfile:
    address, document = body.address, body.identification_document
    return IndividualProfile(
        email=body.email,
        phone_number=body.phone_number,
        address=Address(
            street_line1=address.street_line1,
            street_line2=address.street_line2,
            city=address.city,
            state=address.state,
            zip=address.zip,
            country=address.country,
        ),
        risk_level=body.risk_level.level.value,
        first_name=body.first_name,
        last_name=body.last_name,
        birth_date=body.date_of_birth,
        citizenship_country=body.citizenship_country,
        residence_country=body.residence_country,
        document=Document(
            type=document.type.value,
            number=document.number,
            issued_by=document.issued_by,
            issued_country_code=document.issued_country_code,
            issued_date=document.issued_date,
            expiration_date=document.expiration_date,
        ),
    )


@onboarding_operations.post(
    "/integration/clients/individuals",
    tags=CLIENTS_IMPORT,
    summary="Import an individual client",
    description="Imports a new individual client from an integrated onboarding system. What looks wrong (an expired"
    " document, an unknown country) becomes a flag for review, never a refusal. A known `externalId` is refused with"
    " 409 `externalIdTaken`.",
    operation_id="importIndividual",
    responses={200: Imported, **documented_errors(409, 413, 415)},
)
@api_requires(Audience.INTEGRATION, Permission.CLIENTS_IMPORT)
def import_individual(body: IndividualImport) -> dict[str, Any]:
    with transaction():
        client = services.import_individual(_profile(body), external_id=body.external_id, by=current_actor())
        return {"clientId": client.id, "externalId": client.external_id}
