"""The outbox: a line in the transaction that lets a transfer go, and what the worker says of it.

`Submission.sent_at` is set before the provider is called and taken back only when it certainly has nothing: as long as
it stands, nothing is sent again.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clients.models import Client
from dashboard.clients.services.lock import locked as locked_client
from dashboard.database import session
from dashboard.ledger.models import Account
from dashboard.transfers.models import Submission, Transfer
from dashboard.transfers.providers.port import Instruction
from dashboard.transfers.services import checks, lifecycle, providers
from dashboard.transfers.services.outgoing import held
from dashboard.transfers.services.sending import backoff
from dashboard.transfers.vocabulary import CheckOutcome, Kind, Status, SubmissionState, TransferType


def locked_line(transfer_id: UUID) -> Submission | None:
    """The outbox line, locked. The caller holds the transfer's lock."""
    return session().scalar(
        sa.select(Submission)
        .where(Submission.transfer_id == transfer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _put(line: Submission, state: SubmissionState, *, next_at: datetime | None = None) -> None:
    line.state = state.value
    line.lease = line.lease_until = None
    if next_at is not None:
        line.next_at = next_at
    session().flush()


def let_go(transfer: Transfer, *, by: Actor) -> None:
    """Put a confirmed transfer into the outbox, in the transaction that confirmed it."""
    lifecycle.require_status(transfer, Status.CONFIRMED)
    assert transfer.provider is not None  # set with the hold
    line, moment = locked_line(transfer.id), clock.now()
    if line is None:
        session().add(
            Submission(
                transfer_id=transfer.id,
                provider=transfer.provider,
                state=SubmissionState.WAITING.value,
                attempts=0,
                next_at=moment,
                created_at=moment,
            )
        )
        session().flush()
    else:
        line.sent_at = None
        _put(line, SubmissionState.WAITING, next_at=moment)


def certainly_not_sent(line: Submission | None) -> bool:
    """Whether the provider has nothing of it: the worker sets `sent_at` before it calls."""
    return line is None or line.sent_at is None


def stop(transfer: Transfer) -> bool:
    """Take a line back that has not left; gives whether it could be. The caller holds the transfer's lock."""
    line = locked_line(transfer.id)
    if not certainly_not_sent(line):
        return False
    if line is not None and line.state != SubmissionState.SETTLED:
        _put(line, SubmissionState.STOPPED)
    return True


def settle(transfer: Transfer) -> None:
    """The end is known: nothing is sent or asked any more."""
    line = locked_line(transfer.id)
    if line is not None:
        _put(line, SubmissionState.SETTLED)


def _blocked(transfer: Transfer) -> str | None:
    """The code of what stops the transfer now, kept as a round of its checks."""
    if transfer.client_id is None:
        return None
    findings = checks.look(transfer, locked_client(transfer.client_id), stage=checks.Stage.SUBMITTED)
    stopped = [finding for finding in findings if finding.outcome is not CheckOutcome.PASSED]
    if not stopped:
        return None
    checks.keep(transfer, findings)
    return stopped[0].code.value


def _instruction(transfer: Transfer) -> Instruction:
    account = session().get_one(Account, transfer.account_id)
    name = session().scalar(sa.select(Client.name).where(Client.id == transfer.client_id))
    number, returns = account.number, None
    if transfer.client_id is None:
        _, bank = providers.settlement(transfer.provider or "", transfer.currency)
        name, number = bank.name, bank.number
        if transfer.counterparty_account is None:
            returns = session().scalar(sa.select(Transfer.provider_reference).where(Transfer.id == transfer.related_id))
    return Instruction(
        transfer_id=transfer.id,
        end_to_end_id=transfer.end_to_end_id or "",
        type=TransferType(transfer.type or TransferType.SWIFT),
        currency=transfer.currency,
        amount_minor=transfer.amount_minor,
        debtor_name=name or "",
        debtor_account=number,
        creditor_name=transfer.counterparty_name or "",
        creditor_account=transfer.counterparty_account or "",
        creditor_bic=transfer.counterparty_bic,
        creditor_country=transfer.counterparty_country,
        remittance=transfer.remittance or "",
        requested_on=clock.calendar().today(),
        returns=returns,
    )


def about_to_send(transfer_id: UUID, *, by: Actor) -> Instruction | None:
    """The last look before a provider is called, to be committed before the call.

    None: it was stopped (canceled meanwhile, or held for a person because a block stands now), or the provider may
    have it already.
    """
    transfer = lifecycle.locked(transfer_id, kind=Kind.OUTGOING)
    line = locked_line(transfer_id)
    if line is None or not certainly_not_sent(line):
        return None
    if transfer.status not in {Status.CONFIRMED, Status.SUBMITTED}:
        if line.state in {SubmissionState.WAITING, SubmissionState.SENDING}:
            _put(line, SubmissionState.STOPPED)
        return None
    if line.state not in {SubmissionState.WAITING, SubmissionState.SENDING}:
        return None
    code = _blocked(transfer)
    if code is not None:
        _put(line, SubmissionState.STOPPED)
        held.hold_back(transfer, code=code, by=by)
        return None
    line.sent_at = clock.now()
    line.attempts += 1
    session().flush()
    if transfer.status == Status.CONFIRMED:
        lifecycle.change_status(transfer, Status.SUBMITTED, by=by)
        held.left(transfer, by=by)
    return _instruction(transfer)


def lost(transfer_id: UUID, *, by: Actor) -> None:
    """The provider's answer to our call is lost: it is asked, and nothing is sent again before it says. Nothing happens
    where the provider has said something meanwhile."""
    transfer = lifecycle.locked(transfer_id, kind=Kind.OUTGOING)
    line = locked_line(transfer_id)
    if line is not None and line.state == SubmissionState.SENDING:
        nobody_knows(transfer, line, by=by)


def nobody_knows(transfer: Transfer, line: Submission | None, *, by: Actor) -> None:
    """Ask the provider again. Both are locked; nothing happens where the end is known, or nothing was sent."""
    if transfer.status != Status.SUBMITTED or line is None or certainly_not_sent(line):
        return
    _put(line, SubmissionState.UNKNOWN, next_at=clock.now() + backoff(line.attempts))
    lifecycle.change_status(transfer, Status.UNKNOWN, by=by, code="answerLost")


def not_sent(transfer_id: UUID, *, by: Actor) -> None:
    """The provider certainly has nothing: the line waits for its next try. Nothing happens where the end is known."""
    transfer = lifecycle.locked(transfer_id, kind=Kind.OUTGOING)
    line = locked_line(transfer_id)
    if transfer.status != Status.SUBMITTED or line is None or line.state != SubmissionState.SENDING:
        return
    line.sent_at = None
    _put(line, SubmissionState.WAITING, next_at=clock.now() + backoff(line.attempts))
