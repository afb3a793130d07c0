"""Papers about transfers: made on demand, stored once, given to whom they belong."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients.models import Client
from dashboard.database import new_id, session
from dashboard.errors import NotFound, Refused
from dashboard.ledger.models import Account, Payment
from dashboard.money import Money
from dashboard.transfers.documents.confirmation import Confirmation, Exchange, Party, paper
from dashboard.transfers.models import FxQuote, Transfer, TransferDocument
from dashboard.transfers.services import lifecycle
from dashboard.transfers.vocabulary import KIND_LABELS, STATUS_LABELS, Kind, Status

PDF = "application/pdf"
#: hard to guess, and nothing of a person stands in it
_NAME = re.compile(r"[0-9a-f]{40}\.pdf")


@dataclass(frozen=True)
class House:
    """What a paper says of the house."""

    institution: str
    zone: ZoneInfo


def fresh_name() -> str:
    """A file name that nobody guesses."""
    return f"{secrets.token_hex(20)}.pdf"


def make(transfer_id: UUID, *, house: House, client_id: UUID | None = None, by: Actor) -> TransferDocument:
    """The confirmation of a completed transfer: the stored one, or a new one where there is none yet.

    `client_id`: only a transfer of this client. Raises NotFound `transferNotFound`, Refused `invalidState`.
    """
    transfer = lifecycle.locked(transfer_id, client_id=client_id)
    if transfer.status != Status.COMPLETED:
        raise Refused(
            "Only a completed transfer is confirmed by a paper.",
            code="invalidState",
            details={} if client_id else {"status": transfer.status, "allowed": [Status.COMPLETED.value]},
        )
    # money that was taken back and given to somebody else has a paper of its own for each of them
    standing = session().scalar(
        sa.select(TransferDocument)
        .where(
            TransferDocument.transfer_id == transfer.id,
            TransferDocument.client_id.is_not_distinct_from(transfer.client_id),
            # it says when the transfer was completed: one that came back and was completed again needs another
            TransferDocument.created_at >= (transfer.ended_at or transfer.created_at),
        )
        .order_by(TransferDocument.id.desc())
        .limit(1)
    )
    if standing is not None:
        return standing
    content = paper(_said(transfer, house))
    document = TransferDocument(
        id=new_id(),
        transfer_id=transfer.id,
        client_id=transfer.client_id,
        file_name=fresh_name(),
        media_type=PDF,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        created_at=clock.now(),
    )
    session().add(document)
    session().flush()
    audit.record("transfer_document.made", by=by, object_type="transfer", object_id=transfer.id,
                 client_id=transfer.client_id, after={"sha256": document.sha256})  # fmt: skip
    return document


def read(
    file_name: str, *, client_id: UUID | None = None, transfer_id: UUID | None = None, by: Actor
) -> TransferDocument:
    """A stored paper, and evidence that it was read.

    `client_id`: only a paper of a transfer that is this client's. Raises NotFound `documentNotFound`, alike for
    somebody else's and for a name that could be none.
    """
    where = [TransferDocument.file_name == file_name]
    if client_id is not None:
        where += [TransferDocument.client_id == client_id, Transfer.client_id == client_id]
    if transfer_id is not None:
        where.append(TransferDocument.transfer_id == transfer_id)
    found = None
    if _NAME.fullmatch(file_name):
        found = session().scalar(
            sa.select(TransferDocument).join(Transfer, Transfer.id == TransferDocument.transfer_id).where(*where)
        )
    if found is None:
        raise NotFound("There is no such document.", code="documentNotFound")
    audit.record("transfer_document.read", by=by, object_type="transfer", object_id=found.transfer_id,
                 client_id=found.client_id)  # fmt: skip
    return found


def _said(transfer: Transfer, house: House) -> Confirmation:
    payment = session().get_one(Payment, transfer.payment_id)
    ours, quote = _our_side(transfer, house), _quote(transfer)
    theirs = Party(transfer.counterparty_name, transfer.counterparty_account, transfer.counterparty_bic)
    if quote is not None:
        theirs = Party(ours.name, _number(quote.buy_account_id))
    elif transfer.counter_account_id is not None and not transfer.counterparty_account:
        theirs = Party(transfer.counterparty_name, _number(transfer.counter_account_id))
    payer, payee = (theirs, ours) if transfer.kind == Kind.INCOMING else (ours, theirs)
    references = [
        (label, value)
        for label, value in (
            ("End-to-end reference", transfer.end_to_end_id),
            ("Provider’s reference", transfer.provider_reference),
        )
        if value
    ]
    return Confirmation(
        institution=house.institution,
        zone=house.zone,
        transfer_id=str(transfer.id),
        kind=KIND_LABELS[Kind(transfer.kind)],
        status=STATUS_LABELS[Status(transfer.status)].lower(),
        payer=payer,
        payee=payee,
        amount=Money(transfer.amount_minor, transfer.currency),
        fee=Money(transfer.fee_minor, transfer.currency) if transfer.fee_minor else None,
        ordered_at=transfer.created_at,
        completed_at=transfer.ended_at or payment.posted_at or transfer.created_at,
        booking_date=payment.booking_date,
        value_date=transfer.value_date or payment.value_date,
        generated_at=clock.now(),
        remittance=transfer.remittance,
        references=references,
        exchange=_exchange(quote) if quote is not None else None,
    )


def _our_side(transfer: Transfer, house: House) -> Party:
    if transfer.client_id is None:
        return Party(house.institution, _number(transfer.account_id))
    name = session().scalar(sa.select(Client.name).where(Client.id == transfer.client_id))
    return Party(name, _number(transfer.account_id))


def _number(account_id: UUID) -> str | None:
    return session().scalar(sa.select(Account.number).where(Account.id == account_id))


def _quote(transfer: Transfer) -> FxQuote | None:
    return session().get(FxQuote, transfer.quote_id) if transfer.quote_id is not None else None


def _exchange(quote: FxQuote) -> Exchange:
    return Exchange(
        sold=Money(quote.sell_minor, quote.sell_currency),
        bought=Money(quote.buy_minor, quote.buy_currency),
        rate=quote.rate,
        rate_source=quote.rate_source,
        rate_as_of=quote.rate_as_of,
        margin=Money(quote.margin_minor, quote.sell_currency),
    )
