"""Above which amount a decision about unrecognized money takes two people."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.database import session
from dashboard.money import Money
from dashboard.transfers.models import DeskLimit


def limit_of(currency: str) -> Money | None:
    """The largest amount that one person decides; None where two always do."""
    found = session().scalar(sa.select(DeskLimit.two_people_above_minor).where(DeskLimit.currency == currency))
    return Money(found, currency) if found else None


def needs_two(currency: str, amount_minor: int) -> bool:
    """Whether two people decide about so much. A currency without a limit: always."""
    limit = limit_of(currency)
    return limit is None or amount_minor > limit.minor_units
