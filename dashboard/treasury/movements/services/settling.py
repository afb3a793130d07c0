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


#: first key of the advisory lock: a line tells of one movement, so one looks after the other
_LOCK = 0x0A17
_DUE = sa.text(
    # millions of lines are looked through once for an import, and not each time that somebody looks
    "SELECT m.id FROM own_movement m"
    " WHERE m.state = 'sent' AND (m.looked_at IS NULL OR m.looked_at < ("
    "   SELECT max(s.finished_at) FROM statement_import s WHERE s.state = 'imported') + CAST(:grace AS interval))"
    " ORDER BY m.id LIMIT :most"
)
_LEGS = sa.text(
    "SELECT o.id AS left_line_id, o.booking_date AS left_on, i.id AS arrived_line_id, i.booking_date AS arrived_on"
    " FROM own_movement m"
    f" LEFT JOIN LATERAL ({leg_sql('from', '-m.amount_minor')}) AS o ON true"
    f" LEFT JOIN LATERAL ({leg_sql('to', 'm.amount_minor')}) AS i ON true"
    " WHERE m.id = :id"
)


def look(*, by: Actor) -> dict[str, int]:
    """Look for statement legs of movements in transit. Gives how many legs were told, and how many are settled.

    Safe to run several times at once. The oldest movement takes a line that would do for several.
    """
    told = settled = 0
    moment = clock.now()
    session().execute(sa.text("SELECT pg_advisory_xact_lock(:kind, 0)"), {"kind": _LOCK})
    for movement_id in session().scalars(_DUE, {"most": MOST, "grace": COMMITTED_WITHIN}).all():
        movement = session().get(OwnMovement, movement_id, with_for_update=True, populate_existing=True)
        if movement is None or movement.state != MovementState.SENT:
            continue
        legs = session().execute(_LEGS, {"id": movement_id}).one()
        before = (movement.left_on, movement.arrived_on)
        movement.looked_at = moment
        if movement.left_on is None:
            movement.left_on, movement.left_line_id = legs.left_on, legs.left_line_id
        if movement.arrived_on is None:
            movement.arrived_on, movement.arrived_line_id = legs.arrived_on, legs.arrived_line_id
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
