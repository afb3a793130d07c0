"""Unrecognized money for tests: clients, a bank account of the house, and receipts on its suspense account."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import system
from dashboard.clients.folding import search_text
from dashboard.clients.models import Client
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import Account, AccountBalance, BankAccount
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.transfers.models import Receipt, Transfer
from dashboard.transfers.services import lifecycle, providers
from dashboard.transfers.services.desk import opening
from dashboard.transfers.vocabulary import Cause, Kind, Status, TransferType
from tests.clients.making import person

PAYER = "LT601010012345678901"
LIMIT = 1_000_000


class Desk:
    """Amounts are minor units of euros; `LIMIT` is the most that one person decides."""

    def __init__(self) -> None:
        with transaction():
            providers.register_provider(key="bank", name="Bank", kind="files", by=system())
            self.bank: BankAccount = accounts.register_bank_account(
                provider="bank", name="Bank", number="LT947300010000000001", currency="eur", by=system()
            )
            for type in (TransferType.SEPA, TransferType.SEPA_INSTANT):
                providers.set_route(type=type, currency="eur", provider_key="bank", by=system())
        self.settlement = providers.of_bank_account(self.bank.id, AccountType.SETTLEMENT)
        self.suspense = providers.of_bank_account(self.bank.id, AccountType.SUSPENSE)
        self.receivable = accounts.standard_account(AccountType.RECEIVABLE, "eur")

    def client(self, first: str = "Mari", last: str = "Ilves", **options: Any) -> Client:
        return person(system(), first=first, last=last, **options)

    def account(self, client: Client | None = None, currency: str = "eur") -> Account:
        owner = client or self.client()
        with transaction():
            return accounts.open_account(type=AccountType.CLIENT, currency=currency, owner_id=owner.id, by=system())

    def spend(self, account_id: UUID, amount: int) -> None:
        order = Order(ParentType.TRANSFER, new_id(), [Leg(account_id, self.settlement, amount, "eur")])
        with transaction():
            payments.pay(order, by=system())

    def credit(self, account: Account, amount: int, **told: Any) -> Transfer:
        """Money that was recognized."""
        with transaction():
            return self._told(amount, account.id, account.owner_id, Status.COMPLETED, **told)

    def receipt(
        self,
        amount: int = 500_00,
        *,
        booked_at: datetime | None = None,
        cause: Cause = Cause.NOT_RECOGNIZED,
        **told: Any,
    ) -> Receipt:
        """Money that was not."""
        with transaction():
            transfer = self._told(amount, self.suspense, None, Status.UNRECOGNIZED, **told)
            return opening.open_receipt(
                transfer, cause=cause, suspense_account_id=self.suspense, booked_at=booked_at or clock.now(),
                by=system(),
            )  # fmt: skip

    def _told(
        self,
        amount: int,
        account_id: UUID,
        client_id: UUID | None,
        status: Status,
        *,
        payer: str | None = PAYER,
        name: str | None = "Jonas Petrauskas",
        remittance: str | None = "Invoice",
        provider: str = "bank",
    ) -> Transfer:
        transfer_id = new_id()
        order = Order(ParentType.TRANSFER, transfer_id, [Leg(self.settlement, account_id, amount, "eur")])
        payments.pay(order, by=system())
        return lifecycle.begin(
            Transfer(
                id=transfer_id,
                kind=Kind.INCOMING.value,
                status=status.value,
                client_id=client_id,
                account_id=account_id,
                currency="eur",
                amount_minor=amount,
                counterparty_name=name,
                counterparty_account=payer,
                counterparty_key=payer,
                remittance=remittance,
                provider=provider,
                provider_reference=transfer_id.hex,
                payment_id=order.id,
                search_text=search_text(name, remittance),
                created_at=clock.now(),
                maker_kind="system",
                maker_name="test",
            ),
            by=system(),
        )

    def balance(self, account_id: UUID) -> int:
        found = session().scalar(
            sa.select(sa.func.sum(AccountBalance.posted)).where(AccountBalance.account_id == account_id)
        )
        return int(found or 0)

    def state(self, receipt: Receipt) -> tuple[str, str, int]:
        """Status of the transfer, state of the receipt, and what remains of it."""
        session().expire_all()
        transfer = session().get_one(Transfer, receipt.transfer_id)
        fresh = session().get_one(Receipt, receipt.transfer_id)
        return transfer.status, fresh.state, fresh.remaining_minor
