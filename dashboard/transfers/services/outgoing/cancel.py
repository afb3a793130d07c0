"""Canceling a transfer. Once a provider may have it, canceling only asks for it back: the money stays held."""

from __future__ import annotations

from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.transfers.models import Transfer
from dashboard.transfers.queries.outgoing import RECALL, recall_requested_at
from dashboard.transfers.services import lifecycle
from dashboard.transfers.services.outgoing import booking, held, submitting
from dashboard.transfers.services.outgoing.review import checked_reason
from dashboard.transfers.vocabulary import Kind, Status

BY_CLIENT, BY_HOUSE = "canceledByClient", "canceledByInstitution"
_STOPPABLE = (Status.AWAITING_CONFIRMATION, Status.CONFIRMED, Status.MANUAL_REVIEW)
_AT_PROVIDER = (Status.SUBMITTED, Status.UNKNOWN)


def cancel(transfer_id: UUID, *, reason: str | None, client_id: UUID | None = None, by: Actor) -> Transfer:
    """Cancel and give back what is held, or note that it is asked back: then the status stays as it is.

    `client_id`: the client itself, who need not say why. Raises NotFound, Invalid (no reason), Refused `invalidState`.
    """
    why = checked_reason(reason) if client_id is None else (reason or "").strip() or None
    transfer = lifecycle.locked(transfer_id, kind=Kind.OUTGOING, client_id=client_id)
    lifecycle.require_status(transfer, *_STOPPABLE, *_AT_PROVIDER)
    code = BY_HOUSE if client_id is None else BY_CLIENT
    if not submitting.stop(transfer):
        _ask_back(transfer, reason=why, by=by)
        return transfer
    end(transfer, code=code, reason=why, by=by)
    if transfer.client_id is None:
        from dashboard.transfers.services.desk import returning

        returning.return_failed(transfer.id, code=code, by=by)
    return transfer


def end(transfer: Transfer, *, code: str, reason: str | None, by: Actor) -> None:
    """Cancel a locked transfer that has not left."""
    booking.give_back(transfer, reason=reason or code, by=by)
    lifecycle.change_status(transfer, Status.CANCELED, by=by, code=code, reason=reason)
    held.left(transfer, by=by)


def _ask_back(transfer: Transfer, *, reason: str | None, by: Actor) -> None:
    """The provider may still execute it; asking twice is asking once."""
    if recall_requested_at(transfer.id) is None:
        lifecycle.note(transfer, code=RECALL, reason=reason, by=by)
