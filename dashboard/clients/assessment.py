"""Doubts about a profile. Whatever the documented schema accepts is accepted; what looks wrong becomes a flag."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from dashboard.clients import countries
from dashboard.clients.models import Client, Company, Individual, RelatedIndividual
from dashboard.clients.vocabulary import FlagCode, Risk


@dataclass(frozen=True)
class Doubt:
    """A doubt: `field` is the dotted name in the documents, `fact` a hash of the value that raised it."""

    code: FlagCode
    field: str
    fact: str


def doubt(code: FlagCode, field: str, *facts: object) -> Doubt:
    """The hash keeps no second copy of personal data."""
    digest = hashlib.blake2b("\x1f".join(map(str, facts)).encode(), digest_size=8).hexdigest()
    return Doubt(code, field, digest)


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


def writable(address: str) -> bool:
    """Whether the text has the form of an e-mail address; nobody is asked whether the mailbox exists."""
    try:
        validate_email(address, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _country(code: str | None, field: str) -> Iterator[Doubt]:
    if code and not countries.known(code):
        yield doubt(FlagCode.UNKNOWN_COUNTRY, field, code)


def _document(issued: date | None, expires: date | None, prefix: str, today: date) -> Iterator[Doubt]:
    if expires and expires < today:
        yield doubt(FlagCode.DOCUMENT_EXPIRED, f"{prefix}.expirationDate", expires)
    if issued and (issued > today or (expires and issued > expires)):
        yield doubt(FlagCode.DOCUMENT_DATES, f"{prefix}.issuedDate", issued, expires)


def _birth(born: date | None, field: str, today: date) -> Iterator[Doubt]:
    if born is None:
        return
    if born > today:
        yield doubt(FlagCode.BORN_IN_FUTURE, field, born)
    elif age(born, today) < ADULT:
        yield doubt(FlagCode.UNDER_AGE, field, born)


def doubts(
    client: Client,
    detail: Individual | Company | None,
    related: list[RelatedIndividual],
    today: date,
) -> Iterator[Doubt]:
    """Every doubt. The same profile always gives the same ones."""
    if client.risk_level == Risk.PROHIBITED:
        yield doubt(FlagCode.RISK_PROHIBITED, "riskLevel")
    if client.phone_number and not dialable(client.phone_number):
        yield doubt(FlagCode.PHONE, "phoneNumber", client.phone_number)
    if client.email and not writable(client.email):
        yield doubt(FlagCode.EMAIL, "email", client.email)
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
        if detail.registration_date and detail.registration_date > today:
            yield doubt(FlagCode.REGISTERED_IN_FUTURE, "companyRegistrationDate", detail.registration_date)
        for number, partner in enumerate(detail.business_partners or ()):
            yield from _country(
                partner.get("incorporationCountryCode"), f"businessPartners.{number}.incorporationCountryCode"
            )
        total = sum((person.ownership or Decimal(0) for person in related), Decimal(0))
        if total > 100:
            yield doubt(FlagCode.OWNERSHIP_OVER_100, "relatedIndividuals", total.normalize())
        for number, person in enumerate(related):
            prefix = f"relatedIndividuals.{number}"
            if person.is_pep:
                yield doubt(FlagCode.PEP, f"{prefix}.isPep", person.first_name, person.last_name, person.birth_date)
            yield from _birth(person.birth_date, f"{prefix}.birthDate", today)
            yield from _country(person.residence_country, f"{prefix}.residenceCountry")
            yield from _country(person.citizenship_country, f"{prefix}.citizenshipCountry")
            yield from _country(
                (person.residential_address or {}).get("country"), f"{prefix}.residentialAddress.country"
            )
            document = person.document or {}
            yield from _country(document.get("issuedCountryCode"), f"{prefix}.document.issuedCountryCode")
            expires, issued = document.get("expirationDate"), document.get("issuedDate")
            yield from _document(
                date.fromisoformat(issued) if issued else None,
                date.fromisoformat(expires) if expires else None,
                f"{prefix}.document",
                today,
            )
