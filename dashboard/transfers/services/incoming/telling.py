"""Receiving at the edge: in a transaction of its own, tried again where a race was lost, and what a provider says
against itself is remembered."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.database import transaction
from dashboard.ledger.moving import ParentTaken
from dashboard.transfers.models import IncomingRequest
from dashboard.transfers.providers.port import Credit
from dashboard.transfers.services.incoming import receiving

TRIES = 5
#: SQLSTATE of a deadlock and of a lock that was not given in time: the same again usually works
_BUSY = {"40P01", "40001", "55P03"}


def tell(credit: Credit, *, source: str, message_id: UUID | None, by: Actor) -> IncomingRequest:
    """As `receiving.receive`, committed. Raises Refused `providerNotFound`, `ownMovement`, Conflict
    `differentBody`."""
    for left in range(TRIES - 1, -1, -1):
        try:
            with transaction():
                return receiving.receive(credit, source=source, message_id=message_id, by=by)
        except receiving.DifferentBody as refusal:
            with transaction():
                receiving.contradicted(refusal, credit=credit, source=source, by=by)
            raise
        except ParentTaken:
            if not left:
                raise
        except sa.exc.OperationalError as error:
            if not left or getattr(error.orig, "sqlstate", None) not in _BUSY:
                raise
    raise AssertionError("unreachable")
