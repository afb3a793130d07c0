"""No outgoing transfer waits too long: for its payer's confirmation code, or for the provider's answer."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dashboard.database import session, transaction
from dashboard.transfers.models import Transfer
from dashboard.treasury.checks import ages
from dashboard.treasury.checks.check import Answer, Check, Finding, Look, money


def run(look: Look) -> Answer:
    answer = Answer()
    table = Transfer
    with transaction():
        rows = session().execute(
            sa.select(
                table.id, table.status, table.currency, table.amount_minor, table.provider, table.confirm_by,
                table.submitted_at, table.created_at,
            )
            .where(
                table.kind == "outgoing",
                sa.text("transfer.status IN ('awaitingConfirmation', 'submitted', 'unknown')"),
            )
            .order_by(table.id)
        )  # fmt: skip
        for row in rows:
            answer.looked += 1
            if row.status == "awaitingConfirmation":
                # the clock cancels these every minute; it gets some of them before we complain
                if row.confirm_by is not None and row.confirm_by + ages.event() < look.at:
                    answer.add(
                        _finding(
                            row, cause="notExpired",
                            says=f"nobody confirmed it in time, and it was not canceled:"
                            f" {ages.in_words(row.confirm_by, look.at)} late.",
                            todo="See whether the job “Expire transfers” runs, on the page of jobs.",
                        )
                    )  # fmt: skip
                continue
            since = row.submitted_at or row.created_at
            if ages.too_old(since, look.at):
                answer.add(
                    _finding(
                        row, cause="unknown" if row.status == "unknown" else "noAnswer",
                        says=f"{row.provider or 'its provider'} was given it {ages.in_words(since, look.at)} ago and"
                        f" has not said what became of it{'; its answer was lost' if row.status == 'unknown' else ''}.",
                        todo="Ask the provider; with its answer, execute the transfer by hand, with a second person.",
                    )
                )  # fmt: skip
        look.keep()
    return answer


def _finding(row: Any, *, cause: str, says: str, todo: str) -> Finding:
    return Finding(
        cause=cause, currency=row.currency, subject_type="transfer", subject_id=row.id,
        subject=f"Transfer {str(row.id)[:8]}", found=row.amount_minor, path=f"/transfers/{row.id}",
        says=f"{money(row.amount_minor, row.currency)}: {says}", todo=todo,
    )  # fmt: skip


CHECK = Check(
    "unconfirmedTransfers", "Unconfirmed transfers",
    "No outgoing transfer waits longer than it may for a confirmation or for its provider.", run,
)  # fmt: skip
