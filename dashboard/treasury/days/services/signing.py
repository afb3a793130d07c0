"""Signing a day: by another person than the one who prepared it, and only when nothing stands against it."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Forbidden, Refused
from dashboard.staff.models import StaffMember
from dashboard.treasury.days import readiness
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.days.services.opening import check, locked, said
from dashboard.treasury.vocabulary import DayState


def sign(pool: str, currency: str, day: date, *, by: Actor) -> TreasuryDay:
    """Sign the prepared version. What stands against it is looked at once more, after everybody who brings lines.

    Raises Invalid, Forbidden `ownPreparation`, `seniorNeeded`, Conflict `notPrepared`, `alreadySigned`, Refused
    `unknownDay`, `personNeeded`, `figuresChanged` (the books or the statements say something else by now), `notReady`
    with every blocker in `details`.
    """
    by.require(Permission.TREASURY_SIGN)
    if by.staff_id is None:
        raise Refused("Only a person signs a day.", code="personNeeded")
    check(pool, currency, day)
    version = locked(pool, currency, day)
    if version.state == DayState.SIGNED:
        raise Conflict(f"{said(pool, currency, day)} is signed already, by {version.signed_by}.", code="alreadySigned",
                       details={"version": version.version})  # fmt: skip
    if version.state != DayState.PREPARED:
        again = " It was reopened: prepare it anew." if version.version > 1 else " Prepare it first."
        raise Conflict(f"{said(pool, currency, day)} is not prepared.{again}", code="notPrepared",
                       details={"version": version.version})  # fmt: skip
    if version.prepared_by_id == by.staff_id:
        raise Forbidden("You prepared this day; another person signs it.", code="ownPreparation")
    if not by.senior and not _is_senior(version.prepared_by_id):
        raise Forbidden(
            f"Of who prepares and who signs one must be senior; neither {version.prepared_by} nor you are.",
            code="seniorNeeded",
        )
    changed = readiness.changed(version)
    if changed:
        raise Refused(
            " ".join(["Not signed: its figures have changed since it was prepared. Reopen it, and prepare it anew.",
                      *changed]),
            code="figuresChanged", details={"changed": changed, "version": version.version},
        )  # fmt: skip
    steps = [step for step in readiness.steps(pool, currency, day) if not step.done]
    if steps:
        said_so = [f"{step.name}: {why}" for step in steps for why in step.blockers]
        raise Refused(
            " ".join(["Not signed.", *said_so]), code="notReady",
            details={"blockers": said_so, "steps": [{"step": s.name, "blockers": s.blockers} for s in steps]},
        )  # fmt: skip
    version.state = DayState.SIGNED.value
    version.signed_at = clock.now()
    version.signed_by_id, version.signed_by = by.staff_id, by.name
    session().flush()
    readiness.signed(version, by)
    audit.record(
        "treasuryDay.signed", by=by, object_type="treasury_day", object_id=version.id,
        before={"state": DayState.PREPARED.value},
        after={"state": version.state, "pool": pool, "currency": currency, "day": day, "version": version.version},
    )  # fmt: skip
    return version


def _is_senior(staff_id: UUID | None) -> bool:
    """Whether the member's role is senior now."""
    role = session().scalar(sa.select(StaffMember.role).where(StaffMember.id == staff_id))
    return role is not None and ROLES[Role(role)].senior
