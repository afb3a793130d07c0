"""What becomes of one told credit: linked, reversed, come back, on a client's account, or on suspense."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
import structlog

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clock import calendar
from dashboard.database import savepoint, session
from dashboard.errors import DomainError, Refused
from dashboard.queues import services as queues
from dashboard.transfers.models import IncomingCorrection, IncomingLink, IncomingRequest, Transfer
from dashboard.transfers.services import lifecycle
from dashboard.transfers.services.desk import limits
from dashboard.transfers.services.incoming import booking, linking, reversing
from dashboard.transfers.services.outgoing import returned
from dashboard.transfers.vocabulary import Kind, RequestState, Status, TransferType

log = structlog.get_logger()

QUEUE = "incoming-requests"
OBJECT = "incomingRequest"

#: code of a failure to (sentence, what to do)
FAILURES: dict[str, tuple[str, str]] = {
    "noAmount": ("The message tells no amount that could be read.", "Write the amount and its currency."),
    "noProviderAccount": (
        "The house has no bank account at this provider in this currency.",
        "Register the bank account, then process again.",
    ),
    "possiblyBooked": (
        "Another message told a credit with the same references, and nobody can say whether it is this one.",
        "Compare the two. Say that it is the same credit, or that it is another one.",
    ),
    "reversalDiffers": (
        "The bank reverses another amount than it credited.",
        "Ask the bank. An adjusting payment books what it says.",
    ),
    "severalOriginals": ("Several credits carry the references of this reversal.", "Say which one is reversed."),
    "alreadyReversed": (
        "The credit it names is reversed already.",
        "Ask the bank whether it took the money twice. If it says the same again, name the credit.",
    ),
    "accountClosed": (
        "The bank took the money back, and the client's account is closed.",
        "Book what the bank took by an adjusting payment.",
    ),
    "returnTooEarly": (
        "It gives back a transfer of ours that the provider has not reported as executed.",
        "Process it again when the transfer is completed.",
    ),
    "notReversible": (
        "The credit it names was a transfer of ours that came back.",
        "Ask the bank. An adjusting payment books what it says.",
    ),
}
#: business days until somebody looks at a request that could not be processed
LOOK_WITHIN = 1


def process(request: IncomingRequest, *, by: Actor, separate: bool = False, same_as: UUID | None = None) -> None:
    """Take a stored, locked request as far as it goes. A refusal is stored with its code; nothing is booked then.

    `separate`: a person said that it is another credit than the one like it. `same_as`: the request that it repeats,
    or for a reversal the credit that it takes back. One credit is processed per transaction: turns are taken.
    """
    request.attempts += 1
    try:
        # outside of what a refusal takes back: with it, the page finds what the request may mean
        _place(request)
        with savepoint():
            _decide(request, separate=separate, same_as=same_as, by=by)
    except DomainError as refusal:
        session().refresh(request, ["transfer_id", "linked_id", "state"])
        _failed(request, refusal, by)
    except sa.exc.OperationalError:
        # the database is busy or gone: the whole telling is tried again
        raise
    except Exception:
        session().refresh(request, ["transfer_id", "linked_id", "state"])
        # a fault of ours: the request stays as received, and is taken up again
        log.exception("incoming request not processed", request=str(request.id))
    session().flush()


def _place(request: IncomingRequest) -> None:
    if request.amount_minor is None or request.currency is None:
        raise Refused(FAILURES["noAmount"][0], code="noAmount")
    request.bank_account_id = booking.bank_account_of(request)
    session().flush()


def _decide(request: IncomingRequest, *, separate: bool, same_as: UUID | None, by: Actor) -> None:
    linking.take_turns(request)
    if same_as is not None and not request.reversal:
        _link_as_told(request, same_as, by)
        return
    if not separate and same_as is None:
        told = linking.told_before(request)
        if told.firsts:
            _link(request, [first.id for first in told.firsts], by)
            return
        if told.doubt is not None:
            raise Refused(
                FAILURES["possiblyBooked"][0],
                code="possiblyBooked",
                details={"requestId": str(told.doubt.id)},
            )
    if request.reversal:
        _reverse(request, same_as, by)
        return
    transfer = _came_back(request, by) or booking.book(request, to_desk=goes_to_desk(request), by=by)
    _done(request, transfer, by)
    for earlier in reversing.early(request):
        if earlier.state == RequestState.WAITING:
            process(earlier, by=by)


def goes_to_desk(request: IncomingRequest) -> bool:
    """What was typed, above the amount that one person decides: the desk takes it on with two."""
    typed = session().scalar(
        sa.select(IncomingCorrection.id)
        .where(IncomingCorrection.request_id == request.id, IncomingCorrection.fields != {})
        .limit(1)
    )
    if typed is None:
        return False
    return limits.needs_two(request.currency or "", request.amount_minor or 0)


def _came_back(request: IncomingRequest, by: Actor) -> Transfer | None:
    """The return of a transfer of ours, booked; None where the credit gives back none, or more than was sent.

    Raises Refused `returnTooEarly` while the provider has not said that it left: it may still say that it never did.
    """
    if not request.returns:
        return None
    ours = session().scalar(
        sa.select(Transfer.id).where(
            Transfer.end_to_end_id == request.returns,
            Transfer.kind == Kind.OUTGOING.value,
            Transfer.provider == request.provider,
            Transfer.currency == request.currency,
        )
    )
    if ours is None:
        return None
    first = lifecycle.locked(ours)
    if first.status in (Status.REJECTED, Status.CANCELED, Status.RETURNED) or first.type == TransferType.INTERNAL:
        # it is settled already: this is other money, and people find out whose
        return None
    if first.status != Status.COMPLETED:
        raise Refused(FAILURES["returnTooEarly"][0], code="returnTooEarly", details={"transferId": str(first.id)})
    assert request.amount_minor is not None
    if request.amount_minor > first.amount_minor:
        return None
    return returned.came_back(
        first, amount_minor=request.amount_minor, provider_reference=request.provider_reference,
        booked_at=request.booked_at, by=by,
    )  # fmt: skip


def _reverse(request: IncomingRequest, same_as: UUID | None, by: Actor) -> None:
    transfer_id = request.transfer_id
    if transfer_id is None:
        original = _named_original(request, same_as) if same_as else reversing.original_of(request)
        if original is None or original.transfer_id is None:
            # its credit is not told yet, and finds it when it comes
            _set(request, RequestState.WAITING)
            queues.open_item(
                QUEUE, cause="waiting", object_type=OBJECT, object_id=request.id, client_id=None,
                due_at=look_by(clock.now()),
            )  # fmt: skip
            return
        transfer_id = original.transfer_id
    transfer = lifecycle.locked(transfer_id)
    reversing.require_not_reversed(request, transfer)
    if reversing.take_back(transfer, by=by):
        _done(request, transfer, by)
    else:
        # the desk has work for it; the request is finished when the transfer is
        _set(request, RequestState.WAITING, transfer_id=transfer.id)
        _no_work(request, by)


def _named_original(request: IncomingRequest, same_as: UUID) -> IncomingRequest:
    original = session().get(IncomingRequest, same_as)
    if original is None or original.reversal or original.state != RequestState.PROCESSED:
        raise Refused("Name a credit that was booked.", code="notBooked")
    if (original.bank_account_id, original.currency, original.amount_minor) != (
        request.bank_account_id, request.currency, request.amount_minor,
    ):  # fmt: skip
        raise Refused("It is of another account, currency or amount.", code="notTheSame")
    return original


def _link_as_told(request: IncomingRequest, same_as: UUID, by: Actor) -> None:
    """A person says which credit it repeats. The whole of it once per source, or parts that do not exceed it."""
    first = session().get(IncomingRequest, same_as, with_for_update={"key_share": True}, populate_existing=True)
    if first is None or first.reversal != request.reversal or first.state != RequestState.PROCESSED:
        raise Refused("Name a credit that was booked.", code="notBooked")
    if (first.bank_account_id, first.currency) != (request.bank_account_id, request.currency) or (
        first.id == request.id
    ):
        raise Refused("It is of another account or currency.", code="notTheSame")
    assert first.amount_minor is not None and request.amount_minor is not None
    told = session().scalar(
        sa.select(sa.func.coalesce(sa.func.sum(IncomingRequest.amount_minor), 0))
        .select_from(IncomingLink)
        .join(IncomingRequest, IncomingRequest.id == IncomingLink.request_id)
        .where(IncomingLink.first_id == first.id, IncomingLink.source == request.source)
    )
    if int(told or 0) + request.amount_minor > first.amount_minor:
        raise Refused("More would be told than was booked.", code="notTheSame")
    _link(request, [first.id], by, part=request.amount_minor != first.amount_minor)


def _link(request: IncomingRequest, firsts: list[UUID], by: Actor, *, part: bool = False) -> None:
    session().add_all(
        IncomingLink(request_id=request.id, first_id=first, source=request.source, part=part) for first in firsts
    )
    _set(request, RequestState.LINKED, linked_id=firsts[0])
    session().flush()
    _tell(request, "incoming.linked", by, {"requestIds": [str(first) for first in firsts]})
    _no_work(request, by)


def _done(request: IncomingRequest, transfer: Transfer, by: Actor) -> None:
    _set(request, RequestState.PROCESSED, transfer_id=transfer.id)
    session().flush()
    _tell(request, "incoming.processed", by, {"transferId": str(transfer.id)}, client_id=transfer.client_id)
    _no_work(request, by)


def _set(
    request: IncomingRequest, state: RequestState, *, transfer_id: UUID | None = None, linked_id: UUID | None = None
) -> None:
    request.state = state.value
    request.failure_code = request.failure = None
    if transfer_id is not None:
        request.transfer_id = transfer_id
    request.linked_id = linked_id
    request.processed_at = None if state is RequestState.WAITING else clock.now()
    session().flush()


def _failed(request: IncomingRequest, refusal: DomainError, by: Actor) -> None:
    request.state = RequestState.FAILED.value
    request.failure_code = refusal.code
    request.failure = refusal.message
    request.linked_id = None
    session().flush()
    _tell(request, "incoming.failed", by, {"code": refusal.code, **refusal.details})
    queues.open_item(
        QUEUE, cause="failed", object_type=OBJECT, object_id=request.id, client_id=None, due_at=look_by(clock.now())
    )


def look_by(moment: datetime) -> datetime:
    return calendar().due_after(moment, LOOK_WITHIN)


def _no_work(request: IncomingRequest, by: Actor) -> None:
    for cause in ("failed", "waiting"):
        queues.close_items(QUEUE, object_id=request.id, by=by, cause=cause)


def _tell(
    request: IncomingRequest, action: str, by: Actor, after: dict[str, object], *, client_id: UUID | None = None
) -> None:
    audit.record(
        action, by=by, object_type=OBJECT, object_id=request.id, client_id=client_id,
        after={"provider": request.provider, **after},
    )  # fmt: skip
