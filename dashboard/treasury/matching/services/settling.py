"""What a match does to the breaks of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.approvals import services as approvals
from dashboard.database import session
from dashboard.ledger.services import adjusting
from dashboard.treasury.matching.models import ReconBreak
from dashboard.treasury.matching.queries.bookings import waiting
from dashboard.treasury.matching.services.recording import close, goes_on, open_again
from dashboard.treasury.matching.vocabulary import ACCEPT, BreakState, Event, Resolution, Side

SETTLED = "The break was settled by a match meanwhile."


def settle(
    bank_account_id: UUID,
    lines: Sequence[UUID],
    transactions: Sequence[UUID],
    match_id: UUID,
    resolution: Resolution,
    *,
    by: Actor,
) -> None:
    """Resolve breaks all of whose rows are in the match; of a break with one row in it the other row goes on alone."""
    found = session().scalars(
        sa.select(ReconBreak)
        .where(
            ReconBreak.bank_account_id == bank_account_id,
            sa.or_(ReconBreak.line_id.in_(lines), ReconBreak.transaction_id.in_(transactions)),
            sa.or_(ReconBreak.state != BreakState.RESOLVED.value, ReconBreak.resolution == Resolution.ACCEPTED.value),
        )
        .order_by(ReconBreak.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for booked in waiting(bank_account_id, lines, transactions):
        approvals.close_as_stale(adjusting.ADJUST, booked.payment_id, reason=SETTLED)
    event = Event.BOOKED if resolution is Resolution.BOOKED else Event.MATCHED
    for one in found.all():
        if one.state == BreakState.RESOLVED:
            # what was accepted as it is has found its other side after all
            open_again(one, text="Its rows are being matched.", by=by)
        whole = (one.line_id is None or one.line_id in lines) and (
            one.transaction_id is None or one.transaction_id in transactions
        )
        if whole:
            close(one, resolution, event, match_id=match_id, by=by)
            approvals.close_as_stale(ACCEPT, one.id, reason=SETTLED)
        else:
            goes_on(one, side=Side.LEDGER if one.line_id in lines else Side.BANK, by=by)
