"""Imports for machines: ON-01 and ON-02."""

from __future__ import annotations

from typing import Any

from flask_openapi3 import APIBlueprint, Tag

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.onboarding import services
from dashboard.onboarding.company_schemas import CompanyImport
from dashboard.onboarding.profiles import company_of, individual_of
from dashboard.onboarding.schemas import Imported, IndividualImport
from dashboard.web.api import documented_errors

CLIENTS_IMPORT = [Tag(name="Onboarding - ClientsImport", description="For partners' onboarding systems.")]

onboarding_operations = APIBlueprint("onboarding_operations", __name__, abp_security=[{"token": []}])


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
        client = services.import_client(individual_of(body), external_id=body.external_id, by=current_actor())
        return {"clientId": client.id, "externalId": client.external_id}


@onboarding_operations.post(
    "/integration/clients/companies",
    tags=CLIENTS_IMPORT,
    summary="Import a company client",
    description="Imports a new company client with its related individuals, business partners and planned fund flows;"
    " all of it or nothing. The client is inactive. What looks wrong (an owner under age, an expired document, a"
    " registration in the future, a politically exposed person) becomes a flag for review, never a refusal. Shares"
    " that add up to more than 100 per cent cannot be and are refused with 400 on `relatedIndividuals`. A known"
    " `externalId` is refused with 409 `externalIdTaken`.",
    operation_id="importCompany",
    responses={200: Imported, **documented_errors(409, 413, 415)},
)
@api_requires(Audience.INTEGRATION, Permission.CLIENTS_IMPORT)
def import_company(body: CompanyImport) -> dict[str, Any]:
    profile = company_of(body)
    with transaction():
        client = services.import_client(profile, external_id=body.external_id, by=current_actor())
        return {"clientId": client.id, "externalId": client.external_id}
