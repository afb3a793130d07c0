"""The body of ON-02: the company fields of ClientDto (reference/000) with the conventions of ON-01 (reference/001).

So texts are taken as they come, countries are two letters in any case, the risk is a word, an unknown field is refused
by name, and what only looks wrong becomes a flag. Beyond one field there is one rule: shares of one company add up to
at most 100 per cent, as direct `ownership` and as `percentageOwnership`. More is no doubt but a sum that cannot be, as
a single share of 101 is; the partner mends it and sends again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.clients.schemas import MOST_PEOPLE, Count, Identifier, Number, Percent
from dashboard.clients.vocabulary import CompanyType, Industry, Purpose, Region, Turnover
from dashboard.errors import FieldError, Invalid
from dashboard.onboarding.schemas import (
    Country,
    Day,
    Email,
    ImportedAddress,
    ImportedDocument,
    ImportRisk,
    Name,
    Phone,
    Storable,
    Text100,
    Text255,
)
from dashboard.web.api import Body, Boolean, TextGuard, examples

#: a company's name has digits and signs that no person's has, so any printable ASCII; not blanks alone
LEGAL_NAME = r"^[ -~]*[!-~][ -~]*$"
#: shares of one company together, in per cent
WHOLE = Decimal(100)

Code = Annotated[str, Field(max_length=100), TextGuard, Storable]
Line255 = Annotated[str, Field(max_length=255), TextGuard, Storable]
Paragraph = Annotated[str, Field(max_length=2000), TextGuard, Storable]


class ImportedBusinessPartner(Body):
    name: Text255
    incorporation_country_code: Country | None = None
    planned_transfers_quantity_month: Count | None = None
    planned_transfers_eur_volume_month: Number | None = None
    additional_info: Paragraph | None = None
    basis_partnership: Paragraph | None = None
    website: Paragraph | None = None


class ImportedFundFlows(Body):
    planned_incoming_transfers_quantity: Count | None = None
    planned_incoming_transfers_eur_volume: Number | None = None
    planned_outbound_transfers_quantity: Count | None = None
    planned_outbound_transfers_eur_volume: Number | None = None


class ImportedEvaluation(Body):
    review_periodicity: Paragraph | None = None
    applied_limits: Paragraph | None = None
    additional_info: Paragraph | None = None


class ImportedRelatedIndividual(Body):
    first_name: Name
    last_name: Name
    email: Email | None = None
    is_ubo: Boolean | None = None
    is_shareholder: Boolean | None = None
    is_director: Boolean | None = None
    is_representative: Boolean | None = None
    is_pep: Boolean | None = None
    residence_country: Country | None = None
    citizenship_country: Country | None = None
    birth_date: Day | None = None
    ownership: Percent | None = Field(default=None, description="Per cent; of all together at most 100.")
    document: ImportedDocument | None = None
    beneficial_owner_pep_details: Paragraph | None = None
    usa_tax_residency: Boolean | None = None
    giin_number: Code | None = None
    residential_address: ImportedAddress | None = None
    applicant_id: Code | None = None
    percentage_ownership: Percent | None = Field(default=None, description="Per cent; of all together at most 100.")


_COMPANY = {
    "externalId": "partner-c-104",
    "riskLevel": "medium",
    "legalName": "Ilves Kaubandus OU",
    "companyType": "private",
    "registrationNumber": "14532901",
    "companyRegistrationDate": "2018-03-01",
    "countryOfRegistration": "EE",
    "taxResidencyCountry": "EE",
    "taxNumber": "EE102030405",
    "industry": "retail",
    "turnover": "between100KAnd500KEur",
    "webSite": "https://ilves.example",
    "email": "office@ilves.example",
    "phoneNumber": "+3725123456",
    "address": {
        "streetLine1": "Parnu mnt 10",
        "streetLine2": None,
        "city": "Tallinn",
        "state": None,
        "zip": "10148",
        "country": "EE",
    },
    "businessPartners": [
        {
            "name": "Nordwind Logistik GmbH",
            "incorporationCountryCode": "DE",
            "plannedTransfersQuantityMonth": 12,
            "plannedTransfersEurVolumeMonth": 48000.50,
            "additionalInfo": "Deliveries",
            "basisPartnership": "Contract of 2024",
            "website": "https://nordwind.example",
        }
    ],
    "fundFlows": {
        "plannedIncomingTransfersQuantity": 200,
        "plannedIncomingTransfersEurVolume": 90000,
        "plannedOutboundTransfersQuantity": 40,
        "plannedOutboundTransfersEurVolume": 60000,
    },
    "relatedIndividuals": [
        {
            "firstName": "Mart",
            "lastName": "Ilves",
            "email": "mart@ilves.example",
            "isUbo": True,
            "isShareholder": True,
            "isDirector": True,
            "isRepresentative": False,
            "isPep": False,
            "residenceCountry": "EE",
            "citizenshipCountry": "EE",
            "birthDate": "1979-11-02",
            "ownership": 62.5,
            "document": {
                "issuedBy": "Police and Border Guard Board",
                "expirationDate": "2033-04-01",
                "type": "idCard",
                "number": "AS0002261",
                "issuedCountryCode": "EE",
                "issuedDate": "2023-04-01",
            },
        },
        {"firstName": "Kadri", "lastName": "Ilves", "isShareholder": True, "ownership": 37.5},
    ],
}

_LEAST = {
    "externalId": "partner-c-105",
    "riskLevel": "low",
    "legalName": "North & Sons Ltd.",
    "countryOfRegistration": "LT",
    "email": "office@north.example",
    "phoneNumber": "+37061234567",
    "address": {"streetLine1": "Gedimino pr. 9", "city": "Vilnius", "zip": "01103", "country": "LT"},
}


class CompanyImport(Body):
    """A company from a partner's onboarding system."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                company=("A company with its people", _COMPANY),
                least=("The least that is needed", _LEAST),
            )
        },
    )

    external_id: Text100 = Field(description="The partner's own id; unique per partner, people and companies alike.")
    type: Literal["company"] | None = None
    risk_level: ImportRisk
    address: ImportedAddress
    phone_number: Phone
    email: Email
    onboarding_id: Identifier | None = None
    is_default_compliant: Boolean | None = None
    legal_name: Annotated[str, Field(min_length=1, max_length=255, pattern=LEGAL_NAME), TextGuard] = Field(
        description="Printable ASCII, as the other names of an import."
    )
    company_registration_date: Day | None = None
    country_of_registration: Country = Field(description="ISO 3166-1 alpha-2, in any case.")
    tax_residency_country: Country | None = None
    registration_number: Code | None = None
    industry: Industry | None = None
    industry_other: Line255 | None = None
    turnover: Turnover | None = None
    web_site: Paragraph | None = None
    tax_number: Code | None = None
    pay_ins_countries: Annotated[list[Region], Field(max_length=len(Region))] | None = None
    pay_outs_countries: Annotated[list[Region], Field(max_length=len(Region))] | None = None
    is_engaged_gambling_10k: Boolean | None = Field(default=None, alias="isEngagedGambling10K")
    is_foundation: Boolean | None = None
    is_publicly_listed: Boolean | None = None
    is_relevant_activity: Boolean | None = None
    purposes_account_opening: Annotated[list[Purpose], Field(max_length=len(Purpose))] | None = None
    purposes_account_opening_other: Paragraph | None = None
    business_partners: Annotated[list[ImportedBusinessPartner], Field(max_length=MOST_PEOPLE)] | None = None
    fund_flows: ImportedFundFlows | None = None
    compliance_evaluation: ImportedEvaluation | None = None
    custom_options: None = None
    related_individuals: Annotated[list[ImportedRelatedIndividual], Field(max_length=MOST_PEOPLE)] | None = Field(
        default=None, description=f"At most {MOST_PEOPLE}; shares add up to at most 100 per cent."
    )
    company_type: CompanyType | None = None

    def check_shares(self) -> None:
        """Raises Invalid where the shares of all related individuals add up to more than 100 per cent."""
        people = self.related_individuals or []
        errors = []
        for name, wire in (("ownership", "ownership"), ("percentage_ownership", "percentageOwnership")):
            total = sum((getattr(person, name) or Decimal(0) for person in people), Decimal(0))
            if total > WHOLE:
                errors.append(
                    FieldError(
                        "relatedIndividuals",
                        f"The {wire} of all related individuals adds up to {total.normalize():f} %; at most 100 %.",
                        "range",
                    )
                )
        if errors:
            raise Invalid(errors)
