"""A house that sends money: a provider with its bank accounts, active clients with money, and their apps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import current_app

from dashboard import clock
from dashboard.access import tokens
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Audience, Role
from dashboard.clients.models import Client
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import Account, AccountBalance
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.notifier import DeliveryFailed, Message
from dashboard.settings import Settings
from dashboard.transfers.models import Recipient, Submission, Transfer
from dashboard.transfers.providers.port import Instruction, Outcome, Report
from dashboard.transfers.services import providers, recipients
from dashboard.transfers.services.outgoing import cancel, confirm, create, held, results, submitting
from dashboard.transfers.vocabulary import SubmissionState, TransferType
from tests.clients.making import activated, person
from tests.conftest import Databases, Machine, People
from tests.ledger.committing import application

IBAN = "EE382200221020145685"
BY = system("test")
PROVIDER = "sandbox"
NUMBERS = {"eur": "LT601010012345678901", "gbp": "GB29NWBK60161331926819", "usd": "US-4420-17"}


@contextmanager
def sending(databases: Databases, configured: Settings, *, threads: int = 4) -> Iterator[Sending]:
    """A house on a database of its own for all tests of a file, with real commits."""
    with application(databases, configured, threads=threads):
        yield Sending(People())


class Mailbox:
    """Takes messages instead of a mail server; `broken` lets it fail."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.broken = False

    def send(self, message: Message) -> None:
        if self.broken:
            raise DeliveryFailed("The message could not be sent.", details={"reason": "unreachable"})
        self.messages.append(message)

    @property
    def code(self) -> str:
        found = re.match(r"[0-9]{6}\b", self.messages[-1].text)
        assert found, "the message begins with six digits"
        return found[0]


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


class Sending:
    """Amounts are minor units. What is not said is in euros, by SEPA, of a client without anything doubtful."""

    def __init__(self, people: People) -> None:
        self.maker: Actor = people.actor(Role.OFFICER)
        self.senior: Actor = people.actor(Role.SENIOR_OFFICER)
        with transaction():
            providers.register_provider(key=PROVIDER, name="Sandbox", kind="sandbox", by=BY)
            for currency, number in NUMBERS.items():
                accounts.register_bank_account(
                    provider=PROVIDER, name=f"Sandbox {currency.upper()}", number=number, currency=currency, by=BY
                )
            providers.set_route(type=TransferType.SEPA, currency="eur", provider_key=PROVIDER, by=BY)
        self.start_over()

    def start_over(self) -> None:
        """Another client with an account of 10,000.00 and a recipient; what went before stays."""
        session().rollback()
        self.client = self.active()
        self.account = self.opened(self.client)
        self.recipient = self.known(self.client)

    def machine(self, audience: Audience, *, scopes: list[str] | None = None, client: Client | None = None) -> Machine:
        """The app of the client, or another system."""
        own = (client or self.client).id if audience is Audience.FRONTOFFICE else None
        with transaction():
            token, secret = tokens.create(
                audience=audience, scopes=tokens.resolve_scopes(audience, scopes or []), name="test", client_id=own
            )
        return Machine(current_app.test_client(), secret, token.id)

    def active(self, last: str = "Ilves", **options: Any) -> Client:
        made = activated(person(BY, last=last, risk_level=1, **options), self.maker, self.senior)
        session().refresh(made)
        session().commit()
        return made

    def opened(self, client: Client, money: int = 1_000_000, currency: str = "eur") -> Account:
        with transaction():
            opened = accounts.open_account(type=AccountType.CLIENT, currency=currency, owner_id=client.id, by=BY)
        if money:
            self.paid_in(opened, money)
        return opened

    def paid_in(self, account: Account, money: int) -> None:
        settlement, _ = providers.settlement(PROVIDER, account.currency)
        order = Order(
            parent_type=ParentType.TRANSFER,
            parent_id=new_id(),
            legs=[Leg(settlement, account.id, money, account.currency)],
        )
        with transaction():
            payments.pay(order, by=BY)

    def known(self, client: Client, name: str = "Jonas Petrauskas", number: str = IBAN, **options: Any) -> Recipient:
        with transaction():
            return recipients.add(client_id=client.id, name=name, number=number, by=BY, **options)

    def made(self, amount: int = 12_34, *, recipient: Recipient | None = None, account: Account | None = None,
             **options: Any) -> Transfer:  # fmt: skip
        chosen = account or self.account
        assert chosen.owner_id is not None
        with transaction():
            return create.create(
                client_id=chosen.owner_id,
                account_id=chosen.id,
                recipient_id=(recipient or self.recipient).id,
                amount_minor=amount,
                currency=options.pop("currency", chosen.currency),
                remittance=options.pop("remittance", "Invoice 4410"),
                by=BY,
                **options,
            )

    def confirmed(self, amount: int = 12_34, **options: Any) -> Transfer:
        made = self.made(amount, **options)
        with transaction():
            confirm.confirm_without_code(made, by=BY)
        return made

    def held(self, amount: int = 12_34, **options: Any) -> Transfer:
        """Confirmed and then held for a person."""
        made = self.confirmed(amount, **options)
        if made.status == "confirmed":
            with transaction():
                submitting.stop(made)
                held.hold_back(made, code="duplicate", by=BY)
        return made

    def submitted(self, amount: int = 12_34, **options: Any) -> Transfer:
        made = self.confirmed(amount, **options)
        assert self.sent(made) is not None
        return made

    def sent(self, transfer: Transfer) -> Instruction | None:
        """Claimed by a worker and looked at once more."""
        with transaction():
            session().execute(
                sa.update(Submission)
                .where(Submission.transfer_id == transfer.id, Submission.state == SubmissionState.WAITING.value)
                .values(state=SubmissionState.SENDING.value, lease=new_id(), lease_until=clock.now())
            )
        with transaction():
            return submitting.about_to_send(transfer.id, by=BY)

    def tell(self, transfer: Transfer, outcome: Outcome, **said: Any) -> Transfer | None:
        with transaction():
            return results.report(PROVIDER, Report(transfer.end_to_end_id or "", outcome, **said), by=BY)

    def lost(self, transfer: Transfer) -> None:
        with transaction():
            submitting.lost(transfer.id, by=BY)

    def in_status(self, status: str, amount: int = 12_34) -> Transfer:
        """A transfer that went the real way to this status."""
        if status == "awaitingConfirmation":
            return self.made(amount)
        if status == "confirmed":
            return self.confirmed(amount)
        if status == "manualReview":
            return self.held(amount)
        if status == "canceled":
            made = self.made(amount)
            with transaction():
                cancel.cancel(made.id, reason="Not wanted", by=BY)
            return made
        made = self.submitted(amount)
        if status == "unknown":
            self.lost(made)
        elif status == "completed":
            self.tell(made, Outcome.EXECUTED, provider_reference="SB-1")
        elif status == "rejected":
            self.tell(made, Outcome.REJECTED, code="AC04")
        return made

    def fresh(self, transfer: Transfer | UUID) -> Transfer:
        """As it is stored now."""
        session().rollback()
        found = session().get(Transfer, transfer if isinstance(transfer, UUID) else transfer.id, populate_existing=True)
        assert found is not None
        return found

    def line(self, transfer: Transfer) -> Submission | None:
        return session().get(Submission, transfer.id, populate_existing=True)

    def balance(self, account: Account | UUID) -> tuple[int, int]:
        """Posted and held, over all slots."""
        row = (
            session()
            .execute(
                sa.select(sa.func.sum(AccountBalance.posted), sa.func.sum(AccountBalance.held)).where(
                    AccountBalance.account_id == (account if isinstance(account, UUID) else account.id)
                )
            )
            .one()
        )
        return int(row[0]), int(row[1])

    def settlement(self, currency: str = "eur") -> UUID:
        return providers.settlement(PROVIDER, currency)[0]

    def fees(self, currency: str = "eur") -> UUID:
        return accounts.standard_account(AccountType.FEES, currency)
