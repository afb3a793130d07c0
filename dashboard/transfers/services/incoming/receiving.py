"""A provider tells of money: stored as it came, once, and processed at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Refused
from dashboard.money import DECIMALS, Money
from dashboard.queues import services as queues
from dashboard.transfers.models import IncomingRequest, Provider, Transfer
from dashboard.transfers.providers.port import Credit
from dashboard.transfers.services.incoming import linking, own_money, processing, reading
from dashboard.transfers.vocabulary import RequestState, Status

#: tries of one request that meets a fault of ours each time
MOST_ATTEMPTS = 10


class DifferentBody(Conflict):
    """The provider says something else under a reference that it has used. `request_id` is the first telling.

    Whoever catches it tells `contradicted` in a transaction of its own, so that it is remembered (`telling.tell`).
    """

    code = "differentBody"

    def __init__(self, request_id: UUID, differs: list[str]) -> None:
        super().__init__(
            "The provider told something else under this reference before.",
            details={"requestId": str(request_id), "differs": differs},
        )
        self.request_id = request_id
        self.differs = differs


class OwnMoney(Refused):
    """The credit is money of the house arriving from another of its bank accounts: booked when it left there, so it is
    no receipt. Nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "This is money between own bank accounts arriving. It was booked when it left; nothing is booked for this"
            " message.",
            code="ownMovement",
        )


def receive(credit: Credit, *, source: str, message_id: UUID | None, by: Actor) -> IncomingRequest:
    """Store what a provider tells and process it; the same telling again answers the first and changes nothing.

    One credit per transaction. What cannot be processed is stored with its reason all the same. Raises Refused
    `providerNotFound`, OwnMoney, DifferentBody.
    """
    _provider(credit.provider)
    if own_money.is_ours(credit) and not _told_before(credit):
        raise OwnMoney
    return _once(reading.read(credit, source=source, message_id=message_id), by)


def _told_before(credit: Credit) -> bool:
    """Whether it is stored already: told before anybody asked for the movement, say."""
    found = session().scalar(
        sa.select(IncomingRequest.id).where(
            IncomingRequest.provider == credit.provider,
            IncomingRequest.provider_reference == credit.provider_reference,
            IncomingRequest.reversal == credit.reversal,
        )
    )
    return found is not None


def receive_unreadable(
    *,
    provider: str,
    provider_reference: str,
    raw: dict[str, Any],
    source: str,
    message_id: UUID | None,
    known: dict[str, Any] | None = None,
    booked_at: datetime | None = None,
    reversal: bool = False,
    by: Actor,
) -> IncomingRequest:
    """Store a message of money that is no credit yet, because the amount, say, could not be read: it fails with a
    reason, and a person mends it. `known`: columns of the request that could be read. Raises as `receive`."""
    _provider(provider)
    row = reading.unreadable(
        provider=provider, provider_reference=provider_reference, raw=raw, source=source, message_id=message_id,
        known=known or {}, booked_at=booked_at, reversal=reversal,
    )  # fmt: skip
    return _once(row, by)


def _provider(key: str) -> None:
    if session().get(Provider, key) is None:
        raise Refused("This provider is not known here.", code="providerNotFound", details={"provider": key})


def _once(fresh: IncomingRequest, by: Actor) -> IncomingRequest:
    columns = {
        attribute.columns[0]: getattr(fresh, attribute.key)
        for attribute in sa.inspect(IncomingRequest).column_attrs
        if getattr(fresh, attribute.key) is not None
    }
    # whoever tells the same at this moment waits here, and reads the first below
    stored = session().scalar(
        postgresql.insert(IncomingRequest)
        .values(columns)
        .on_conflict_do_nothing(index_elements=["provider", "provider_reference", "reversal"])
        .returning(IncomingRequest.id)
    )
    known = session().scalar(
        sa.select(IncomingRequest)
        .where(
            IncomingRequest.provider == fresh.provider,
            IncomingRequest.provider_reference == fresh.provider_reference,
            IncomingRequest.reversal == fresh.reversal,
        )
        .execution_options(populate_existing=True)
    )
    assert known is not None
    if stored is None:
        return _told_again(known, fresh, by)
    audit.record(
        "incoming.received", by=by, object_type=processing.OBJECT, object_id=known.id,
        after={"provider": known.provider, "source": known.source, "reversal": known.reversal},
    )  # fmt: skip
    processing.process(known, by=by)
    return known


def _told_again(known: IncomingRequest, fresh: IncomingRequest, by: Actor) -> IncomingRequest:
    if known.body_hash == fresh.body_hash:
        return known
    differs = differences(known, fresh)
    if (
        known.source != fresh.source
        and not set(differs) & {"currency", "amount"}
        and not linking.contradict(known, fresh)
    ):
        # a statement names the entry as the notification did, in other words: the same credit
        audit.record(
            "incoming.repeated", by=by, object_type=processing.OBJECT, object_id=known.id,
            after={"source": fresh.source},
        )  # fmt: skip
        return known
    raise DifferentBody(known.id, differs)


_COMPARED = {
    "currency": "currency", "amount": "amount_minor", "creditorAccountNumber": "creditor_account",
    "creditorName": "creditor_name", "debtorName": "debtor_name", "debtorAccountNumber": "debtor_account",
    "debtorBic": "debtor_bic", "remittanceInformation": "remittance", "endToEndId": "end_to_end_id",
    "bookedAt": "booked_at", "valueDate": "value_date",
}  # fmt: skip


def differences(known: IncomingRequest, fresh: IncomingRequest) -> list[str]:
    """Which fields another telling says otherwise."""
    return [name for name, column in _COMPARED.items() if getattr(known, column) != getattr(fresh, column)] or [
        "message"
    ]


def contradicted(refusal: DifferentBody, *, credit: Credit | None, source: str, by: Actor) -> None:
    """Remember that a provider contradicts itself: the first telling stands, and a person asks the provider."""
    told: dict[str, Any] = {"source": source, "differs": refusal.differs}
    if credit is not None and credit.currency in DECIMALS and {"amount", "currency"} & set(refusal.differs):
        told["amount"] = str(Money(credit.amount_minor, credit.currency))
    audit.record(
        "incoming.contradicted", by=by, object_type=processing.OBJECT, object_id=refusal.request_id, after=told
    )
    queues.open_item(
        processing.QUEUE, cause="contradicted", object_type=processing.OBJECT, object_id=refusal.request_id,
        client_id=None, due_at=processing.look_by(clock.now()),
    )  # fmt: skip


def finish_waiting(*, by: Actor) -> bool:
    """Take up one request that stayed as received after a fault, or finish a reversal whose transfer the desk has
    reversed, or whose money is back on suspense; one that somebody works on is left to them. Whether there was one.

    One per transaction; a fault that comes back stops it after so many attempts, and a person looks.
    """
    row = session().scalar(
        sa.select(IncomingRequest)
        .outerjoin(Transfer, Transfer.id == IncomingRequest.transfer_id)
        .where(
            IncomingRequest.attempts < MOST_ATTEMPTS,
            sa.or_(
                IncomingRequest.state == RequestState.RECEIVED.value,
                sa.and_(
                    IncomingRequest.state == RequestState.WAITING.value,
                    Transfer.status.in_([Status.REVERSED.value, Status.UNRECOGNIZED.value]),
                ),
            ),
        )
        .order_by(IncomingRequest.id)
        .limit(1)
        .with_for_update(of=IncomingRequest, skip_locked=True, key_share=True)
    )
    if row is None:
        return False
    processing.process(row, by=by)
    return True
