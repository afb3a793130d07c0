"""Finding candidates for one receipt."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.transfers.models import IncomingRequest, Transfer
from dashboard.transfers.suggestions.gathering import gather
from dashboard.transfers.suggestions.saying import Suggestions
from dashboard.transfers.suggestions.told import read_receipt
from dashboard.transfers.suggestions.weighing import weigh

_REQUEST = (
    sa.select(IncomingRequest)
    .where(
        IncomingRequest.transfer_id == sa.bindparam("transfer", type_=IncomingRequest.transfer_id.type),
        IncomingRequest.reversal.is_(False),
    )
    .order_by(IncomingRequest.id)
    .limit(1)
)


def request_of(transfer_id: UUID) -> IncomingRequest | None:
    """What the bank said when the money came."""
    return session().scalar(_REQUEST, {"transfer": transfer_id})


def candidates(transfer_id: UUID) -> Suggestions:
    """The three accounts that most speaks for. Raises NotFound `transferNotFound`."""
    transfer = session().get(Transfer, transfer_id)
    if transfer is None:
        raise NotFound("There is no such transfer.", code="transferNotFound")
    return candidates_of(transfer, request_of(transfer_id))


def candidates_of(transfer: Transfer, request: IncomingRequest | None) -> Suggestions:
    """The same for one that has been read, with what `request_of` gave."""
    told = read_receipt(transfer, request)
    best, looked_at = weigh(told, gather(told))
    return Suggestions(transfer.id, best, looked_at)
