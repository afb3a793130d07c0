"""What runs when. Times are UTC; each job opens its own application context and transaction."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import partial
from uuid import UUID

import sqlalchemy as sa
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from flask import Flask

from dashboard.access import idempotency
from dashboard.access.actor import system
from dashboard.approvals import services as approvals
from dashboard.clients import services as clients
from dashboard.clients.calendar import calendar
from dashboard.clients.documents import queries as document_queries
from dashboard.clients.documents import services as documents
from dashboard.clients.documents.store import Store
from dashboard.clients.services import overdue
from dashboard.database import session, transaction
from dashboard.errors import DomainError
from dashboard.ledger.queries import days as business_days
from dashboard.ledger.services import checking
from dashboard.ledger.vocabulary import CheckScope
from dashboard.onboarding.pulling.services import asking, comparing
from dashboard.onboarding.sumsub.port import connecting
from dashboard.onboarding.sumsub.services import storing
from dashboard.settings import Settings
from dashboard.staff import services as staff
from dashboard.transfers.services.desk import warning
from dashboard.transfers.services.exchange import rates
from dashboard.transfers.services.incoming import receiving
from dashboard.transfers.services.outgoing import expiry
from dashboard.treasury.matching.services import runs as matching
from dashboard.treasury.movements import outbox as movement_outbox
from dashboard.treasury.movements import services as movements
from dashboard.web.logs import log

#: a job that was missed by more than this (the machine slept) waits for its next time
GRACE = timedelta(hours=6)
#: business days back that statements are matched for by themselves; older ones are run by hand
DAYS_MATCHED = 5
#: incoming requests that one run takes up
MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Job:
    """`run` does the work within an application context and gives figures for the log line, no personal data."""

    name: str
    when: BaseTrigger
    run: Callable[[Settings], dict[str, int]]


def expire_approvals(_settings: Settings) -> dict[str, int]:
    """Close requests whose business hours are over."""
    with transaction():
        return {"expired": approvals.expire_due()}


def expire_transfers(_settings: Settings) -> dict[str, int]:
    """Cancel outgoing transfers that nobody confirmed in time."""
    with transaction():
        return {"expired": expiry.expire_unconfirmed()}


def finish_incoming(_settings: Settings) -> dict[str, int]:
    """Take up incoming requests that a fault left as received, and finish reversals that the desk has carried out."""
    finished = 0
    for _ in range(MOST_AT_ONCE):
        with transaction():
            if not receiving.finish_waiting(by=system("incoming requests")):
                break
        finished += 1
    return {"finished": finished}


def sweep(settings: Settings) -> dict[str, int]:
    """End sessions that are over, forget old failed sign-ins, spent rate limits, old keys and refused webhooks."""
    with transaction():
        sessions, failures = staff.sweep(
            idle=timedelta(minutes=settings.session_idle_minutes), longest=timedelta(hours=settings.session_hours)
        )
        limits = session().execute(sa.text("DELETE FROM rate_limit WHERE expires_at <= now()"))
        keys = idempotency.sweep()
        refused = storing.forget_refused()
    gone = limits.rowcount  # type: ignore[attr-defined]
    return {"sessions": sessions, "failures": failures, "limits": gone, "keys": keys, "refused": refused}


def check_clients(_settings: Settings) -> dict[str, int]:
    """Raise and settle what the passing of a day brings, one client a transaction: nobody waits for the job."""
    by, today, edge = system("daily check"), calendar().today(), None
    looked = changed = 0
    while due := clients.due_for_refresh(today, after=edge):
        for client_id in due:
            with transaction():
                changed += clients.refresh(client_id, by=by)
        looked += len(due)
        edge = due[-1]
    return {"looked": looked, "changed": changed}


def purge_clients(_settings: Settings) -> dict[str, int]:
    """Delete personal data whose retention is over, where two people approved it."""
    return clients.purge_due(by=system("retention"), transaction=transaction)


def check_documents(settings: Settings) -> dict[str, int]:
    """Mark documents whose last day is over, one client a transaction, and remind of those that expire soon."""
    by, expired, looked, edge = system("expiry of documents"), 0, 0, None
    while due := document_queries.due_to_expire(calendar().today(), limit=MOST_AT_ONCE):
        before = expired
        for client_id, document_id in due:
            with transaction():
                expired += documents.expire(client_id, document_id, by=by)
        if expired == before:
            break
    while True:
        with transaction():
            part, edge = documents.remind(days_ahead=settings.document_reminder_days, after=edge)
        looked += part
        if edge is None:
            return {"expired": expired, "expiring": looked}


def sweep_documents(settings: Settings) -> dict[str, int]:
    """Remove files that no document names: what uploads that died, and purges that died, left in the folder."""
    return documents.sweep(Store(settings.instance_path))


def _each(find: Callable[[int], Sequence[UUID]], verb: Callable[[UUID], object], most: int) -> tuple[int, int]:
    """Run a verb on what `find` gives until it gives nothing new, at most so often, each in a transaction of its own;
    gives how many times it did something (not False) and how many failed. One client that fails keeps nobody else
    waiting."""
    done, told, failed = 0, 0, set[UUID]()
    while done < most:
        wanted = min(MOST_AT_ONCE, most - done) + len(failed)
        found = [one for one in find(wanted) if one not in failed]
        for client_id in found:
            try:
                with transaction():
                    told += verb(client_id) is not False
                done += 1
            except (DomainError, sa.exc.SQLAlchemyError) as error:
                failed.add(client_id)
                log.error("client left out", job="review-clients", error=type(error).__name__)
        if not found:
            break
    return told, len(failed)


def review_clients(_settings: Settings) -> dict[str, int]:
    """Plan reviews, put those that come into the queue, raise late ones, and restrict what nobody reviewed; one client
    a transaction. A run that ends half-way is finished by the next one."""
    by, today = system("reviews"), calendar().today()
    planned = 0
    for set_based in (overdue.plan_missing, overdue.replan):
        while True:
            with transaction():
                done = set_based()
            planned += done
            if not done:
                break
    figures = {"planned": planned, "failed": 0}
    look, everybody = partial(overdue.look, by=by), sys.maxsize
    steps = (
        ("left", partial(overdue.to_leave, today), look, everybody),
        ("entered", partial(overdue.to_enter, today), look, overdue.room_today()),
        ("escalated", overdue.to_escalate, partial(overdue.escalate, by=by), everybody),
        ("restricted", overdue.to_restrict, partial(overdue.restrict, by=by), everybody),
    )
    for name, find, verb, most in steps:
        figures[name], failed = _each(find, verb, most)
        figures["failed"] += failed
    return figures


def check_balances(_settings: Settings) -> dict[str, int]:
    """Ask for a check of the accounts that money moved on since the last look."""
    with transaction():
        checking.ask_to_check(CheckScope.TOUCHED, by=system("nightly check"))
    return {}


def load_rates(settings: Settings) -> dict[str, int]:
    """Take the reference rates that lie in the folder `rates` of the data directory."""
    looked = rates.look(settings.instance_path / rates.FOLDER, by=system("reference rates"))
    return {"done": looked.done, "failed": looked.failed}


def watch_desk(_settings: Settings) -> dict[str, int]:
    """Raise what has waited for half of its time on the desk, and open again what was kept until today."""
    by = system("desk's clocks")
    with transaction():
        return {"warned": warning.warn_due(by=by), "reopened": warning.reopen_due(by=by)}


def send_movements(settings: Settings) -> dict[str, int]:
    """Let approved movements between own accounts leave, and look for their legs in statements."""
    figures = movement_outbox.send_due(settings, by=system("own movements"))
    with transaction():
        return figures | movements.look(by=system("own movements"))


def ask_sumsub(_settings: Settings) -> dict[str, int]:
    """Have Sumsub asked about applicants whose events may be lost, and about what waits for an answer."""
    with transaction():
        return asking.ask_due(by=system("Sumsub questions"))


def compare_sumsub(_settings: Settings) -> dict[str, int]:
    """Ask for the daily comparison of verification states; nothing where Sumsub's API is not connected."""
    if not connecting.connection().is_on:
        return {"connected": 0}
    with transaction():
        comparing.ask_to_compare(by=system("daily comparison"))
    return {"connected": 1}


def match_statements(_settings: Settings) -> dict[str, int]:
    """Ask for match runs where a statement of the last days came, or got lines since it was matched."""
    asked = 0
    for view in business_days.closed(limit=DAYS_MATCHED):
        with transaction():
            asked += matching.run_due(view.day, by=system("the scheduler"))
    return {"asked": asked}


JOBS = (
    Job("expire-approvals", CronTrigger(minute="*", timezone=UTC), expire_approvals),
    Job("expire-transfers", CronTrigger(minute="*", timezone=UTC), expire_transfers),
    Job("finish-incoming", CronTrigger(minute="*", timezone=UTC), finish_incoming),
    Job("sweep", CronTrigger(minute=7, timezone=UTC), sweep),
    Job("load-rates", CronTrigger(minute="*/5", timezone=UTC), load_rates),
    Job("watch-desk", CronTrigger(minute="*/5", timezone=UTC), watch_desk),
    Job("sweep-documents", CronTrigger(minute=37, timezone=UTC), sweep_documents),
    Job("check-documents", CronTrigger(hour="0,3", minute=25, timezone=UTC), check_documents),
    Job("check-balances", CronTrigger(hour=1, minute=40, timezone=UTC), check_balances),
    Job("purge-clients", CronTrigger(hour=3, minute=20, timezone=UTC), purge_clients),
    Job("send-movements", CronTrigger(second="*/10", timezone=UTC), send_movements),
    Job("ask-sumsub", CronTrigger(minute="*", timezone=UTC), ask_sumsub),
    Job("compare-sumsub", CronTrigger(hour=3, minute=20, timezone=UTC), compare_sumsub),
    Job("match-statements", CronTrigger(minute="*/10", timezone=UTC), match_statements),
    Job("check-clients", CronTrigger(hour=4, minute=10, timezone=UTC), check_clients),
    Job("review-clients", CronTrigger(hour=4, minute=40, timezone=UTC), review_clients),
)


def run(job: Job, app: Flask) -> bool:
    """Run a job once; gives whether it went well. A failure is logged and ends nothing else."""
    started = time.perf_counter()
    with app.app_context():
        try:
            figures = job.run(app.extensions["countinghouse.settings"])
        except Exception as error:
            # the type, not the message: it may hold what somebody typed
            log.error("job failed", job=job.name, error=type(error).__name__)
            return False
    log.info("job", job=job.name, ms=round((time.perf_counter() - started) * 1000, 1), **figures)
    return True


def scheduler_for(app: Flask) -> BackgroundScheduler:
    """The scheduler with every job of the table, not started yet."""
    scheduler = BackgroundScheduler(
        timezone=UTC,
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": int(GRACE.total_seconds())},
    )
    for job in JOBS:
        scheduler.add_job(run, job.when, args=(job, app), id=job.name, name=job.name)
    return scheduler
