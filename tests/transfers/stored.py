"""Transfers in any state for tests of reading: each goes the way that the lifecycle and the ledger allow."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.clients.folding import search_text
from dashboard.clients.models import Client
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import Account
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.transfers.models import Recipient, Transfer, TransferCheck
from dashboard.transfers.services import lifecycle, recipients
from dashboard.transfers.vocabulary import Check, CheckOutcome, Kind, Status, TransferType
from tests.clients.making import person

IBAN = "EE382200221020145685"
#: steps from the beginning to a status
WAYS = {
    Status.AWAITING_CONFIRMATION: (),
    Status.CONFIRMED: (Status.CONFIRMED,),
    Status.MANUAL_REVIEW: (Status.CONFIRMED, Status.MANUAL_REVIEW),
    Status.SUBMITTED: (Status.CONFIRMED, Status.SUBMITTED),
    Status.UNKNOWN: (Status.CONFIRMED, Status.SUBMITTED, Status.UNKNOWN),
    Status.COMPLETED: (Status.CONFIRMED, Status.SUBMITTED, Status.COMPLETED),
    Status.REJECTED: (Status.CONFIRMED, Status.SUBMITTED, Status.REJECTED),
    Status.CANCELED: (Status.CANCELED,),
}


class Store:
    """Clients with money, and their transfers. Amounts are minor units."""

    def __init__(self, by: Actor | None = None) -> None:
        self.by = by or system()
        self.houses: dict[tuple[str, AccountType], UUID] = {}

    def house(self, currency: str = "eur", type: AccountType = AccountType.SETTLEMENT) -> UUID:
        if (currency, type) not in self.houses:
            with transaction():
                self.houses[currency, type] = accounts.open_account(type=type, currency=currency, by=self.by).id
        return self.houses[currency, type]

    def client(self, name: str = "Ilves") -> Client:
        return person(self.by, last=name)

    def account(self, client: Client, money: int = 1_000_000, currency: str = "eur") -> Account:
        with transaction():
            opened = accounts.open_account(type=AccountType.CLIENT, currency=currency, owner_id=client.id, by=self.by)
        if money:
            self._paid(self.house(currency), opened.id, money, currency, new_id())
        return opened

    def recipient(self, client: Client, name: str = "Jonas Petrauskas", number: str = IBAN) -> Recipient:
        with transaction():
            return recipients.add(client_id=client.id, name=name, number=number, by=self.by)

    def _order(self, debtor: UUID, creditor: UUID, amount: int, currency: str, parent: UUID) -> Order:
        return Order(parent_type=ParentType.TRANSFER, parent_id=parent, legs=[Leg(debtor, creditor, amount, currency)])

    def _paid(self, debtor: UUID, creditor: UUID, amount: int, currency: str, parent: UUID) -> UUID:
        order = self._order(debtor, creditor, amount, currency, parent)
        payments.pay(order, by=self.by)
        session().commit()
        return order.id

    def outgoing(
        self,
        account: Account,
        recipient: Recipient,
        amount: int = 12_34,
        *,
        status: Status = Status.AWAITING_CONFIRMATION,
        remittance: str = "Invoice 4410",
        reason: str | None = None,
        code: str | None = None,
        **fields: Any,
    ) -> Transfer:
        identifier = new_id()
        with transaction():
            made = lifecycle.begin(
                Transfer(
                    id=identifier,
                    kind=Kind.OUTGOING.value,
                    status=Status.AWAITING_CONFIRMATION.value,
                    type=fields.pop("type", TransferType.SEPA).value,
                    client_id=account.owner_id,
                    account_id=account.id,
                    currency=account.currency,
                    amount_minor=amount,
                    fee_minor=0,
                    recipient_id=recipient.id,
                    counterparty_name=recipient.name,
                    counterparty_account=recipient.account_key,
                    counterparty_key=recipient.account_key,
                    counterparty_bic=recipient.bic,
                    counterparty_country=recipient.country,
                    remittance=remittance,
                    end_to_end_id=identifier.hex,
                    search_text=search_text(recipient.name, recipient.account_key, remittance, identifier.hex),
                    created_at=clock.now(),
                    maker_kind=self.by.kind,
                    maker_id=self.by.id,
                    maker_name=self.by.name,
                    **fields,
                ),
                by=self.by,
            )
            steps = WAYS[status]
            if Status.CONFIRMED in steps:
                order = self._order(account.id, self.house(account.currency), amount, account.currency, made.id)
                payments.hold(order, by=self.by)
                made.payment_id = order.id
            for step in steps:
                if step is Status.COMPLETED and made.payment_id:
                    payments.post(made.payment_id, by=self.by)
                if step is Status.REJECTED and made.payment_id:
                    payments.fail(made.payment_id, by=self.by, reason="rejected")
                last = step is steps[-1]
                lifecycle.change_status(
                    made, step, by=self.by, code=code if last else None, reason=reason if last else None
                )
        return made

    def check(
        self, transfer: Transfer, code: Check, outcome: CheckOutcome = CheckOutcome.REVIEW, **fields: Any
    ) -> None:
        with transaction():
            session().add(
                TransferCheck(
                    transfer_id=transfer.id, round=fields.pop("round", 1), code=code.value, outcome=outcome.value,
                    at=clock.now(), **{"detail": {}, **fields},
                )
            )  # fmt: skip

    def incoming(
        self,
        account: Account | None,
        amount: int = 99_00,
        *,
        payer: str = "Marta Kask",
        remittance: str = "Salary",
        reference: str | None = None,
        currency: str = "eur",
    ) -> Transfer:
        """On a client's account, or without one on suspense."""
        where = account.id if account else self.house(currency, AccountType.SUSPENSE)
        currency = account.currency if account else currency
        identifier = new_id()
        with transaction():
            order = self._order(self.house(currency), where, amount, currency, identifier)
            payments.pay(order, by=self.by)
            return lifecycle.begin(
                Transfer(
                    id=identifier,
                    kind=Kind.INCOMING.value,
                    status=(Status.COMPLETED if account else Status.UNRECOGNIZED).value,
                    client_id=account.owner_id if account else None,
                    account_id=where,
                    currency=currency,
                    amount_minor=amount,
                    counterparty_name=payer,
                    counterparty_account="LT121000011101001000",
                    counterparty_key="LT121000011101001000",
                    remittance=remittance,
                    provider_reference=reference,
                    payment_id=order.id,
                    search_text=search_text(payer, "LT121000011101001000", remittance, reference),
                    created_at=clock.now(),
                    maker_kind=self.by.kind,
                    maker_id=self.by.id,
                    maker_name=self.by.name,
                ),
                by=self.by,
            )
