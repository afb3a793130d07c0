"""The business day: which one is open, and its end."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Refused
from dashboard.ledger.models import BusinessDay


def open_day() -> BusinessDay:
    """The open business day. Raises Refused `noBusinessDay` before the first was opened."""
    found = session().scalar(sa.select(BusinessDay).where(BusinessDay.state == "open"))
    if found is None:
        raise Refused("No business day is open yet.", code="noBusinessDay")
    return found


def open_first(day: date, *, by: Actor) -> BusinessDay:
    """Open the first business day of a new installation. Once there is one, gives the open one."""
    standing = session().scalar(sa.select(BusinessDay).where(BusinessDay.state == "open"))
    if standing is not None:
        return standing
    fresh = BusinessDay(day=day, state="open", opened_at=clock.now())
    session().add(fresh)
    session().flush()
    audit.record("business_day.opened", by=by, object_type="business_day", object_id=None, after={"day": day})
    return fresh
