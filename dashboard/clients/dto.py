"""ClientDto of reference/000, for companies and individuals, and the same as schemas for the API document.

Nothing of a block is ever in it but the status. Internal assessments are left out of what a client reads itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field, WithJsonSchema

from dashboard.clients.models import Client, Company, Individual, RelatedIndividual
from dashboard.clients.vocabulary import (
    ClientType,
    CompanyType,
    DocumentType,
    Industry,
    Purpose,
    Region,
    Risk,
    Status,
    Turnover,
)
from dashboard.database import session
from dashboard.web.api import Answer

ADDRESS_FIELDS = ("streetLine1", "streetLine2", "city", "state", "zip", "country")
DOCUMENT_FIELDS = ("issuedBy", "expirationDate", "type", "number", "issuedCountryCode", "issuedDate")
PARTNER_FIELDS = (
    "name", "incorporationCountryCode", "plannedTransfersQuantityMonth", "plannedTransfersEurVolumeMonth",
    "additionalInfo", "basisPartnership", "website",
)  # fmt: skip
FLOW_FIELDS = (
    "plannedIncomingTransfersQuantity", "plannedIncomingTransfersEurVolume", "plannedOutboundTransfersQuantity",
    "plannedOutboundTransfersEurVolume",
)  # fmt: skip
EVALUATION_FIELDS = ("reviewPeriodicity", "appliedLimits", "additionalInfo")

_NUMBERS = {*FLOW_FIELDS, "plannedTransfersQuantityMonth", "plannedTransfersEurVolumeMonth"}

Number = Annotated[Decimal, WithJsonSchema({"type": "number"})]


class AddressDto(Answer):
    street_line1: str | None
    street_line2: str | None
    city: str | None
    state: str | None
    zip: str | None
    country: str | None


class IdentificationDocumentDto(Answer):
    issued_by: str | None
    expiration_date: date | None
    type: DocumentType | None
    number: str | None
    issued_country_code: str | None
    issued_date: date | None


class BusinessPartnerDto(Answer):
    name: str | None
    incorporation_country_code: str | None
    planned_transfers_quantity_month: Number | None
    planned_transfers_eur_volume_month: Number | None
    additional_info: str | None
    basis_partnership: str | None
    website: str | None


class FundFlowsDto(Answer):
    planned_incoming_transfers_quantity: Number | None
    planned_incoming_transfers_eur_volume: Number | None
    planned_outbound_transfers_quantity: Number | None
    planned_outbound_transfers_eur_volume: Number | None


class ComplianceEvaluationDto(Answer):
    review_periodicity: str | None
    applied_limits: str | None
    additional_info: str | None


class RelatedIndividualInfoDto(Answer):
    first_name: str | None
    last_name: str | None
    email: str | None
    is_ubo: bool | None
    is_shareholder: bool | None
    is_director: bool | None
    is_representative: bool | None
    is_pep: bool | None
    residence_country: str | None
    citizenship_country: str | None
    birth_date: date | None
    ownership: Number | None = Field(description="Per cent.")
    document: IdentificationDocumentDto | None
    beneficial_owner_pep_details: str | None
    usa_tax_residency: bool | None
    giin_number: str | None
    residential_address: AddressDto | None
    applicant_id: str | None
    percentage_ownership: Number | None = Field(description="Per cent.")


class ClientDto(Answer):
    """Fields of the other type are null, or empty where the reference knows no null."""

    id: UUID
    type: ClientType
    editor_user_id: UUID | None
    onboarding_id: UUID | None
    status: Annotated[Status, WithJsonSchema({"type": "string", "enum": ["inactive", "active", "blocked"]})]
    address: AddressDto | None
    phone_number: str
    email: str | None
    created: datetime
    risk_level: int = Field(description="0 not set, 1 low, 2 medium, 3 high, 4 prohibited.")
    is_default_compliant: bool
    legal_name: str
    company_registration_date: date | None
    country_of_registration: str
    tax_residency_country: str | None
    registration_number: str | None
    industry: Industry | None
    industry_other: str | None
    turnover: Turnover | None
    web_site: str | None
    tax_number: str | None
    pay_ins_countries: list[Region] | None
    pay_outs_countries: list[Region] | None
    is_engaged_gambling_10k: bool | None = Field(alias="isEngagedGambling10K")
    is_foundation: bool | None
    is_publicly_listed: bool | None
    is_relevant_activity: bool | None
    purposes_account_opening: list[Purpose] | None
    purposes_account_opening_other: str | None
    business_partners: list[BusinessPartnerDto] | None
    fund_flows: FundFlowsDto | None
    compliance_evaluation: ComplianceEvaluationDto | None
    custom_options: Any
    related_individuals: list[RelatedIndividualInfoDto]
    company_type: CompanyType | None
    external_id: str | None = Field(description="Of the partner that imported the client.")
    is_closed: bool = Field(default=False, description="Only on a closed client, whose status reads inactive.")
    processing_restricted: bool = Field(
        default=False, description="Only on a client of whom a request for deletion is open."
    )
    first_name: str | None = Field(default=None, description="Individuals only, like the next five.")
    last_name: str | None = None
    date_of_birth: date | None = None
    citizenship_country: str | None = None
    residence_country: str | None = None
    identification_document: IdentificationDocumentDto | None = None


class OwnClientDto(ClientDto):
    """What a client reads about itself: no assessment by the institution, but what its blocks tell it."""

    client_texts: list[str] = Field(description="Of the blocks that stand; they never tell why.")


class ClientEnvelope(Answer):
    is_failed: bool = False
    is_success: bool = True
    reasons: list[dict[str, Any]] | None
    errors: list[dict[str, Any]] | None
    successes: list[dict[str, Any]] | None
    value_or_default: ClientDto
    value: ClientDto


class OwnClientEnvelope(Answer):
    is_failed: bool = False
    is_success: bool = True
    reasons: list[dict[str, Any]] | None
    errors: list[dict[str, Any]] | None
    successes: list[dict[str, Any]] | None
    value_or_default: OwnClientDto
    value: OwnClientDto


class ClientList(Answer):
    items: list[ClientDto]
    next_cursor: str | None = Field(description="Ask with it for the next page; null on the last one.")
    total_count: int = Field(default=0, description="Only with includeTotal=true.")


def _number(value: Any) -> Any:
    """Exact: whole numbers without a fraction, others without trailing zeros."""
    if value is None or isinstance(value, bool):
        return None
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    return int(number) if number == number.to_integral_value() else number.normalize()


def _whole_document(stored: dict[str, Any] | None, fields: Sequence[str]) -> dict[str, Any] | None:
    """Every documented field, also those that were not given."""
    if not stored:
        return None
    return {name: _number(stored.get(name)) if name in _NUMBERS else stored.get(name) for name in fields}


def _identification(individual: Individual) -> dict[str, Any] | None:
    document = {
        "issuedBy": individual.document_issued_by,
        "expirationDate": individual.document_expiration_date,
        "type": individual.document_type,
        "number": individual.document_number,
        "issuedCountryCode": individual.document_issued_country,
        "issuedDate": individual.document_issued_date,
    }
    return document if any(value is not None for value in document.values()) else None


def _related(person: RelatedIndividual) -> dict[str, Any]:
    return {
        "firstName": person.first_name,
        "lastName": person.last_name,
        "email": person.email,
        "isUbo": person.is_ubo,
        "isShareholder": person.is_shareholder,
        "isDirector": person.is_director,
        "isRepresentative": person.is_representative,
        "isPep": person.is_pep,
        "residenceCountry": person.residence_country,
        "citizenshipCountry": person.citizenship_country,
        "birthDate": person.birth_date,
        "ownership": _number(person.ownership),
        "document": _whole_document(person.document, DOCUMENT_FIELDS),
        "beneficialOwnerPepDetails": person.beneficial_owner_pep_details,
        "usaTaxResidency": person.usa_tax_residency,
        "giinNumber": person.giin_number,
        "residentialAddress": _whole_document(person.residential_address, ADDRESS_FIELDS),
        "applicantId": person.applicant_id,
        "percentageOwnership": _number(person.percentage_ownership),
    }


def _company(company: Company | None, related: Sequence[RelatedIndividual]) -> dict[str, Any]:
    """The company's part; for an individual null, or empty where the reference knows no null."""
    said = company or Company()
    partners = said.business_partners
    return {
        "legalName": said.legal_name or "",
        "companyRegistrationDate": said.registration_date,
        "countryOfRegistration": said.registration_country or "",
        "taxResidencyCountry": said.tax_residency_country,
        "registrationNumber": said.registration_number,
        "industry": said.industry,
        "industryOther": said.industry_other,
        "turnover": said.turnover,
        "webSite": said.web_site,
        "taxNumber": said.tax_number,
        "payInsCountries": said.pay_ins_countries,
        "payOutsCountries": said.pay_outs_countries,
        "isEngagedGambling10K": said.is_engaged_gambling_10k,
        "isFoundation": said.is_foundation,
        "isPubliclyListed": said.is_publicly_listed,
        "isRelevantActivity": said.is_relevant_activity,
        "purposesAccountOpening": said.purposes_account_opening,
        "purposesAccountOpeningOther": said.purposes_account_opening_other,
        "businessPartners": (
            None if partners is None else [{f: _number(p.get(f)) if f in _NUMBERS else p.get(f) for f in PARTNER_FIELDS}
                                           for p in partners]
        ),
        "fundFlows": _whole_document(said.fund_flows, FLOW_FIELDS),
        "complianceEvaluation": _whole_document(said.compliance_evaluation, EVALUATION_FIELDS),
        "customOptions": said.custom_options,
        "relatedIndividuals": [_related(person) for person in related],
        "companyType": said.company_type,
    }  # fmt: skip


def _individual(individual: Individual) -> dict[str, Any]:
    return {
        "firstName": individual.first_name,
        "lastName": individual.last_name,
        "dateOfBirth": individual.birth_date,
        "citizenshipCountry": individual.citizenship_country,
        "residenceCountry": individual.residence_country,
        "identificationDocument": _identification(individual),
    }


def client_dto(
    client: Client, detail: Individual | Company | None, related: Sequence[RelatedIndividual] = ()
) -> dict[str, Any]:
    """The client in the reference's field names, JSON-ready for `web.json`."""
    closed = client.status == Status.CLOSED
    return {
        "id": client.id,
        "type": client.type,
        "editorUserId": client.editor_user_id,
        "onboardingId": client.onboarding_id,
        "status": Status.INACTIVE.value if closed else client.status,
        "address": _whole_document(detail.address if detail else None, ADDRESS_FIELDS),
        "phoneNumber": client.phone_number or "",
        "email": client.email,
        "created": client.created_at,
        "riskLevel": client.risk_level,
        "isDefaultCompliant": client.is_default_compliant,
        **_company(detail if isinstance(detail, Company) else None, related),
        "externalId": client.external_id,
        **({"isClosed": True} if closed else {}),
        **({"processingRestricted": True} if client.restricted_at else {}),
        **(_individual(detail) if isinstance(detail, Individual) else {}),
    }


def client_dtos(clients: Sequence[Client]) -> list[dict[str, Any]]:
    """A page of clients in at most three queries, however long it is."""
    details: dict[UUID, Individual | Company] = {}
    related: dict[UUID, list[RelatedIndividual]] = {}
    people = [client.id for client in clients if client.type == ClientType.INDIVIDUAL]
    companies = [client.id for client in clients if client.type == ClientType.COMPANY]
    if people:
        for individual in session().scalars(sa.select(Individual).where(Individual.client_id.in_(people))):
            details[individual.client_id] = individual
    if companies:
        for company in session().scalars(sa.select(Company).where(Company.client_id.in_(companies))):
            details[company.client_id] = company
        for person in session().scalars(
            sa.select(RelatedIndividual)
            .where(RelatedIndividual.client_id.in_(companies))
            .order_by(RelatedIndividual.client_id, RelatedIndividual.position)
        ):
            related.setdefault(person.client_id, []).append(person)
    return [client_dto(client, details.get(client.id), related.get(client.id, ())) for client in clients]


def one_client_dto(client: Client) -> dict[str, Any]:
    """The same for one client."""
    return client_dtos([client])[0]


def own_client_dto(client: Client, client_texts: Sequence[str]) -> dict[str, Any]:
    """What the client itself may read: the institution's assessments are not for it."""
    return {
        **one_client_dto(client),
        "riskLevel": Risk.NOT_SET.value,
        "complianceEvaluation": None,
        "editorUserId": None,
        "isDefaultCompliant": False,
        "clientTexts": list(dict.fromkeys(client_texts)),
    }
