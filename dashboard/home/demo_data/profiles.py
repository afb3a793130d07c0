"""Who a client is: an invented person or company, and what is doubtful about the profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Any

from dashboard.clients.assessment import Doubt
from dashboard.clients.assessment import doubt as raised
from dashboard.clients.folding import words
from dashboard.clients.vocabulary import CompanyType, FlagCode, Industry, Purpose, Region, Turnover
from dashboard.home.demo_data.names import (
    COMPANY_STEMS,
    COMPANY_TRADES,
    COUNTRIES,
    ENDINGS,
    LONG_COMPANY,
    SYLLABLES,
    Country,
)

_COUNTRY_WEIGHTS = tuple(accumulate(country.weight for country in COUNTRIES))
_EMAIL_DOMAINS = ("example.com", "example.org", "example.net", "mail.example")
_PHONE_NOBODY_HAS = "+37012"
_NOWHERE = "ZZ"
#: days
LIFE_OF_A_DOCUMENT = 3652
_COMPANY_TYPES = tuple(CompanyType)
_INDUSTRIES = tuple(Industry)
_TURNOVERS = tuple(Turnover)
_REGIONS = tuple(region.value for region in Region)
_PURPOSES = tuple(purpose.value for purpose in Purpose)
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


@dataclass
class Document:
    """An identity document, as `individual` stores it in columns and `related_individual` as JSON."""

    type: str
    number: str
    issued_by: str
    country: str
    issued: date
    expires: date

    def as_json(self) -> dict[str, Any]:
        return {
            "issuedBy": self.issued_by,
            "expirationDate": self.expires.isoformat(),
            "type": self.type,
            "number": self.number,
            "issuedCountryCode": self.country,
            "issuedDate": self.issued.isoformat(),
        }


@dataclass
class Person:
    first: str
    last: str
    email: str
    country: str
    citizenship: str
    born: date
    document: Document
    address: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


@dataclass
class Related:
    """A person behind a company and what they are there; `ownership` in per cent, two decimals."""

    person: Person
    ownership: str
    is_ubo: bool
    is_director: bool
    is_pep: bool


@dataclass
class Profile:
    """`person` of an individual; `company` and `related` of a company; `doubts` as clients.assessment finds them."""

    name: str
    country: str
    email: str
    phone: str
    address: dict[str, Any]
    person: Person | None = None
    company: dict[str, Any] = field(default_factory=dict)
    related: list[Related] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)


@lru_cache(maxsize=100_000)
def folded(part: str) -> tuple[str, ...]:
    """`folding.words` of a part of a name; few parts make a million names."""
    return tuple(words(part))


def _common(random: Random, pool: Sequence[str]) -> str:
    """One of a pool, the first ones more often."""
    return pool[int(len(pool) * random.random() ** 1.7)]


def _day(random: Random, first: date, days: int) -> date:
    return first + timedelta(days=int(random.random() * days))


def _digits(random: Random, count: int) -> str:
    return str(random.getrandbits(64) % 10**count).zfill(count)


def _country(random: Random) -> Country:
    return random.choices(COUNTRIES, cum_weights=_COUNTRY_WEIGHTS)[0]


def _surname(random: Random, country: Country) -> str:
    last = _common(random, country.last)
    kind = random.random()
    if kind < 0.05:
        return f"{last}-{_common(random, country.last)}"
    if kind < 0.10:
        parts = "".join(random.choice(SYLLABLES) for _ in range(3))
        return parts.capitalize() + random.choice(ENDINGS)
    return last


def _postal_code(random: Random, pattern: str) -> str:
    return "".join(
        random.choice("0123456789") if sign == "9" else random.choice(_LETTERS) if sign == "A" else sign
        for sign in pattern
    )


def _address(random: Random, country: Country) -> dict[str, Any]:
    return {
        "streetLine1": f"{random.choice(country.streets)} {1 + int(random.random() * 180)}",
        "streetLine2": f"{1 + int(random.random() * 60)}" if random.random() < 0.3 else None,
        "city": random.choice(country.cities),
        "state": None,
        "zip": _postal_code(random, country.zip),
        "country": country.code,
    }


def _email(random: Random, *names: str) -> str:
    local = ".".join("".join(folded(name)) for name in names)[:40]
    number = int(random.random() * 10_000)
    if not local.isascii():
        local, number = "user", int(random.random() * 10_000_000)
    return f"{local}{number}@{random.choice(_EMAIL_DOMAINS)}"


def _document(random: Random, country: str, today: date) -> Document:
    issued = _day(random, today - timedelta(days=3400), 3000)
    kind = random.choice(("passport", "passport", "idCard", "idCard", "driverLicense", "other"))
    return Document(
        type=kind,
        number=random.choice(_LETTERS) + random.choice(_LETTERS) + _digits(random, 7),
        issued_by={"passport": "Migration Department", "idCard": "Ministry of the Interior"}.get(kind, "City office"),
        country=country,
        issued=issued,
        expires=issued + timedelta(days=LIFE_OF_A_DOCUMENT),
    )


def person(random: Random, country: Country, today: date) -> Person:
    """Somebody of age with a valid document."""
    first = _common(random, country.first)
    if random.random() < 0.12:
        first = f"{first} {_common(random, country.first)}"
    last = _surname(random, country)
    foreign = random.random() < 0.08
    citizenship = _country(random).code if foreign else country.code
    return Person(
        first=first,
        last=last,
        email=_email(random, first.partition(" ")[0], last),
        country=country.code,
        citizenship=citizenship,
        born=_day(random, today - timedelta(days=29_000), 29_000 - 7_000),
        document=_document(random, citizenship, today),
        address=_address(random, country),
    )


def phone(random: Random, country: Country) -> str:
    prefix, digits = country.phone
    return prefix + _digits(random, digits)


def individual(random: Random, today: date) -> Profile:
    country = _country(random)
    who = person(random, country, today)
    return Profile(who.name, country.code, who.email, phone(random, country), who.address, person=who)


def company(random: Random, today: date) -> Profile:
    country = _country(random)
    form = random.choice(country.forms)
    kind = random.random()
    stem = random.choice(COMPANY_STEMS) if kind < 0.6 else _surname(random, country)
    name = f"{stem} {random.choice(COMPANY_TRADES)} {form}" if kind < 0.995 else f"{random.choice(LONG_COMPANY)} {form}"
    industry = random.choice(_INDUSTRIES)
    quantity = 10 + int(random.random() * 400)
    owners = 1 + int(random.random() * 3)
    site = f"{''.join(folded(stem))}.example" if stem.isascii() else "www.example"
    return Profile(
        name=name,
        country=country.code,
        email=f"office{int(random.random() * 9000)}@{site}",
        phone=phone(random, country),
        address=_address(random, country),
        company={
            "company_type": random.choice(_COMPANY_TYPES).value,
            "registration_number": _digits(random, 9),
            "registration_date": _day(random, today - timedelta(days=14_000), 13_500),
            "tax_residency_country": country.code,
            "tax_number": f"{country.code}{_digits(random, 11)}",
            "industry": industry.value,
            "industry_other": "Repair of musical instruments" if industry is Industry.OTHER else None,
            "turnover": random.choice(_TURNOVERS).value,
            "web_site": f"https://{site}",
            "pay_ins_countries": sorted(random.sample(_REGIONS, 2)),
            "pay_outs_countries": [random.choice(_REGIONS)],
            "is_engaged_gambling_10k": industry is Industry.GAMBLING,
            "is_foundation": random.random() < 0.03,
            "is_publicly_listed": random.random() < 0.02,
            "is_relevant_activity": random.random() < 0.2,
            "purposes_account_opening": sorted(random.sample(_PURPOSES[:4], 2)),
            "business_partners": [
                {
                    "name": f"{random.choice(COMPANY_STEMS)} {random.choice(COMPANY_TRADES)}",
                    "incorporationCountryCode": _country(random).code,
                    "plannedTransfersQuantityMonth": 1 + int(random.random() * 40),
                    "plannedTransfersEurVolumeMonth": 500 * (1 + int(random.random() * 400)),
                    "additionalInfo": None,
                    "basisPartnership": random.choice(("Supply contract", "Service agreement", "Distribution")),
                    "website": None,
                }
                for _ in range(1 + int(random.random() * 2))
            ],
            "fund_flows": {
                "plannedIncomingTransfersQuantity": quantity,
                "plannedIncomingTransfersEurVolume": quantity * 750,
                "plannedOutboundTransfersQuantity": quantity // 2,
                "plannedOutboundTransfersEurVolume": quantity * 600,
            },
            "compliance_evaluation": {
                "reviewPeriodicity": random.choice(("yearly", "every two years", "every six months")),
                "appliedLimits": random.choice(("standard", "10,000 EUR a day", "50,000 EUR a month")),
                "additionalInfo": None,
            },
        },
        related=[
            Related(
                person=person(random, country if random.random() < 0.8 else _country(random), today),
                ownership=f"{100 // owners}.00",
                is_ubo=owners < 4,
                is_director=number == 0,
                is_pep=False,
            )
            for number in range(owners)
        ],
    )


def doubt(profile: Profile, code: FlagCode, random: Random, today: date, expired_on: date) -> None:
    """Bend the profile so that `clients.assessment` raises this doubt, and note it. Nothing happens where it cannot."""
    who = profile.person
    if code is FlagCode.PHONE:
        profile.phone = _PHONE_NOBODY_HAS
        profile.doubts.append(raised(code, "phoneNumber", profile.phone))
    elif code is FlagCode.RISK_PROHIBITED:
        profile.doubts.append(raised(code, "riskLevel"))
    elif who is not None:
        _doubt_person(profile, who, code, random, today, expired_on)
    elif code is FlagCode.OWNERSHIP_OVER_100 and len(profile.related) > 1:
        for related in profile.related:
            related.ownership = f"{100 // len(profile.related) + 5}.00"
        total = sum(Decimal(related.ownership) for related in profile.related)
        profile.doubts.append(raised(code, "relatedIndividuals", Decimal(total).normalize()))
    elif code is FlagCode.UNKNOWN_COUNTRY:
        profile.company["tax_residency_country"] = _NOWHERE
        profile.doubts.append(raised(code, "taxResidencyCountry", _NOWHERE))
    elif code is FlagCode.DOCUMENT_EXPIRED:
        _expire(profile.related[0].person.document, expired_on)
        profile.doubts.append(raised(code, "relatedIndividuals.0.document.expirationDate", expired_on))
    else:
        profile.related[0].is_pep = True
        pep = profile.related[0].person
        profile.doubts.append(raised(FlagCode.PEP, "relatedIndividuals.0.isPep", pep.first, pep.last, pep.born))


def _expire(document: Document, day: date) -> None:
    document.issued, document.expires = day - timedelta(days=LIFE_OF_A_DOCUMENT), day


def _doubt_person(profile: Profile, who: Person, code: FlagCode, random: Random, today: date, expired_on: date) -> None:
    if code is FlagCode.UNDER_AGE:
        who.born = _day(random, today - timedelta(days=6_500), 700)
        profile.doubts.append(raised(code, "dateOfBirth", who.born))
    elif code is FlagCode.BORN_IN_FUTURE:
        who.born = date(today.year + 8, who.born.month, min(who.born.day, 28))
        profile.doubts.append(raised(code, "dateOfBirth", who.born))
    elif code is FlagCode.DOCUMENT_DATES:
        who.document.issued = who.document.expires + timedelta(days=365)
        dates = who.document.issued, who.document.expires
        profile.doubts.append(raised(code, "identificationDocument.issuedDate", *dates))
    elif code is FlagCode.UNKNOWN_COUNTRY:
        who.citizenship = _NOWHERE
        profile.doubts.append(raised(code, "citizenshipCountry", _NOWHERE))
    else:
        _expire(who.document, expired_on)
        profile.doubts.append(raised(FlagCode.DOCUMENT_EXPIRED, "identificationDocument.expirationDate", expired_on))
