"""Both banks told of a movement: its two legs are found in statements by reference, and it is settled."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.treasury.movements.models import OwnMovement
from dashboard.treasury.movements.queries import leg_sql
from dashboard.treasury.movements.vocabulary import MovementState

#: movements that one look takes up
MOST = 500
#: an import that says when it finished is seen by others no later than this
COMMITTED_WITHIN = timedelta(minutes=1)


_LOOK = sa.text(
    "SELECT m.id, coalesce(m.left_on, o.booking_date) AS left_on, coalesce(m.arrived_on, i.booking_date) AS arrived_on"
    " FROM own_movement m"
    f" LEFT JOIN LATERAL ({leg_sql('from', '-m.amount_minor')}) AS o ON true"
    f" LEFT JOIN LATERAL ({leg_sql('to', 'm.amount_minor')}) AS i ON true"
    # millions of lines are looked through once for an import, and not each time that somebody looks
    " WHERE m.state = 'sent' AND (m.looked_at IS NULL OR m.looked_at < ("
    "   SELECT max(s.finished_at) FROM statement_import s WHERE s.state = 'imported') + CAST(:grace AS interval))"
    " ORDER BY m.id LIMIT :most"
)


def look(*, by: Actor) -> dict[str, int]:
    """Look for statement legs of movements in transit. Gives how many legs were told, and how many are settled.

    Safe to run several times at once.
    """
    told = settled = 0
    moment = clock.now()
    for row in session().execute(_LOOK, {"most": MOST, "grace": COMMITTED_WITHIN}).all():
        movement = session().get(OwnMovement, row.id, with_for_update=True, populate_existing=True)
        if movement is None or movement.state != MovementState.SENT:
            continue
        before = (movement.left_on, movement.arrived_on)
        movement.looked_at = moment
        movement.left_on, movement.arrived_on = before[0] or row.left_on, before[1] or row.arrived_on
        if before == (movement.left_on, movement.arrived_on):
            session().flush()
            continue
        told += sum(old != new for old, new in zip(before, (movement.left_on, movement.arrived_on), strict=True))
        if movement.left_on is not None and movement.arrived_on is not None:
            movement.state, movement.ended_at = MovementState.SETTLED.value, clock.now()
            settled += 1
        session().flush()
        audit.record(
            "ownMovement.told", by=by, object_type="own_movement", object_id=movement.id,
            before={"left": before[0], "arrived": before[1]},
            after={"left": movement.left_on, "arrived": movement.arrived_on, "state": movement.state},
        )  # fmt: skip
    return {"told": told, "settled": settled}
