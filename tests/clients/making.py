"""Clients that the tests of pages start from."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dashboard.access.actor import Actor
from dashboard.approvals import services as approvals
from dashboard.clients import services
from dashboard.clients.models import Client, ClientBlock
from dashboard.clients.profile import Address, CompanyProfile, Document, IndividualProfile, RelatedPerson
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import transaction

#: where the house is: the day there begins before it does in UTC
TODAY = datetime.now(ZoneInfo("Europe/Vilnius")).date()


def person(by: Actor, *, first: str = "Mari", last: str = "Ilves", **options: Any) -> Client:
    """An individual without anything doubtful."""
    profile: dict[str, Any] = {
        "first_name": first,
        "last_name": last,
        "email": "mari@mail.example",
        "phone_number": "+37255512345",
        "birth_date": date(1980, 4, 5),
        "citizenship_country": "EE",
        "residence_country": "EE",
        "risk_level": 2,
        "address": Address(street_line1="Pärnu mnt 139c", city="Tallinn", zip="11317", country="EE"),
        "document": Document(
            type="passport",
            number="KE1234567",
            issued_country_code="EE",
            issued_date=date(2020, 1, 1),
            expiration_date=TODAY + timedelta(days=900),
        ),
    }
    profile |= options
    with transaction():
        return services.create(IndividualProfile(**profile), by=by)


def company(by: Actor, *, name: str = "Ilves OÜ", **options: Any) -> Client:
    """A company with two people, a partner and plans."""
    profile: dict[str, Any] = {
        "legal_name": name,
        "email": "info@ilves.example",
        "phone_number": "+3726123456",
        "registration_number": "14882037",
        "registration_country": "EE",
        "registration_date": date(2019, 6, 11),
        "company_type": "private",
        "industry": "retail",
        "turnover": "between100KAnd500KEur",
        "risk_level": 3,
        "fund_flows": {"plannedIncomingTransfersQuantity": 10, "plannedIncomingTransfersEurVolume": 25000},
        "business_partners": [{"name": "Nordvik AS", "incorporationCountryCode": "NO"}],
        "compliance_evaluation": {"reviewPeriodicity": "yearly"},
        "related_individuals": (
            RelatedPerson(
                first_name="Mari",
                last_name="Ilves",
                is_director=True,
                ownership=Decimal(60),
                is_pep=False,
                birth_date=date(1980, 4, 5),
                document=Document(type="passport", number="KE1234567"),
            ),
            RelatedPerson(first_name="Оксана", last_name="Бондаренко", is_ubo=True, ownership=Decimal(40), is_pep=True),
        ),
    }
    profile |= options
    with transaction():
        return services.create(CompanyProfile(**profile), by=by)


def blocked(
    client: Client, by: Actor, *, code: BlockCode = BlockCode.FRAUD, scope: Scope = Scope.ALL, **options: Any
) -> ClientBlock:
    with transaction():
        return services.block(client.id, code=code, scope=scope, by=by, **options)


def activated(client: Client, maker: Actor, senior: Actor) -> Client:
    """Active, by the decision of two people."""
    with transaction():
        asked = services.ask_to_activate(client.id, reason="Seen in person", by=maker)
    with transaction():
        decided = approvals.decide(asked.id, approve=True, reason=None, by=senior)
    assert decided.state == "approved"
    return client


def path(client: Client | UUID, rest: str = "") -> str:
    return f"/clients/{client if isinstance(client, UUID) else client.id}{rest}"
