"""Evidence is sealed: no event of the audit waits longer for its place in the chain than it may."""

from __future__ import annotations

from dashboard.audit import sealing
from dashboard.database import transaction
from dashboard.treasury.checks.check import Answer, Check, Finding, Look


def run(look: Look) -> Answer:
    answer = Answer()
    with transaction():
        queue = sealing.queue()
        answer.looked = queue.events
        if queue.too_long:
            holder = sealing.holder()
            answer.add(
                Finding(
                    cause="unsealed", subject_type="audit", subject="The audit", path="/jobs/seal-audit",
                    says=f"{queue.events:,} events wait for their seal, the oldest for {queue.in_words}."
                    + (f" The {holder}." if holder else ""),
                    todo="End that process of the database, if it is no sealer."
                    if holder
                    else "See whether the job “Seal the audit” runs, on the page of jobs.",
                    found=queue.events,
                )
            )  # fmt: skip
        look.keep()
    return answer


CHECK = Check("auditSeals", "Seals of the audit", "No event of the audit waits longer for its seal than it may.", run)
