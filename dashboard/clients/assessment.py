"""Doubts about a profile. Whatever the documented schema accepts is accepted; what looks wrong becomes a flag."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import phonenumbers

from dashboard.clients import countries
from dashboard.clients.models import Client, Company, Individual, RelatedIndividual
from dashboard.clients.vocabulary import FlagCode, Risk

Doubt = tuple[FlagCode, str]

ADULT = 18


def age(born: date, today: date) -> int:
    """Whole years, as a birthday counts them."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def dialable(number: str) -> bool:
    """Whether a number with country code could exist (E.164)."""
    text = number if number.startswith("+") else f"+{number}"
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text))
    except phonenumbers.NumberParseException:
        return False


def _country(code: str | None, field: str) -> Iterator[Doubt]:
    if code and not countries.known(code):
        yield FlagCode.UNKNOWN_COUNTRY, field


def _document(issued: date | None, expires: date | None, prefix: str, today: date) -> Iterator[Doubt]:
    if expires and expires < today:
        yield FlagCode.DOCUMENT_EXPIRED, f"{prefix}.expirationDate"
    if issued and (issued > today or (expires and issued > expires)):
        yield FlagCode.DOCUMENT_DATES, f"{prefix}.issuedDate"


def _birth(born: date | None, field: str, today: date) -> Iterator[Doubt]:
    if born is None:
        return
    if born > today:
        yield FlagCode.BORN_IN_FUTURE, field
    elif age(born, today) < ADULT:
        yield FlagCode.UNDER_AGE, field


def doubts(
    client: Client,
    detail: Individual | Company | None,
    related: list[RelatedIndividual],
    today: date,
) -> Iterator[Doubt]:
    """Every doubt as (code, dotted field). The same profile always gives the same ones."""
    if client.risk_level == Risk.PROHIBITED:
        yield FlagCode.RISK_PROHIBITED, "riskLevel"
    if client.phone_number and not dialable(client.phone_number):
        yield FlagCode.PHONE, "phoneNumber"
    if detail is not None:
        yield from _country((detail.address or {}).get("country"), "address.country")
    if isinstance(detail, Individual):
        yield from _birth(detail.birth_date, "dateOfBirth", today)
        yield from _country(detail.citizenship_country, "citizenshipCountry")
        yield from _country(detail.residence_country, "residenceCountry")
        yield from _country(detail.document_issued_country, "identificationDocument.issuedCountryCode")
        yield from _document(
            detail.document_issued_date, detail.document_expiration_date, "identificationDocument", today
        )
    if isinstance(detail, Company):
        yield from _country(detail.registration_country, "countryOfRegistration")
        yield from _country(detail.tax_residency_country, "taxResidencyCountry")
        if sum((person.ownership or Decimal(0) for person in related), Decimal(0)) > 100:
            yield FlagCode.OWNERSHIP_OVER_100, "relatedIndividuals"
        for number, person in enumerate(related):
            prefix = f"relatedIndividuals.{number}"
            if person.is_pep:
                yield FlagCode.PEP, f"{prefix}.isPep"
            yield from _birth(person.birth_date, f"{prefix}.birthDate", today)
            yield from _country(person.residence_country, f"{prefix}.residenceCountry")
            yield from _country(person.citizenship_country, f"{prefix}.citizenshipCountry")
            document = person.document or {}
            expires, issued = document.get("expirationDate"), document.get("issuedDate")
            yield from _document(
                date.fromisoformat(issued) if issued else None,
                date.fromisoformat(expires) if expires else None,
                f"{prefix}.document",
                today,
            )
