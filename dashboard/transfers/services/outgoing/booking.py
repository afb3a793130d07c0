"""How an outgoing transfer stands in the ledger: one payment, held at confirmation, posted or given back later."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clients.folding import search_text
from dashboard.clients.models import Client
from dashboard.database import new_id, session
from dashboard.errors import NotFound, Refused
from dashboard.ledger.models import Account, AccountBalance, AccountOwner
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.transfers.models import Transfer
from dashboard.transfers.services import lifecycle, providers
from dashboard.transfers.vocabulary import Kind, Status, TransferType

FEE = "Transfer fee"


def unavailable() -> Refused:
    """One sentence for everything that keeps an account of ours from receiving: why is nobody else's business."""
    return Refused("The recipient's account cannot receive this transfer.", code="recipientUnavailable")


def receiver(account_id: UUID, currency: str) -> Account:
    """The client account of ours that would receive. Raises Refused `recipientUnavailable`."""
    account = session().get(Account, account_id)
    if account is None or account.type != AccountType.CLIENT or account.currency != currency:
        raise unavailable()
    stopped = session().scalar(
        sa.select(AccountBalance.closed | AccountBalance.credits_frozen).where(AccountBalance.account_id == account_id)
    )
    if stopped is not False:
        raise unavailable()
    return account


def receiver_that_stays(account_id: UUID, currency: str) -> Account:
    """The same; nobody freezes it until the transaction ends, because whoever does locks its owner's row first."""
    session().execute(
        sa.select(AccountOwner.owner_id)
        .join(Account, Account.owner_id == AccountOwner.owner_id)
        .where(Account.id == account_id)
        .with_for_update(read=True, of=AccountOwner)
    )
    return receiver(account_id, currency)


def hold(transfer: Transfer, *, by: Actor) -> None:
    """Hold amount and fee until the transfer's end is known, and settle by which provider it goes.

    Raises Refused `recipientUnavailable`, `noProvider`, `noSystemAccount` and what the ledger refuses.
    """
    if transfer.type == TransferType.INTERNAL:
        assert transfer.counter_account_id is not None  # create sees to it
        creditor_id = receiver_that_stays(transfer.counter_account_id, transfer.currency).id
    else:
        assert transfer.type is not None
        account = session().get(Account, transfer.account_id)
        chosen = providers.for_transfer(TransferType(transfer.type), transfer.currency, account)
        transfer.provider = chosen.key
        creditor_id, _ = providers.settlement(chosen.key, transfer.currency)
    hold_towards(transfer, creditor_id, by=by)


def hold_towards(transfer: Transfer, creditor_id: UUID, *, by: Actor) -> None:
    """Hold the transfer's payment: amount to the creditor's account, fee to the house's."""
    legs = [
        Leg(transfer.account_id, creditor_id, transfer.amount_minor, transfer.currency, transfer.remittance or None)
    ]
    if transfer.fee_minor:
        fees = accounts.standard_account(AccountType.FEES, transfer.currency)
        legs.append(Leg(transfer.account_id, fees, transfer.fee_minor, transfer.currency, FEE))
    order = Order(parent_type=ParentType(transfer.parent_type), parent_id=transfer.id, legs=legs)
    payments.hold(order, by=by)
    transfer.payment_id = order.id


def post(transfer: Transfer, *, by: Actor) -> None:
    """The money has gone."""
    payments.post(paid(transfer), by=by)


def give_back(transfer: Transfer, *, reason: str, failed: bool = False, by: Actor) -> None:
    """What is held is the client's again: canceled by us, or `failed` at the bank."""
    if transfer.payment_id is None:
        return
    if failed:
        payments.fail(transfer.payment_id, by=by, reason=reason[: payments.LONGEST_REASON])
    else:
        payments.cancel(transfer.payment_id, by=by, reason=reason[: payments.LONGEST_REASON])


def paid(transfer: Transfer) -> UUID:
    """The transfer's payment. Raises NotFound: nothing is held for it."""
    if transfer.payment_id is None:
        raise NotFound("The transfer has no payment.", code="paymentNotFound")
    return transfer.payment_id


def settle_inside(transfer: Transfer, *, by: Actor) -> Transfer:
    """A confirmed internal transfer reaches its receiver at once; gives the receiver's side of it.

    Raises Refused `recipientUnavailable`.
    """
    assert transfer.counter_account_id is not None
    to = receiver_that_stays(transfer.counter_account_id, transfer.currency)
    post(transfer, by=by)
    lifecycle.change_status(transfer, Status.COMPLETED, by=by, value_date=clock.calendar().today())
    account = session().get_one(Account, transfer.account_id)
    payer = session().scalar(sa.select(Client.name).where(Client.id == transfer.client_id))
    moment = clock.now()
    return lifecycle.begin(
        Transfer(
            id=new_id(),
            kind=Kind.INCOMING.value,
            status=Status.COMPLETED.value,
            type=TransferType.INTERNAL.value,
            client_id=to.owner_id,
            account_id=to.id,
            counter_account_id=account.id,
            currency=transfer.currency,
            amount_minor=transfer.amount_minor,
            counterparty_name=payer,
            counterparty_account=account.number,
            counterparty_key=account.number,
            counterparty_country=account.number[:2],
            remittance=transfer.remittance,
            end_to_end_id=transfer.end_to_end_id,
            payment_id=transfer.payment_id,
            related_id=transfer.id,
            search_text=search_text(payer, transfer.remittance, account.number, transfer.end_to_end_id),
            value_date=transfer.value_date,
            created_at=moment,
            ended_at=moment,
            maker_kind=by.kind,
            maker_id=by.id,
            maker_name=by.name,
        ),
        by=by,
    )
