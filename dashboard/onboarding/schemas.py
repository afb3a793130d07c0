"""The body of ON-01, exactly as reference/001 and 002 document it: what their schema accepts is accepted here.

Nothing is stripped or corrected. Only what PostgreSQL cannot hold as text (NUL, half a surrogate pair) is refused
beyond the document. Companies (ON-02) say the same things in the same way: `company_schemas`.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from dashboard.clients.schemas import DocumentTypeText
from dashboard.clients.vocabulary import Risk
from dashboard.web.api import Answer, Body, DateGuard, TextGuard, examples

#: patterns of the document; the end is the end of the text, not of a line
NAME = r"^[A-Za-z\-\.' ]+$"
LINE = r"^[A-Za-z0-9\.\/\,\(\)\-# ]+$"

_DOMAIN = re.compile(r"[^\s@]+")
_LOCAL = re.compile(r"[^\s@]+|\".+\"")


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL characters are not allowed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("this is no valid Unicode text") from None
    return text


def _email(text: str) -> str:
    """`format: email` as the most permissive of its readers: something, an at sign, a domain."""
    local, _, domain = text.rpartition("@")
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise ValueError("must be an e-mail address")
    return text


Storable = AfterValidator(_storable)
Country = Annotated[str, Field(min_length=2, max_length=2), TextGuard, Storable]
Text100 = Annotated[str, Field(min_length=1, max_length=100), TextGuard, Storable]
Text255 = Annotated[str, Field(min_length=1, max_length=255), TextGuard, Storable]
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=NAME), TextGuard]
Line = Annotated[str, Field(min_length=1, max_length=255, pattern=LINE), TextGuard]
Day = Annotated[date, DateGuard]
Phone = Annotated[str, Field(min_length=5, max_length=17), TextGuard, Storable]
Email = Annotated[
    str,
    Field(min_length=5, max_length=64),
    TextGuard,
    AfterValidator(_email),
    Storable,
    WithJsonSchema({"type": "string", "format": "email", "minLength": 5, "maxLength": 64}),
]


class ImportRisk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    PROHIBITED = "prohibited"

    @property
    def level(self) -> Risk:
        return Risk[self.name]


class ImportedAddress(Body):
    street_line1: Line
    street_line2: Annotated[str, TextGuard, Storable] | None = None
    city: Line
    state: Annotated[str, Field(max_length=255), TextGuard, Storable] | None = None
    zip: Text255
    country: Country


class ImportedDocument(Body):
    issued_by: Text100
    expiration_date: Day
    type: DocumentTypeText
    number: Annotated[str, Field(min_length=1, max_length=30), TextGuard, Storable]
    issued_country_code: Country
    issued_date: Day


_REFERENCE = {
    "externalId": "string",
    "riskLevel": "low",
    "address": {
        "streetLine1": "string",
        "streetLine2": "string",
        "city": "string",
        "state": "string",
        "zip": "string",
        "country": "st",
    },
    "phoneNumber": "string",
    "email": "user@example.com",
    "firstName": "string",
    "lastName": "string",
    "citizenshipCountry": "st",
    "identificationDocument": {
        "issuedBy": "string",
        "expirationDate": "2019-08-24",
        "type": "passport",
        "number": "string",
        "issuedCountryCode": "st",
        "issuedDate": "2019-08-24",
    },
    "residenceCountry": "st",
    "dateOfBirth": "2019-08-24",
}

_PERSON = {
    "externalId": "partner-7731",
    "riskLevel": "medium",
    "address": {
        "streetLine1": "Gedimino pr. 9",
        "streetLine2": None,
        "city": "Vilnius",
        "state": None,
        "zip": "01103",
        "country": "LT",
    },
    "phoneNumber": "+37061234567",
    "email": "jonas.petraitis@example.com",
    "firstName": "Jonas",
    "lastName": "Petraitis",
    "citizenshipCountry": "LT",
    "identificationDocument": {
        "issuedBy": "Migration Department",
        "expirationDate": "2034-02-01",
        "type": "idCard",
        "number": "15523311",
        "issuedCountryCode": "LT",
        "issuedDate": "2024-02-01",
    },
    "residenceCountry": "LT",
    "dateOfBirth": "1990-06-15",
}


class IndividualImport(Body):
    """An individual from a partner's onboarding system."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                person=("An individual", _PERSON),
                reference=("Accepted as well; what looks wrong becomes flags for review", _REFERENCE),
            )
        },
    )

    external_id: Text100 = Field(description="The partner's own id; unique per partner.")
    risk_level: ImportRisk
    address: ImportedAddress
    phone_number: Phone
    email: Email
    first_name: Name
    last_name: Name
    citizenship_country: Country = Field(description="ISO 3166-1 alpha-2, in any case.")
    identification_document: ImportedDocument
    residence_country: Country = Field(description="ISO 3166-1 alpha-2, in any case.")
    date_of_birth: Day


class Imported(Answer):
    """Successful response to a client import command."""

    client_id: UUID
    external_id: Annotated[str, Field(max_length=100)]
