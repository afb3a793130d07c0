"""The confirmation code of a transfer: what the message says is what the client signs."""

from __future__ import annotations

from uuid import UUID

from dashboard import clock
from dashboard.errors import Refused
from dashboard.ledger.services import one_time_passwords
from dashboard.ledger.services.one_time_passwords import Issued, Operation, Subject
from dashboard.money import Money
from dashboard.transfers.models import Transfer
from dashboard.transfers.services import lifecycle
from dashboard.transfers.vocabulary import Kind, Status


def subject_of(transfer: Transfer) -> Subject:
    """Amount, fee, recipient and the end of its account, in words."""
    fee = f" plus a fee of {Money(transfer.fee_minor, transfer.currency)}" if transfer.fee_minor else ""
    return Subject(
        id=transfer.id,
        title="Your code to confirm a transfer",
        deed=(
            f"send {Money(transfer.amount_minor, transfer.currency)}{fee} to {transfer.counterparty_name},"
            f" account ending in {(transfer.counterparty_account or '')[-4:]}"
        ),
        alone="this transfer",
    )


def require_waiting(transfer: Transfer) -> None:
    """Raises Refused `invalidState`, `confirmationExpired`."""
    lifecycle.require_status(transfer, Status.AWAITING_CONFIRMATION)
    if transfer.confirm_by is not None and transfer.confirm_by <= clock.now():
        raise Refused("The time to confirm this transfer is over. Make it anew.", code="confirmationExpired")


def to_confirm(transfer_id: UUID, *, client_id: UUID) -> Subject:
    """An own transfer as the subject of a code. Raises NotFound, Refused `invalidState`, `confirmationExpired`."""
    transfer = lifecycle.locked(transfer_id, kind=Kind.OUTGOING, client_id=client_id)
    require_waiting(transfer)
    return subject_of(transfer)


def issue(subject: Subject, *, client_id: UUID) -> Issued:
    """A fresh code; one sent before no longer counts. Raises Refused `noAddress`, TooManySends."""
    return one_time_passwords.issue(Operation.CONFIRM_TRANSFER, subject, owner_id=client_id)
