"""Sealing: what was committed gets a position in the chain. The database does it (`seal_audit`, docs/adr/0031)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from dashboard.audit.models import AuditSeal, audit_unsealed
from dashboard.audit.verify_audit import Head, moment
from dashboard.database import session, transaction
from dashboard.web.logs import log

#: events of one transaction of the sealer; the database takes up to 10,000
BATCH = 2_000

_limits = {"minutes": 15}


def install(minutes: int) -> None:
    """How long an event may wait for its seal. Called by app.py."""
    _limits["minutes"] = minutes


@dataclass(frozen=True)
class Holder:
    """Who keeps the sealer from its work: a process of the database server, and since when its transaction is open;
    None where the server does not say."""

    process: int
    since: datetime | None

    def __str__(self) -> str:
        said = f" since {moment(self.since)}" if self.since else ""
        return f"process {self.process} of the database server holds the lock of the sealer{said}"


@dataclass(frozen=True)
class Sealed:
    """What a sealer has done. `holder` says why it left off, where another one was at work."""

    events: int
    holder: Holder | None = None


def seal(*, most: int = BATCH) -> int:
    """Seal up to `most` events (1 to 10,000) in the caller's transaction; gives how many, -1 while another sealer is at
    work.

    An event is found by its row in the queue, whose transaction is the event's: one that commits late comes late.
    """
    return session().execute(sa.select(sa.func.seal_audit(most))).scalar_one()  # type: ignore[no-any-return]


def seal_what_waits() -> Sealed:
    """Seal everything that waits, each batch in a transaction of its own, so that a kill leaves whole batches. Where
    another sealer is at work, say who."""
    done = 0
    while True:
        with transaction():
            part = seal()
            stopped_by = holder() if part < 0 else None
        done += max(0, part)
        if part < 0:
            log.warning("audit not sealed", sealed=done, why=str(stopped_by or "another sealer was at work"))
            return Sealed(done, stopped_by)
        if part < BATCH:
            return Sealed(done)


def seal_all() -> int:
    """The same for who wants the number alone."""
    return seal_what_waits().events


def holder() -> Holder | None:
    """Who holds the lock of the sealer; None when nobody does any more."""
    found = (
        session()
        .execute(
            sa.text(
                "SELECT l.pid, a.xact_start FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
                " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_backend_pid()"
                " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                " AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended('audit_seal', 0)"
            )
        )
        .first()
    )
    return Holder(found.pid, found.xact_start) if found else None


def head() -> Head | None:
    """The last position and its hash; None while nothing is sealed."""
    found = (
        session()
        .execute(sa.select(AuditSeal.position, AuditSeal.hash, AuditSeal.sealed_at).order_by(AuditSeal.position.desc()))
        .first()
    )
    return Head(found.position, found.hash, moment(found.sealed_at)) if found else None


def waiting() -> int:
    """How many events wait for their seal."""
    return session().execute(sa.select(sa.func.count()).select_from(audit_unsealed)).scalar_one()


@dataclass(frozen=True)
class Waiting:
    """What waits for its seal. `oldest`: how long the first of it has waited; zero where nothing waits."""

    events: int
    oldest: timedelta

    @property
    def too_long(self) -> bool:
        """Whether sealing must have stopped: a job does it every minute."""
        return self.oldest > timedelta(minutes=_limits["minutes"])

    @property
    def in_words(self) -> str:
        """2 h 5 min; 45 min."""
        minutes = int(self.oldest.total_seconds() // 60)
        return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def queue() -> Waiting:
    """How much waits and for how long, by the clock of the database."""
    age = sa.func.clock_timestamp() - sa.func.min(audit_unsealed.c.since)
    row = session().execute(sa.select(sa.func.count().label("events"), age.label("oldest")).select_from(audit_unsealed))
    found = row.one()
    return Waiting(found.events, max(found.oldest or timedelta(), timedelta()))
