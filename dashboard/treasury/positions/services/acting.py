"""Writing down what was done about a shortfall, an excess, or money that was not in a designated account in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import FieldError, Invalid, Refused
from dashboard.ledger.models import BusinessDay
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS
from dashboard.treasury.days import services as day_services
from dashboard.treasury.positions.models import PositionAction
from dashboard.treasury.positions.queries import standing
from dashboard.treasury.positions.vocabulary import ActionAbout, ActionKind
from dashboard.treasury.vocabulary import Pool

LONGEST = 1_000


def say(
    pool: str,
    currency: str,
    day: date,
    kind: str,
    *,
    says: str,
    amount_minor: int | None = None,
    about: str = ActionAbout.SHORTFALL.value,
    by: Actor,
) -> PositionAction:
    """Keep what was done about the version that counts, for good, and how large that was then.

    Raises Invalid, Forbidden, Refused `unknownDay`, `personNeeded`.
    """
    by.require(Permission.TREASURY_WRITE)
    if by.staff_id is None:
        raise Refused("Only a person says what was done.", code="personNeeded")
    text = " ".join(says.split())
    errors = []
    if pool not in set(Pool):
        errors.append(FieldError("pool", f"Choose one of {', '.join(Pool)}.", "enum"))
    if currency not in DECIMALS:
        errors.append(FieldError("currency", "This currency is not known here.", "enum"))
    if kind not in set(ActionKind):
        errors.append(FieldError("kind", "Choose what was done.", "enum"))
    elif kind != ActionKind.OTHER and amount_minor is None:
        errors.append(FieldError("amount", "Write the amount that was moved.", "required"))
    if about not in set(ActionAbout):
        errors.append(FieldError("about", f"Choose one of {', '.join(ActionAbout)}.", "enum"))
    if amount_minor is not None and not 0 < amount_minor <= LARGEST_MINOR_UNITS:
        errors.append(FieldError("amount", "The amount must be positive.", "range"))
    if not text:
        errors.append(FieldError("says", "Say what was done.", "required"))
    elif len(text) > LONGEST:
        errors.append(FieldError("says", f"Use at most {LONGEST} characters.", "tooLong"))
    if errors:
        raise Invalid(errors)
    if session().scalar(sa.select(BusinessDay.state).where(BusinessDay.day == day)) != "closed":
        raise Refused(f"{day.isoformat()} is no closed business day of this ledger.", code="unknownDay")
    version = day_services.ensure(pool, currency, day)
    figures = standing.one(pool, currency, day).figures
    answered = figures.late if about == ActionAbout.LATE else -(figures.excess or 0)
    action = PositionAction(
        id=new_id(), pool=pool, currency=currency, day=day, treasury_day_id=version.id, about=about,
        figure_minor=answered if answered and answered > 0 else None, kind=kind, amount_minor=amount_minor, says=text,
        at=clock.now(), by_id=by.staff_id, by_name=by.name,
    )  # fmt: skip
    session().add(action)
    session().flush()
    audit.record(
        "treasuryPosition.acted", by=by, object_type="position_action", object_id=action.id,
        after={"pool": pool, "currency": currency, "day": day, "version": version.version, "about": about,
               "figureMinor": action.figure_minor, "kind": kind, "amountMinor": amount_minor},
        reason=text,
    )  # fmt: skip
    return action


def actions(pool: str, currency: str, day: date) -> Sequence[PositionAction]:
    """What was done about the day, oldest first."""
    table = PositionAction
    return (
        session()
        .scalars(
            sa.select(table).where(table.pool == pool, table.currency == currency, table.day == day).order_by(table.id)
        )
        .all()
    )
