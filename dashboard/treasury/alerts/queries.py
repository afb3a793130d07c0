"""Reading alerts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.treasury.alerts.models import TreasuryAlert


def get(alert_id: UUID) -> TreasuryAlert:
    """As it stands now. Raises NotFound."""
    found = session().get(TreasuryAlert, alert_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such alert.", code="alertNotFound")
    return found


def alerts(
    *,
    state: str = "open",
    currency: str | None = None,
    check_key: str | None = None,
    before: UUID | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> Sequence[TreasuryAlert]:
    """Newest first. `before`: those older than an alert; `after`: those newer than it."""
    table = TreasuryAlert
    query = (
        sa.select(table)
        .where(table.state == state)
        .order_by(table.id.asc() if after else table.id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if currency:
        query = query.where(table.currency == currency)
    if check_key:
        query = query.where(table.check_key == check_key)
    if before is not None:
        query = query.where(table.id < before)
    if after is not None:
        query = query.where(table.id > after)
    found = list(session().scalars(query))
    return found[::-1] if after else found


def count_open(*, currency: str | None = None) -> int:
    """Open alerts, of one currency or of all."""
    query = sa.select(sa.func.count()).select_from(TreasuryAlert).where(TreasuryAlert.state == "open")
    if currency:
        query = query.where(TreasuryAlert.currency == currency)
    return session().scalar(query) or 0
