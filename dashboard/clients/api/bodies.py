"""From a body to a profile: which fields belong to which type, and what is required."""

from __future__ import annotations

from typing import Any

from dashboard.clients import countries
from dashboard.clients.profile import (
    Address,
    CompanyProfile,
    Document,
    IndividualProfile,
    Profile,
    RelatedPerson,
)
from dashboard.clients.schemas import (
    AddressBody,
    BusinessPartnerBody,
    ClientBody,
    ClientChange,
    FundFlowsBody,
    IdentificationDocumentBody,
    RelatedIndividualBody,
    clean,
)
from dashboard.clients.vocabulary import ClientType
from dashboard.errors import FieldError, Invalid
from dashboard.web.api import Body

OF_INDIVIDUALS = (
    "first_name", "last_name", "date_of_birth", "citizenship_country", "residence_country", "identification_document",
)  # fmt: skip
OF_COMPANIES = (
    "legal_name", "company_registration_date", "country_of_registration", "tax_residency_country",
    "registration_number", "industry", "industry_other", "turnover", "web_site", "tax_number", "business_partners",
    "fund_flows", "compliance_evaluation", "related_individuals", "company_type",
)  # fmt: skip


def _wire_name(body: Body, name: str) -> str:
    return type(body).model_fields[name].alias or name


def _says_something(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value != []


def _check_type(body: Body, kind: ClientType) -> None:
    """A field of the other type is refused, not dropped (read-only fields of the document are ignored, as it says).

    Raises Invalid, naming every field.
    """
    individual = kind is ClientType.INDIVIDUAL
    foreign, required = (OF_COMPANIES, ("first_name", "last_name")) if individual else (OF_INDIVIDUALS, ("legal_name",))
    errors = [
        FieldError(_wire_name(body, name), "This field is required.", "required")
        for name in required
        if not _says_something(getattr(body, name))
    ]
    owner = "companies" if individual else "individuals"
    errors += [
        FieldError(_wire_name(body, name), f"This field belongs to {owner}.", "notAllowed")
        for name in foreign
        if _says_something(getattr(body, name))
    ]
    if errors:
        raise Invalid(errors)


def _address(said: AddressBody | None) -> Address | None:
    if said is None:
        return None
    return Address(**{name: clean(getattr(said, name)) for name in AddressBody.model_fields})


def _document(said: IdentificationDocumentBody | None) -> Document | None:
    if said is None:
        return None
    return Document(
        type=said.type.value if said.type else None,
        number=clean(said.number),
        issued_by=clean(said.issued_by),
        issued_country_code=clean(said.issued_country_code),
        issued_date=said.issued_date,
        expiration_date=said.expiration_date,
    )


def _person(said: RelatedIndividualBody) -> RelatedPerson:
    values: dict[str, Any] = {}
    for name in RelatedIndividualBody.model_fields:
        value = getattr(said, name)
        values[name] = clean(value) if isinstance(value, str) else value
    values["document"] = _document(said.document)
    values["residential_address"] = _address(said.residential_address)
    return RelatedPerson(**values)


def _small_document(said: Body | None) -> dict[str, Any] | None:
    """A document that is stored whole, in the reference's names; None when nothing is said. Numbers stay exact."""
    if said is None:
        return None
    stored: dict[str, Any] = {}
    for name, field in type(said).model_fields.items():
        value = getattr(said, name)
        if isinstance(value, str):
            value = clean(value)
        stored[field.alias or name] = value
    return stored if any(value is not None for value in stored.values()) else None


def _partner(said: BusinessPartnerBody) -> dict[str, Any]:
    stored = _small_document(said) or {}
    stored["incorporationCountryCode"] = countries.stored(stored.get("incorporationCountryCode"))
    return stored


def profile_of(body: ClientBody | ClientChange, kind: ClientType) -> Profile:
    """The profile that the body says for a client of this type. Raises Invalid."""
    _check_type(body, kind)
    common: dict[str, Any] = {
        "email": clean(body.email),
        "phone_number": clean(body.phone_number),
        "address": _address(body.address),
        "risk_level": body.risk_level,
        "is_default_compliant": body.is_default_compliant,
        "onboarding_id": body.onboarding_id,
    }
    if kind is ClientType.INDIVIDUAL:
        return IndividualProfile(
            **common,
            first_name=clean(body.first_name) or "",
            last_name=clean(body.last_name) or "",
            birth_date=body.date_of_birth,
            citizenship_country=clean(body.citizenship_country),
            residence_country=clean(body.residence_country),
            document=_document(body.identification_document),
        )
    flows: FundFlowsBody | None = body.fund_flows
    return CompanyProfile(
        **common,
        legal_name=clean(body.legal_name) or "",
        company_type=body.company_type.value if body.company_type else None,
        registration_number=clean(body.registration_number),
        registration_date=body.company_registration_date,
        registration_country=clean(body.country_of_registration),
        tax_residency_country=clean(body.tax_residency_country),
        tax_number=clean(body.tax_number),
        industry=body.industry.value if body.industry else None,
        industry_other=clean(body.industry_other),
        turnover=body.turnover.value if body.turnover else None,
        web_site=clean(body.web_site),
        business_partners=(
            None if body.business_partners is None else [_partner(partner) for partner in body.business_partners]
        ),
        fund_flows=_small_document(flows),
        compliance_evaluation=_small_document(body.compliance_evaluation),
        related_individuals=tuple(_person(person) for person in body.related_individuals or ()),
    )
