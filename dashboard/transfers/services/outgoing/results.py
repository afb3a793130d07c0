"""What a provider says became of one of our instructions: said once or five times, early, late, in any order.

Nothing final is ever undone by a report. One that contradicts what is booked moves nothing and waits for a person.
"""

from __future__ import annotations

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.transfers.models import Submission, Transfer
from dashboard.transfers.providers.port import Outcome, Report
from dashboard.transfers.services import lifecycle
from dashboard.transfers.services.outgoing import booking, held, submitting
from dashboard.transfers.vocabulary import Kind, Status, SubmissionState

REFUSED_BY_BANK = "rejectedByProvider"
_UNDER_WAY = (Status.SUBMITTED, Status.UNKNOWN)

#: what may be said of a transfer that is no longer, or not yet, at the provider without contradicting it
_AGREES: dict[Outcome, frozenset[Status]] = {
    Outcome.ACCEPTED: frozenset({Status.COMPLETED, Status.RETURNED, Status.REJECTED}),
    Outcome.EXECUTED: frozenset({Status.COMPLETED, Status.RETURNED}),
    Outcome.REJECTED: frozenset({Status.REJECTED, Status.CANCELED}),
    Outcome.UNKNOWN: frozenset(Status),
    Outcome.NOT_FOUND: frozenset(
        {Status.AWAITING_CONFIRMATION, Status.CONFIRMED, Status.MANUAL_REVIEW, Status.CANCELED, Status.REJECTED}
    ),
}


def report(provider: str, told: Report, *, by: Actor) -> Transfer | None:
    """Apply what the provider told; gives the transfer, or None where it knows one that we do not."""
    found = session().scalar(
        sa.select(Transfer.id).where(
            Transfer.kind == Kind.OUTGOING.value,
            Transfer.end_to_end_id == told.end_to_end_id,
            Transfer.provider == provider,
        )
    )
    if found is None:
        return None
    transfer = lifecycle.locked(found, kind=Kind.OUTGOING)
    if transfer.status not in _UNDER_WAY:
        if transfer.status not in _AGREES[told.outcome]:
            _contradicts(transfer, told, by=by)
        return transfer
    line = submitting.locked_line(transfer.id)
    if submitting.certainly_not_sent(line) and told.outcome not in {Outcome.NOT_FOUND, Outcome.UNKNOWN}:
        # it waits for its next try, and the provider has it after all: what it says counts
        _keep(line, SubmissionState.SENT)
    if told.outcome is Outcome.EXECUTED:
        executed(transfer, provider_reference=told.provider_reference, by=by)
    elif told.outcome is Outcome.REJECTED:
        rejected(transfer, code=told.code or REFUSED_BY_BANK, reason=told.reason,
                 provider_reference=told.provider_reference, by=by)  # fmt: skip
    elif told.outcome is Outcome.ACCEPTED:
        _accepted(transfer, line, told, by=by)
    elif told.outcome is Outcome.UNKNOWN:
        submitting.nobody_knows(transfer, line, by=by)
    else:
        _not_found(transfer, line, told, by=by)
    return transfer


def executed(transfer: Transfer, *, provider_reference: str | None, by: Actor, code: str | None = None,
             reason: str | None = None, **fields: object) -> None:  # fmt: skip
    """The money has left: post it. The transfer is locked."""
    booking.post(transfer, by=by)
    submitting.settle(transfer)
    lifecycle.change_status(
        transfer, Status.COMPLETED, by=by, code=code, reason=reason, value_date=clock.calendar().today(),
        provider_reference=provider_reference or transfer.provider_reference, **fields,
    )  # fmt: skip
    held.left(transfer, by=by)
    if transfer.client_id is None:
        from dashboard.transfers.services.desk import returning

        returning.return_completed(transfer.id, by=by)


def rejected(transfer: Transfer, *, code: str, reason: str | None, provider_reference: str | None, by: Actor,
             **fields: object) -> None:  # fmt: skip
    """The bank refuses: what is held is the client's again. The transfer is locked."""
    booking.give_back(transfer, reason=reason or code, failed=True, by=by)
    submitting.settle(transfer)
    lifecycle.change_status(
        transfer, Status.REJECTED, by=by, code=code, reason=reason,
        provider_reference=provider_reference or transfer.provider_reference, **fields,
    )  # fmt: skip
    held.left(transfer, by=by)
    if transfer.client_id is None:
        from dashboard.transfers.services.desk import returning

        returning.return_failed(transfer.id, code=code, by=by)


def _keep(line: Submission | None, state: SubmissionState) -> None:
    if line is not None:
        line.state = state.value
        line.lease = line.lease_until = None
        line.sent_at = line.sent_at or clock.now()
        session().flush()


def _accepted(transfer: Transfer, line: Submission | None, told: Report, *, by: Actor) -> None:
    _keep(line, SubmissionState.SENT)
    if told.provider_reference and not transfer.provider_reference:
        transfer.provider_reference = told.provider_reference
    if transfer.status == Status.UNKNOWN:
        lifecycle.change_status(transfer, Status.SUBMITTED, by=by, code="accepted")
    session().flush()


def _not_found(transfer: Transfer, line: Submission | None, told: Report, *, by: Actor) -> None:
    """The provider says that it never got it, so it is safe to send again; unless it said before that it has it."""
    if line is None or line.sent_at is None or line.state == SubmissionState.SENDING:
        # it is about to be sent, or just now: what is said is about the time before
        return
    if transfer.provider_reference is not None:
        # it had said before that it has it: sending again could pay twice
        _contradicts(transfer, told, by=by)
        return
    if (told.at is None and line.state == SubmissionState.SENT) or (told.at is not None and told.at <= line.sent_at):
        return
    line.sent_at = None
    line.state = SubmissionState.WAITING.value
    line.lease = line.lease_until = None
    line.next_at = clock.now()
    session().flush()
    if transfer.status == Status.UNKNOWN:
        lifecycle.change_status(transfer, Status.SUBMITTED, by=by, code="providerHasNothing")


def _contradicts(transfer: Transfer, told: Report, *, by: Actor) -> None:
    """Nothing moves; a person looks. The same said again is one piece of work."""
    known = held.contradicted(transfer)
    held.put_in_queue(transfer, cause=held.CONTRADICTION)
    if known:
        return
    audit.record(
        "transfer.contradicted",
        by=by,
        object_type="transfer",
        object_id=transfer.id,
        client_id=transfer.client_id,
        before={"status": transfer.status},
        after={
            "told": told.outcome.value,
            **({"code": told.code} if told.code else {}),
            **({"providerReference": told.provider_reference} if told.provider_reference else {}),
        },
    )
