"""Preparing a day: its figures are computed and kept, for another person to sign."""

from __future__ import annotations

from datetime import date

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Refused
from dashboard.treasury.days import readiness
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.days.services.opening import locked, said
from dashboard.treasury.vocabulary import DayState


def prepare(pool: str, currency: str, day: date, *, by: Actor) -> TreasuryDay:
    """Compute the figures of the version and hand it over to be signed.

    Raises Invalid, Forbidden, Conflict `alreadyPrepared`, `alreadySigned`, Refused `unknownDay`, `notReady` (the day
    has not ended, nothing is registered), `personNeeded`, and what computing refuses.
    """
    by.require(Permission.TREASURY_SIGN)
    if by.staff_id is None:
        raise Refused("Only a person prepares a day.", code="personNeeded")
    version = locked(pool, currency, day)
    if version.state == DayState.PREPARED:
        raise Conflict(
            f"{said(pool, currency, day)} is prepared already, by {version.prepared_by}.", code="alreadyPrepared",
            details={"version": version.version},
        )  # fmt: skip
    if version.state == DayState.SIGNED:
        raise Conflict(
            f"{said(pool, currency, day)} is signed, by {version.signed_by}. Reopen it to prepare it anew.",
            code="alreadySigned", details={"version": version.version},
        )  # fmt: skip
    missing = [f"{step.name}: {why}" for step in readiness.in_the_way_of_preparing(pool, currency, day)
               for why in step.blockers]  # fmt: skip
    if missing:
        raise Refused(" ".join(["Not prepared.", *missing]), code="notReady", details={"blockers": missing})
    version.state = DayState.PREPARED.value
    version.prepared_at = clock.now()
    version.prepared_by_id, version.prepared_by = by.staff_id, by.name
    session().flush()
    readiness.prepare(version, by)
    audit.record(
        "treasuryDay.prepared", by=by, object_type="treasury_day", object_id=version.id,
        before={"state": DayState.OPEN.value},
        after={"state": version.state, "pool": pool, "currency": currency, "day": day, "version": version.version},
    )  # fmt: skip
    return version
