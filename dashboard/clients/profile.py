"""What a caller may say about a client: the input of `create` and `update`, checked by its form or schema before.

Dates are dates, countries upper case, texts stripped, empty is None. Address and document are small documents in
the reference's own field names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from typing import Any

from dashboard.clients.vocabulary import ClientType


@dataclass(frozen=True)
class Document:
    """Identity document. `type` is one of vocabulary.DocumentType."""

    type: str | None = None
    number: str | None = None
    issued_by: str | None = None
    issued_country_code: str | None = None
    issued_date: date | None = None
    expiration_date: date | None = None


@dataclass(frozen=True)
class Address:
    street_line1: str | None = None
    street_line2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None

    def as_json(self) -> dict[str, Any] | None:
        """In the reference's names; None when nothing is said."""
        stored = {
            "streetLine1": self.street_line1,
            "streetLine2": self.street_line2,
            "city": self.city,
            "state": self.state,
            "zip": self.zip,
            "country": self.country,
        }
        return stored if any(stored.values()) else None


@dataclass(frozen=True)
class RelatedPerson:
    """RelatedIndividualInfoDto of reference/000; shares in per cent."""

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    is_ubo: bool | None = None
    is_shareholder: bool | None = None
    is_director: bool | None = None
    is_representative: bool | None = None
    is_pep: bool | None = None
    residence_country: str | None = None
    citizenship_country: str | None = None
    birth_date: date | None = None
    ownership: Decimal | None = None
    percentage_ownership: Decimal | None = None
    document: Document | None = None
    beneficial_owner_pep_details: str | None = None
    usa_tax_residency: bool | None = None
    giin_number: str | None = None
    residential_address: Address | None = None
    applicant_id: str | None = None


@dataclass(frozen=True)
class Profile:
    """Common part. `risk_level` None leaves the risk as it is."""

    email: str | None = None
    phone_number: str | None = None
    address: Address | None = None
    risk_level: int | None = None
    is_default_compliant: bool | None = None
    #: None leaves what is stored
    onboarding_id: Any = None

    @property
    def type(self) -> ClientType:
        raise TypeError("use IndividualProfile or CompanyProfile")

    @property
    def name(self) -> str:
        raise TypeError("use IndividualProfile or CompanyProfile")


@dataclass(frozen=True)
class IndividualProfile(Profile):
    first_name: str = ""
    last_name: str = ""
    birth_date: date | None = None
    citizenship_country: str | None = None
    residence_country: str | None = None
    document: Document | None = None

    @property
    def type(self) -> ClientType:
        return ClientType.INDIVIDUAL

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


#: fields that the reference marks read-only: absent from requests, so None means "leave as it is"
READ_ONLY_COMPANY_FIELDS = (
    "pay_ins_countries",
    "pay_outs_countries",
    "is_engaged_gambling_10k",
    "is_foundation",
    "is_publicly_listed",
    "is_relevant_activity",
    "purposes_account_opening",
    "purposes_account_opening_other",
)


@dataclass(frozen=True)
class CompanyProfile(Profile):
    legal_name: str = ""
    company_type: str | None = None
    registration_number: str | None = None
    registration_date: date | None = None
    registration_country: str | None = None
    tax_residency_country: str | None = None
    tax_number: str | None = None
    industry: str | None = None
    industry_other: str | None = None
    turnover: str | None = None
    web_site: str | None = None
    pay_ins_countries: list[str] | None = None
    pay_outs_countries: list[str] | None = None
    is_engaged_gambling_10k: bool | None = None
    is_foundation: bool | None = None
    is_publicly_listed: bool | None = None
    is_relevant_activity: bool | None = None
    purposes_account_opening: list[str] | None = None
    purposes_account_opening_other: str | None = None
    business_partners: list[dict[str, Any]] | None = None
    fund_flows: dict[str, Any] | None = None
    compliance_evaluation: dict[str, Any] | None = None
    custom_options: Any = None
    related_individuals: Sequence[RelatedPerson] = field(default_factory=tuple)

    @property
    def type(self) -> ClientType:
        return ClientType.COMPANY

    @property
    def name(self) -> str:
        return self.legal_name

    def company_columns(self) -> dict[str, Any]:
        """Columns of `company` that this profile says something about."""
        own = {f.name for f in fields(CompanyProfile)} - {f.name for f in fields(Profile)} - {"related_individuals"}
        return {
            name: getattr(self, name)
            for name in own
            if not (name in READ_ONLY_COMPANY_FIELDS and getattr(self, name) is None)
        }
