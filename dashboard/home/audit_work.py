"""Verification of the audit as background work, and here and now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.audit import heads, sealing, verifying
from dashboard.audit import services as audit
from dashboard.audit.models import AuditEvent
from dashboard.audit.verify_audit import Unreadable
from dashboard.audit.verifying import Outcome
from dashboard.background import services as background
from dashboard.background.kinds import Kind
from dashboard.background.models import BackgroundJob
from dashboard.background.runner import Run
from dashboard.clients.models import Client
from dashboard.database import session, transaction
from dashboard.errors import Refused

VERIFY = "audit.verify"

_instance: dict[str, Path] = {}


def install(instance_path: Path) -> None:
    """Where heads are kept. Called by app.py."""
    _instance["path"] = instance_path


def purged(clients: set[UUID]) -> set[UUID]:
    """Those whose data were deleted after their retention, with the event that says so: a date is soon written."""
    told = sa.exists().where(AuditEvent.client_id == Client.id, AuditEvent.action == "deletion.purged")
    query = sa.select(Client.id).where(Client.id.in_(clients), Client.purged_at.is_not(None), told)
    return set(session().scalars(query))


def ask(*, by: Actor) -> BackgroundJob:
    """Ask for a verification, in the caller's transaction; one that waits or runs is the answer."""
    return background.ask(VERIFY, {}, by=by, single=True)


def verify(*, by: Actor, keep: Callable[[int, int], None] | None = None) -> Outcome:
    """Seal what waits, verify the chain, and record that it was done and what came of it.

    Raises Refused where the file of kept heads cannot be read.
    """
    sealing.seal_all()
    try:
        known = heads.kept(_instance["path"])
    except Unreadable as problem:
        raise Refused(f"The file of kept heads cannot be read: {problem}.", code="headsUnreadable") from None
    outcome = verifying.verify(known, where=heads.place(_instance["path"]), keep=keep)
    with transaction():
        audit.record(
            "audit.verified", by=by, object_type="audit", object_id=None,
            after={"outcome": "broken" if outcome.broken else "whole", "sealed": outcome.sealed,
                   "head": outcome.head_hash, "position": outcome.broken["position"] if outcome.broken else None},
        )  # fmt: skip
    return outcome


def _work(run: Run) -> dict[str, Any]:
    def keep(done: int, total: int) -> None:
        run.keep(done=done, total=total)

    return verify(by=run.by, keep=keep).as_figures()


KINDS = (Kind(key=VERIFY, label="Verification of the audit", run=_work),)
