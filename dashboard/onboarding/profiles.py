"""From what a partner sent to what is stored: bodies of ON-01 and ON-02 as profiles. Texts stay as they came."""

from __future__ import annotations

from typing import Any

from dashboard.clients import countries
from dashboard.clients.profile import Address, CompanyProfile, Document, IndividualProfile, RelatedPerson
from dashboard.onboarding.company_schemas import CompanyImport, ImportedBusinessPartner, ImportedRelatedIndividual
from dashboard.onboarding.schemas import ImportedAddress, ImportedDocument, IndividualImport
from dashboard.web.api import Body


def _address(said: ImportedAddress) -> Address:
    return Address(
        street_line1=said.street_line1,
        street_line2=said.street_line2,
        city=said.city,
        state=said.state,
        zip=said.zip,
        country=said.country,
    )


def _document(said: ImportedDocument) -> Document:
    return Document(
        type=said.type.value,
        number=said.number,
        issued_by=said.issued_by,
        issued_country_code=said.issued_country_code,
        issued_date=said.issued_date,
        expiration_date=said.expiration_date,
    )


def individual_of(body: IndividualImport) -> IndividualProfile:
    return IndividualProfile(
        email=body.email,
        phone_number=body.phone_number,
        address=_address(body.address),
        risk_level=body.risk_level.level.value,
        first_name=body.first_name,
        last_name=body.last_name,
        birth_date=body.date_of_birth,
        citizenship_country=body.citizenship_country,
        residence_country=body.residence_country,
        document=_document(body.identification_document),
    )


def _in_wire_names(said: Body | None) -> dict[str, Any] | None:
    """A small document that is stored whole, in the reference's names; None when nothing is said."""
    if said is None:
        return None
    stored = {field.alias or name: getattr(said, name) for name, field in type(said).model_fields.items()}
    return stored if any(value is not None for value in stored.values()) else None


def _partner(said: ImportedBusinessPartner) -> dict[str, Any]:
    stored = _in_wire_names(said) or {}
    stored["incorporationCountryCode"] = countries.stored(stored.get("incorporationCountryCode"))
    return stored


def _person(said: ImportedRelatedIndividual) -> RelatedPerson:
    values = {name: getattr(said, name) for name in type(said).model_fields}
    values["document"] = _document(said.document) if said.document else None
    values["residential_address"] = _address(said.residential_address) if said.residential_address else None
    return RelatedPerson(**values)


def _words(said: list[Any] | None) -> list[str] | None:
    """Each word once, in the order said."""
    return None if said is None else list(dict.fromkeys(word.value for word in said))


def company_of(body: CompanyImport) -> CompanyProfile:
    """Raises Invalid where shares add up to more than 100 per cent."""
    body.check_shares()
    partners = body.business_partners
    return CompanyProfile(
        email=body.email,
        phone_number=body.phone_number,
        address=_address(body.address),
        risk_level=body.risk_level.level.value,
        is_default_compliant=body.is_default_compliant,
        onboarding_id=body.onboarding_id,
        legal_name=body.legal_name,
        company_type=body.company_type.value if body.company_type else None,
        registration_number=body.registration_number,
        registration_date=body.company_registration_date,
        registration_country=body.country_of_registration,
        tax_residency_country=body.tax_residency_country,
        tax_number=body.tax_number,
        industry=body.industry.value if body.industry else None,
        industry_other=body.industry_other,
        turnover=body.turnover.value if body.turnover else None,
        web_site=body.web_site,
        pay_ins_countries=_words(body.pay_ins_countries),
        pay_outs_countries=_words(body.pay_outs_countries),
        is_engaged_gambling_10k=body.is_engaged_gambling_10k,
        is_foundation=body.is_foundation,
        is_publicly_listed=body.is_publicly_listed,
        is_relevant_activity=body.is_relevant_activity,
        purposes_account_opening=_words(body.purposes_account_opening),
        purposes_account_opening_other=body.purposes_account_opening_other,
        business_partners=None if partners is None else [_partner(partner) for partner in partners],
        fund_flows=_in_wire_names(body.fund_flows),
        compliance_evaluation=_in_wire_names(body.compliance_evaluation),
        related_individuals=tuple(_person(person) for person in body.related_individuals or ()),
    )
