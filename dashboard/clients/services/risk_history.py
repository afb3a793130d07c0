"""The database writes each change of a risk into its history; here a verb says who did it and why."""

from __future__ import annotations

import json
from typing import Literal
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.database import session

Cause = Literal["created", "changed", "raised", "lowered", "review"]
#: read by the triggers `client_risk_is_told` and `client_risk_begins`; local to the transaction
_SETTING = "countinghouse.risk_change"


def say(client_id: UUID, *, cause: Cause, by: Actor, reason: str | None = None) -> None:
    """Before the change is written: it is said of this client's next change in this transaction."""
    said = {
        "client": str(client_id),
        "cause": cause,
        "kind": by.kind,
        "id": str(by.id) if by.id else None,
        "name": by.name,
        "reason": reason,
        "at": clock.now().isoformat(),
    }
    session().execute(sa.select(sa.func.set_config(_SETTING, json.dumps(said), True)))
