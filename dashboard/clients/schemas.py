"""What machines may say about clients: the bodies of CP-03, CP-05, CP-06, CP-07 and the query of CP-04.

Texts are stripped and empty ones are None when a body becomes a profile. Fields that a caller reads but cannot
write are accepted and ignored, so that an answer can be changed and sent back whole.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from dashboard.clients.vocabulary import (
    BlockCode,
    ClientType,
    CompanyType,
    DocumentType,
    FlagCode,
    Industry,
    Scope,
    Severity,
    Status,
    Turnover,
)
from dashboard.money import DECIMALS
from dashboard.web.api import Body, Boolean, DateGuard, NoControl, NumberGuard, TextGuard, examples
from dashboard.web.paging import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from dashboard.web.parameters import Listed, Truth, Unset, Whole, each, whole

#: related individuals and business partners of one company
MOST_PEOPLE = 200

Code = Annotated[str, Field(max_length=100), TextGuard, NoControl]
Line = Annotated[str, Field(max_length=255), TextGuard, NoControl]
Address320 = Annotated[str, Field(max_length=320), TextGuard, NoControl]
Paragraph = Annotated[str, Field(max_length=2000), TextGuard, NoControl]
Day = Annotated[date, DateGuard]
Number = Annotated[
    Decimal,
    Field(ge=0, le=10**12, decimal_places=2),
    NumberGuard,
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 10**12}),
]
Count = Annotated[int, Field(ge=0, le=10**9), NumberGuard]
Percent = Annotated[
    Decimal,
    Field(ge=0, le=100, decimal_places=4),
    NumberGuard,
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100}),
]
Identifier = Annotated[UUID, TextGuard]
Ignored = Annotated[Any, Field(description="Read-only: accepted and ignored.", json_schema_extra={"readOnly": True})]


def _one_spelling(value: Any) -> Any:
    return DocumentType.DRIVER_LICENSE.value if value == "driverLicence" else value


DocumentTypeText = Annotated[
    DocumentType,
    BeforeValidator(_one_spelling),
    WithJsonSchema({"type": "string", "enum": [*(kind.value for kind in DocumentType), "driverLicence"]}),
]


def clean(text: str | None) -> str | None:
    """Stripped; None when nothing is left."""
    return (text or "").strip() or None


class AddressBody(Body):
    street_line1: Line | None = None
    street_line2: Line | None = None
    city: Line | None = None
    state: Line | None = None
    zip: Line | None = None
    country: Code | None = None


class IdentificationDocumentBody(Body):
    issued_by: Line | None = None
    expiration_date: Day | None = None
    type: DocumentTypeText | None = None
    number: Code | None = None
    issued_country_code: Code | None = None
    issued_date: Day | None = None


class BusinessPartnerBody(Body):
    name: Line | None = None
    incorporation_country_code: Code | None = None
    planned_transfers_quantity_month: Count | None = None
    planned_transfers_eur_volume_month: Number | None = None
    additional_info: Paragraph | None = None
    basis_partnership: Paragraph | None = None
    website: Paragraph | None = None


class FundFlowsBody(Body):
    planned_incoming_transfers_quantity: Count | None = None
    planned_incoming_transfers_eur_volume: Number | None = None
    planned_outbound_transfers_quantity: Count | None = None
    planned_outbound_transfers_eur_volume: Number | None = None


class ComplianceEvaluationBody(Body):
    review_periodicity: Paragraph | None = None
    applied_limits: Paragraph | None = None
    additional_info: Paragraph | None = None


class RelatedIndividualBody(Body):
    first_name: Line | None = None
    last_name: Line | None = None
    email: Address320 | None = None
    is_ubo: Boolean | None = None
    is_shareholder: Boolean | None = None
    is_director: Boolean | None = None
    is_representative: Boolean | None = None
    is_pep: Boolean | None = None
    residence_country: Code | None = None
    citizenship_country: Code | None = None
    birth_date: Day | None = None
    ownership: Percent | None = None
    document: IdentificationDocumentBody | None = None
    beneficial_owner_pep_details: Paragraph | None = None
    usa_tax_residency: Boolean | None = None
    giin_number: Code | None = None
    residential_address: AddressBody | None = None
    applicant_id: Code | None = None
    percentage_ownership: Percent | None = None


class _ClientFields(Body):
    """ClientDto as a caller writes it; which part applies depends on the type."""

    onboarding_id: Identifier | None = None
    address: AddressBody | None = None
    phone_number: Code | None = None
    email: Address320 | None = None
    risk_level: Annotated[int, Field(ge=0, le=4), NumberGuard] | None = Field(
        default=None, description="0 not set, 1 low, 2 medium, 3 high, 4 prohibited. Lowering needs a second person."
    )
    is_default_compliant: Boolean | None = None

    first_name: Line | None = Field(default=None, description="Individuals: required.")
    last_name: Line | None = Field(default=None, description="Individuals: required.")
    date_of_birth: Day | None = None
    citizenship_country: Code | None = None
    residence_country: Code | None = None
    identification_document: IdentificationDocumentBody | None = None

    legal_name: Line | None = Field(default=None, description="Companies: required.")
    company_registration_date: Day | None = None
    country_of_registration: Code | None = None
    tax_residency_country: Code | None = None
    registration_number: Code | None = None
    industry: Industry | None = None
    industry_other: Line | None = None
    turnover: Turnover | None = None
    web_site: Paragraph | None = None
    tax_number: Code | None = None
    business_partners: Annotated[list[BusinessPartnerBody], Field(max_length=MOST_PEOPLE)] | None = None
    fund_flows: FundFlowsBody | None = None
    compliance_evaluation: ComplianceEvaluationBody | None = None
    custom_options: None = None
    related_individuals: Annotated[list[RelatedIndividualBody], Field(max_length=MOST_PEOPLE)] | None = None
    company_type: CompanyType | None = None

    id: Ignored = None
    status: Ignored = None
    created: Ignored = None
    editor_user_id: Ignored = None
    external_id: Ignored = None
    is_closed: Ignored = None
    pay_ins_countries: Ignored = None
    pay_outs_countries: Ignored = None
    is_engaged_gambling_10k: Ignored = Field(default=None, alias="isEngagedGambling10K")
    is_foundation: Ignored = None
    is_publicly_listed: Ignored = None
    is_relevant_activity: Ignored = None
    purposes_account_opening: Ignored = None
    purposes_account_opening_other: Ignored = None


_PERSON = {
    "type": "individual",
    "firstName": "Łucja",
    "lastName": "Dąbrowska",
    "dateOfBirth": "1987-04-12",
    "citizenshipCountry": "PL",
    "residenceCountry": "LT",
    "email": "lucja.dabrowska@example.com",
    "phoneNumber": "+37061234567",
    "riskLevel": 1,
    "address": {
        "streetLine1": "Gedimino pr. 9",
        "streetLine2": None,
        "city": "Vilnius",
        "state": None,
        "zip": "01103",
        "country": "LT",
    },
    "identificationDocument": {
        "issuedBy": "Prezydent m. st. Warszawy",
        "expirationDate": "2033-05-20",
        "type": "passport",
        "number": "EK1234567",
        "issuedCountryCode": "PL",
        "issuedDate": "2023-05-20",
    },
}

_COMPANY = {
    "type": "company",
    "legalName": "Ilves Kaubandus OÜ",
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
    "riskLevel": 2,
    "address": {
        "streetLine1": "Pärnu mnt 10",
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
    "complianceEvaluation": {"reviewPeriodicity": "yearly", "appliedLimits": "none", "additionalInfo": ""},
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
            "percentageOwnership": 62.5,
        }
    ],
}

_WRITABLE = examples(individual=("An individual", _PERSON), company=("A company", _COMPANY))


class ClientBody(_ClientFields):
    """A new client. It is inactive, whatever `status` says."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={"examples": _WRITABLE},  # type: ignore[typeddict-unknown-key]
    )

    type: ClientType


class ClientChange(_ClientFields):
    """The whole profile; a field that is left out is emptied, but for riskLevel, isDefaultCompliant, onboardingId."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={"examples": _WRITABLE},  # type: ignore[typeddict-unknown-key]
    )

    type: ClientType | None = Field(default=None, description="Never changes; left out, it is what it was.")


class _OptionalBody(Body):
    """No body at all is an empty one."""

    @model_validator(mode="before")
    @classmethod
    def nothing(cls, value: Any) -> Any:
        return {} if value is None else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


CurrencyText = Annotated[
    str,
    Field(max_length=10),
    BeforeValidator(_lower),
    TextGuard,
    WithJsonSchema({"type": "string", "enum": [*DECIMALS]}),
]


class BlockBody(_OptionalBody):
    """Why and what; everything may be left out."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "required": False,
            "examples": examples(
                stated=(
                    "A stated reason",
                    {
                        "reasonCode": "FRAUD",
                        "scope": "debit",
                        "comment": "Three complaints of the same kind.",
                        "clientText": "Your account is temporarily limited. We will write to you.",
                    },
                ),
                amount=(
                    "An amount",
                    {"reasonCode": "COURT_ATTACHMENT", "scope": "amount", "amount": 1250.75, "currency": "eur",
                     "legalReference": "Order 2-19/4410"},
                ),
                nothing=("No reason: somebody is asked to state it", {}),
            ),
        },
    )  # fmt: skip

    reason_code: BlockCode | None = Field(default=None, description="NOT_STATED when absent.")
    scope: Scope | None = Field(default=None, description="`all` when absent.")
    comment: Paragraph | None = None
    client_text: Paragraph | None = Field(default=None, description="What the client reads; neutral when absent.")
    review_date: Day | None = Field(default=None, description="A business day within a year; five ahead when absent.")
    amount: (
        Annotated[
            Decimal,
            Field(gt=0, le=10**14),
            NumberGuard,
            WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 10**14}),
        ]
        | None
    ) = Field(default=None, description="Only with scope amount.")
    currency: CurrencyText | None = None
    legal_reference: Paragraph | None = None


class UnblockBody(_OptionalBody):
    """Why; may be left out."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "required": False,
            "examples": examples(
                reason=("A reason for who decides", {"comment": "The complaints were withdrawn."}),
                nothing=("No reason", {}),
            ),
        },
    )

    comment: Paragraph | None = None


class ClientPath(Body):
    client_id: UUID


def _wholes(value: Any) -> Any:
    return [whole(part) for part in each(value)] if isinstance(value, list) else value


SEVERITIES = {severity.name.lower(): severity for severity in Severity}


class ClientQuery(Body):
    """Filters combine; a list may be repeated or comma separated. Times are days in the institution's zone."""

    text: Annotated[str, Field(max_length=200), NoControl] = Field(
        default="", description="Parts of the name in any order, e-mail, phone, registration number, externalId or id."
    )
    status: Annotated[list[Status], Listed] = Field(default_factory=list)
    type: Annotated[list[ClientType], Listed] = Field(default_factory=list)
    risk_level: Annotated[list[Annotated[int, Field(ge=0, le=4)]], BeforeValidator(_wholes)] = Field(
        default_factory=list
    )
    country: Annotated[list[Annotated[str, Field(max_length=100), NoControl]], Field(max_length=250), Listed] = Field(
        default_factory=list,
        description="ISO 3166-1 alpha-2, any case: a person's residence, a company's registration.",
    )
    created_from: Annotated[Day | None, Unset] = None
    created_to: Annotated[Day | None, Unset] = None
    flags: Annotated[list[FlagCode], Listed] = Field(default_factory=list, description="Open flags; any of them.")
    severity: Annotated[Literal["info", "check", "stop"] | None, Unset] = Field(
        default=None, description="With an open flag of at least this severity."
    )
    sort: Literal["created", "name"] = "created"
    direction: Annotated[Literal["asc", "desc"] | None, Unset] = Field(
        default=None, description="Newest first when sorted by created, A to Z when sorted by name."
    )
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[str, Field(max_length=2000)] = Field(default="", description="`nextCursor` of the page before.")
    include_total: Annotated[bool, Truth] = False
