"""Sealing: what was committed gets a position in the chain. The database does it (`seal_audit`, docs/adr/0031)."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.audit.models import AuditSeal, audit_unsealed
from dashboard.audit.verify_audit import Head, moment
from dashboard.database import session, transaction

#: events of one transaction of the sealer
BATCH = 2_000


def seal(*, most: int = BATCH) -> int:
    """Seal up to `most` events in the caller's transaction; gives how many, 0 also while another sealer is at work.

    An event is found by its row in the queue, whose transaction is the event's: one that commits late comes late.
    """
    sealed: int = session().execute(sa.select(sa.func.seal_audit(most))).scalar_one()
    return max(0, sealed)


def seal_all() -> int:
    """Seal everything that waits, each batch in a transaction of its own, so that a kill leaves whole batches."""
    done = 0
    while True:
        with transaction():
            part = seal()
        done += part
        # fewer than asked for is the end, or another sealer
        if part < BATCH:
            return done


def head() -> Head | None:
    """The last position and its hash; None while nothing is sealed."""
    found = (
        session()
        .execute(sa.select(AuditSeal.position, AuditSeal.hash, AuditSeal.sealed_at).order_by(AuditSeal.position.desc()))
        .first()
    )
    return Head(found.position, found.hash, moment(found.sealed_at)) if found else None


def waiting() -> int:
    """How many events wait for their seal."""
    return session().execute(sa.select(sa.func.count()).select_from(audit_unsealed)).scalar_one()
