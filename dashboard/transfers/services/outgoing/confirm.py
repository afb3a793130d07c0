"""Confirming a transfer: from here on its money is held."""

from __future__ import annotations

from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.clients.services.lock import locked as locked_client
from dashboard.database import savepoint
from dashboard.errors import DomainError, NotFound, Refused
from dashboard.ledger.services import one_time_passwords
from dashboard.ledger.services.one_time_passwords import Operation
from dashboard.transfers.models import Transfer
from dashboard.transfers.services import checks, lifecycle
from dashboard.transfers.services.outgoing import booking, codes, held, review
from dashboard.transfers.vocabulary import Kind, Status


def confirm(transfer_id: UUID, code: str, *, client_id: UUID, by: Actor) -> Transfer | DomainError:
    """One try with a code. Commit whatever this gives, then raise it if it is a refusal: the try counts.

    A refusal is `wrongCode`, `codeExpired`, `noTriesLeft`, or what the checks and the ledger refuse: then nothing is
    held, the transfer still waits, and the code stays good. Raises NotFound, Refused `invalidState`,
    `confirmationExpired`.
    """
    transfer = lifecycle.locked(transfer_id, kind=Kind.OUTGOING, client_id=client_id)
    codes.require_waiting(transfer)
    try:
        with savepoint():
            taken = one_time_passwords.take(Operation.CONFIRM_TRANSFER, transfer_id, code, owner_id=client_id, by=by)
            if not isinstance(taken, Refused):
                _proceed(transfer, by=by)
    except checks.ChecksRefused as refused:
        # the round is kept, so that people see what was asked
        checks.keep(transfer, refused.findings)
        return refused
    except (Refused, NotFound) as refused:
        return refused
    return taken if isinstance(taken, Refused) else transfer


def confirm_without_code(transfer: Transfer, *, by: Actor) -> None:
    """Confirm a transfer that a trusted system made. Raises Refused as the checks and the ledger say."""
    lifecycle.require_status(transfer, Status.AWAITING_CONFIRMATION)
    _proceed(transfer, by=by)


def _proceed(transfer: Transfer, *, by: Actor) -> None:
    assert transfer.client_id is not None  # only clients confirm
    client = locked_client(transfer.client_id)
    findings = checks.look(transfer, client, stage=checks.Stage.CONFIRMED)
    checks.require(findings)
    checks.keep(transfer, findings)
    booking.hold(transfer, by=by)
    lifecycle.change_status(transfer, Status.CONFIRMED, by=by)
    doubt = checks.to_review(findings)
    if doubt is not None:
        held.hold_back(transfer, code=doubt, by=by)
    else:
        review.go_on(transfer, by=by)
