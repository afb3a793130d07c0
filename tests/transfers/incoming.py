"""A bank to receive money by, and credits as a provider tells them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.database import session, transaction
from dashboard.ledger.models import Account, AccountBalance
from dashboard.ledger.services import accounts
from dashboard.ledger.vocabulary import AccountType
from dashboard.transfers.models import IncomingRequest, Transfer
from dashboard.transfers.providers.port import Credit
from dashboard.transfers.services import providers
from dashboard.transfers.services.incoming import telling
from tests.clients.making import person

PAYER = "DE89370400440532013000"
OTHER_PAYER = "FR1420041010050500013M02606"


@dataclass
class Bank:
    """A provider with a bank account in euros; two clients with accounts in euros."""

    key: str
    settlement: UUID
    suspense: UUID
    client: UUID
    account: UUID
    number: str
    other_client: UUID
    other_account: UUID
    other_number: str

    def credit(self, **said: Any) -> Credit:
        """100.00 EUR of a payer in the Union to the first client, told well."""
        reference = said.pop("provider_reference", None) or f"P-{uuid4().hex[:12]}"
        values: dict[str, Any] = {
            "provider": self.key,
            "provider_reference": reference,
            "currency": "eur",
            "amount_minor": 10_000,
            "creditor_account": self.number,
            "booked_at": clock.now() - timedelta(minutes=5),
            "debtor_name": "Anna Müller",
            "debtor_account": PAYER,
            "remittance": "Invoice 17",
            "raw": {"reference": reference},
        }
        return Credit(**(values | said))

    def takes_dollars(self) -> None:
        """The bank account is one of dollars, too."""
        with transaction():
            _safeguarding(self.key, "usd", system())

    def nobodys(self, **said: Any) -> Credit:
        """One that names no client."""
        return self.credit(**({"creditor_account": None, "remittance": "thank you"} | said))

    def tell(self, credit: Credit, *, source: str = "api", by: Actor | None = None, **options: Any) -> IncomingRequest:
        return telling.tell(credit, source=source, message_id=options.get("message_id"), by=by or system("test bank"))


def _safeguarding(key: str, currency: str, by: Actor) -> None:
    accounts.register_bank_account(
        provider=key, name=f"{key} safeguarding", number="DE75512108001245126199", currency=currency, by=by
    )


def bank(*, key: str = "test-bank", by: Actor | None = None) -> Bank:
    actor = by or system()
    with transaction():
        providers.register_provider(key=key, name="Test bank", kind="sandbox", by=actor)
        _safeguarding(key, "eur", actor)
        settlement, house = providers.settlement(key, "eur")
        suspense = providers.suspense(house.id)
    first, second = person(actor), person(actor, first="Jonas", last="Petraitis")
    with transaction():
        mine = accounts.open_account(type=AccountType.CLIENT, currency="eur", owner_id=first.id, by=actor)
        theirs = accounts.open_account(type=AccountType.CLIENT, currency="eur", owner_id=second.id, by=actor)
    return Bank(key, settlement, suspense, first.id, mine.id, mine.number, second.id, theirs.id, theirs.number)


def posted(account_id: UUID) -> int:
    value = session().scalar(
        sa.select(sa.func.sum(AccountBalance.posted)).where(AccountBalance.account_id == account_id)
    )
    return int(value or 0)


def transfer_of(request: IncomingRequest) -> Transfer:
    assert request.transfer_id is not None
    found = session().get(Transfer, request.transfer_id, populate_existing=True)
    assert found is not None
    return found


def fresh(request: IncomingRequest) -> IncomingRequest:
    session().refresh(request)
    return request


def account(account_id: UUID) -> Account:
    found = session().get(Account, account_id)
    assert found is not None
    return found


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
