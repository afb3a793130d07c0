"""Background work of matching."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.background.kinds import Kind
from dashboard.background.runner import Run
from dashboard.database import transaction
from dashboard.treasury.matching.services import runs
from dashboard.treasury.matching.vocabulary import MATCH


def match(run: Run) -> dict[str, Any]:
    """One run, in one transaction: half of it never stands. Progress is told beside it."""
    run_id = UUID(run.arguments["run"])
    with transaction():
        runs.begin(run_id)
        run.keep(done=0)

    def tell(place: int, of: int, done: int, total: int) -> None:
        run.say(done=done, total=total, checkpoint={"pass": place, "passes": of})

    with transaction():
        figures = runs.perform(run_id, by=run.by, tell=tell)
        run.keep(done=run.done)
    return figures


KINDS = (Kind(MATCH, "Match a bank account", match, stopped=runs.stopped),)
