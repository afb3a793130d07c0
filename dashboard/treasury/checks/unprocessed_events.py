"""What providers told has been processed: no notification of money, and no event of another domain, lies about.

Other domains say what lies about with them through `learn`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session, transaction
from dashboard.transfers.models import IncomingRequest
from dashboard.treasury.checks import ages
from dashboard.treasury.checks.check import Answer, Check, Finding, Look


class Waiting(Protocol):
    """An event that came and was not processed. `path`: the page that shows it."""

    @property
    def id(self) -> UUID: ...
    @property
    def received_at(self) -> datetime: ...
    @property
    def path(self) -> str: ...


#: events received before a moment and not processed, oldest first
Source = Callable[[datetime], Sequence[Waiting]]

_sources: dict[str, Source] = {}


def learn(name: str, source: Source) -> None:
    """Events of another domain, by the name that people give them. Called once, by app.py; the same name again
    replaces it."""
    _sources[name] = source


def run(look: Look) -> Answer:
    answer = Answer()
    before = look.at - ages.event()
    table = IncomingRequest
    with transaction():
        rows = session().execute(
            sa.select(table.id, table.state, table.provider, table.created_at, table.failure_code)
            .where(sa.text("incoming_request.state IN ('received', 'failed')"))
            .order_by(table.id)
        )
        for row in rows:
            answer.looked += 1
            if row.state == "received" and row.created_at >= before:
                continue
            age = ages.in_words(row.created_at, look.at)
            failed = row.state == "failed"
            answer.add(
                Finding(
                    cause="failed" if failed else "unprocessed", subject_type="incomingRequest", subject_id=row.id,
                    subject=f"Notification {str(row.id)[:8]}", path=f"/transfers/requests?state={row.state}",
                    says=f"A notification of {row.provider}, {age} old, "
                    + (f"could not be processed ({row.failure_code})." if failed else "was not processed."),
                    todo="Put right what is wrong with it; the clock takes it up again."
                    if failed
                    else "See whether the job “Finish incoming money” runs, on the page of jobs.",
                )
            )  # fmt: skip
        for name, source in _sources.items():
            for event in source(before):
                answer.looked += 1
                answer.add(
                    Finding(
                        cause="unprocessed", subject_type="event", subject_id=event.id,
                        subject=f"Event {str(event.id)[:8]}", path=event.path,
                        says=f"One of the {name}, {ages.in_words(event.received_at, look.at)} old, was not processed.",
                        todo="Open it and process it again; the log of the scheduler says what stopped it.",
                    )
                )  # fmt: skip
        look.keep()
    return answer


CHECK = Check(
    "unprocessedEvents", "Webhooks and notifications", "Everything that providers told has been processed.", run
)
