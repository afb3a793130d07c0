"""What keeps a treasury day from being signed, as matching sees it."""

from __future__ import annotations

from datetime import date

from dashboard.money import Money
from dashboard.treasury.matching.queries import break_rows, matches
from dashboard.treasury.matching.queries.points import equation, last_run, statement_for
from dashboard.treasury.matching.vocabulary import MatchState
from dashboard.treasury.register import queries as register


def blockers(pool: str, currency: str, day: date) -> list[str]:
    """Sentences, one for each thing to do first; empty when there is none. Accounts without a statement are told of by
    whoever looks after statements."""
    found = []
    for view in register.accounts(pool=pool, currency=currency, include_closed=True):
        if view.settlement_account_id is None or view.closed_by(day) or statement_for(view, day) is None:
            continue
        if register.not_a_reconciliation_day(view, day) is None and last_run(view.id, day) is None:
            found.append(f"{view.said}: ledger and statement have not been compared")
            continue
        stands = equation(view.id, day)
        if stands.unexplained_minor:
            carried = (
                f", of which {Money(stands.carried_minor, currency)} carried in from before the first statement"
                if stands.carried_minor and not stands.carried_accepted
                else ""
            )
            found.append(f"{view.said}: {Money(stands.unexplained_minor, currency)} unexplained{carried}")
        if stands.untold:
            rows = "row is" if stands.untold == 1 else "rows are"
            found.append(f"{view.said}: {stands.untold} {rows} not compared since the last run; run it again")
        waiting = matches.counted(view.id, MatchState.PROPOSED, day)
        if waiting:
            found.append(f"{view.said}: {waiting} proposal{'' if waiting == 1 else 's'} to decide")
    told = break_rows.of_pool(pool, currency, day)
    if told.without_owner:
        found.append(f"{told.without_owner} break{'' if told.without_owner == 1 else 's'} without owner")
    return found
