"""No request for approval waits longer than it may. What a request is about is not told: not everybody may know."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.approvals import kinds
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session, transaction
from dashboard.treasury.checks import ages
from dashboard.treasury.checks.check import Answer, Check, Finding, Look


def run(look: Look) -> Answer:
    answer = Answer()
    table = ApprovalRequest
    # of these even the number is a secret
    hidden = [kind.key for kind in kinds.registered() if kind.hidden]
    with transaction():
        rows = session().execute(
            sa.select(table.id, table.requested_at, table.expires_at)
            .where(table.state == "requested", table.kind.not_in(hidden))
            .order_by(table.requested_at, table.id)
        )
        for row in rows:
            answer.looked += 1
            expired = row.expires_at + ages.event() < look.at
            if not expired and not ages.too_old(row.requested_at, look.at):
                continue
            age = ages.in_words(row.requested_at, look.at)
            answer.add(
                Finding(
                    cause="notExpired" if expired else "undecided", subject_type="approval", subject_id=row.id,
                    subject=f"Request {str(row.id)[:8]}", path=f"/approvals/{row.id}",
                    says=f"It has waited for {age}"
                    + (", its time is over, and it was not closed." if expired else " without a decision."),
                    todo="See whether the job “Expire approvals” runs, on the page of jobs."
                    if expired
                    else "Somebody who may decide approves or rejects it.",
                )
            )  # fmt: skip
        look.keep()
    return answer


CHECK = Check("approvalsAge", "Requests for approval", "No request waits longer than it may for its decision.", run)
