"""What runs when.

Each job opens transactions of its own, and may be run again when its scheduler was lost: what it does twice has the
effect of once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from functools import partial
from uuid import UUID

import sqlalchemy as sa

from dashboard import notifier
from dashboard.access import idempotency
from dashboard.access.actor import system
from dashboard.approvals import services as approvals
from dashboard.audit import heads, sealing
from dashboard.clients import services as clients
from dashboard.clients.calendar import calendar
from dashboard.clients.documents import queries as document_queries
from dashboard.clients.documents import services as documents
from dashboard.clients.documents.store import Store
from dashboard.clients.services import overdue
from dashboard.database import session, transaction
from dashboard.errors import DomainError, Refused
from dashboard.exports import services as exports
from dashboard.exports import store as export_store
from dashboard.jobs import ending
from dashboard.jobs import services as runs
from dashboard.jobs.times import Daily, Often, When
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
from dashboard.treasury.checks.services import asking as checks
from dashboard.treasury.matching.services import runs as matching
from dashboard.treasury.movements import outbox as movement_outbox
from dashboard.treasury.movements import services as movements
from dashboard.treasury.positions import jobs as positions
from dashboard.treasury.statements import inbox
from dashboard.web.logs import log

#: business days back that statements are matched for by themselves; older ones are run by hand
DAYS_MATCHED = 5
#: incoming requests that one run takes up
MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Job:
    """`run` does the work within an application context and gives figures for the log, no personal data.

    `label` and `about` say to people what it is and what it does.
    """

    name: str
    when: When
    run: Callable[[Settings], dict[str, int]]
    label: str
    about: str


def expire_approvals(_settings: Settings) -> dict[str, int]:
    """Close requests whose business hours are over."""
    with transaction():
        return {"expired": approvals.expire_due()}


def warn_makers(settings: Settings) -> dict[str, int]:
    """Tell those who asked that their request expires within two business hours; mail goes while no lock is held."""
    zone, sent, nobody, failed = settings.zone, 0, 0, 0
    with transaction():
        found = [
            (one.id, approvals.word_to_maker(one, until=f"{one.expires_at.astimezone(zone):%a %d %b %Y %H:%M}"))
            for one in approvals.claim_words()
        ]
    for request_id, message in found:
        try:
            if message is not None:
                notifier.current().send(message)
        except notifier.NotifierNotConfigured:
            # Home says it; there is no other way to
            nobody += 1
        except notifier.DeliveryFailed as failure:
            failed += 1
            log.warning("word to a maker not sent", job="warn-makers", reason=failure.details.get("reason"))
            continue
        else:
            sent += message is not None
            nobody += message is None
        with transaction():
            approvals.told(request_id)
    return {"sent": sent, "nobody": nobody, "failed": failed}


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


def import_statements(settings: Settings) -> dict[str, int]:
    """Take in what banks laid into the folder `statements` of the data directory."""
    return inbox.look(settings.instance_path, by=system("statements"))


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
    # oldest first: what later days find stands on what earlier ones have
    for view in sorted(business_days.closed(limit=DAYS_MATCHED), key=lambda each: each.day):
        with transaction():
            asked += matching.run_due(view.day, by=system("the scheduler"))
    return {"asked": asked}


def end_days(settings: Settings) -> dict[str, int]:
    """End the business days that are over and write their snapshots; a snapshot that a lost run left out is written.

    Nothing where people end the day themselves (`END_OF_DAY_AT=off`), except for missing snapshots of closed days.
    """
    by, ended = system("end of day"), 0
    if settings.end_of_day_at is not None:
        while (day := ending.over(settings.end_of_day_at)) is not None:
            ended += ending.end(day, by=by)
    return {"ended": ended, "snapshots": ending.write_missing(by=by)}


def run_checks(_settings: Settings) -> dict[str, int]:
    """Ask for the daily checks of the last business day that has ended; nothing before the first one has."""
    with transaction():
        try:
            checks.ask(by=system("daily checks"))
        except Refused as refusal:
            if refusal.code != "noClosedDay":
                raise
            return {"asked": 0}
    return {"asked": 1}


def work_out_positions(_settings: Settings) -> dict[str, int]:
    """Ask for the positions of a business day where they are missing or something they are made of has changed."""
    with transaction():
        return positions.ask_due(by=system("positions"))


def seal_audit(_settings: Settings) -> dict[str, int]:
    """Seal what was committed since the last time; another sealer at work is left to it, and named."""
    done = sealing.seal_what_waits()
    return {"sealed": done.events, **({"held_by_process": done.holder.process} if done.holder else {})}


def keep_audit_head(settings: Settings) -> dict[str, int]:
    """Write the end of the chain to where the database does not reach."""
    sealed = sealing.seal_all()
    with transaction():
        head = sealing.head()
        if head is None:
            return {"sealed": 0}
        kept = heads.keep(settings.instance_path, head, by=system("keep-audit-head"))
    return {"sealed": sealed, "position": kept.position}


def forget_runs(_settings: Settings) -> dict[str, int]:
    """Remove old runs of the clock."""
    with transaction():
        return {"removed": runs.forget_old()}


def forget_exports(_settings: Settings) -> dict[str, int]:
    """Remove exports that have been there for a day, with their files, and files that nobody knows."""
    with transaction():
        gone = exports.forget()
    # after the rows: nobody is sent to a file that is not there any more
    for name in gone:
        export_store.remove(name)
    with transaction():
        swept = exports.sweep()
    return {"removed": len(gone), "swept": swept}


def _at(hour: int, minute: int) -> Daily:
    return Daily(time(hour, minute))


#: daily times are of the institution's zone
JOBS = (
    Job("expire-approvals", Often("*"), expire_approvals,
        "Expire approvals", "Closes requests whose business hours are over."),
    Job("warn-makers", Often("*"), warn_makers,
        "Tell makers", "Tells people that what they asked for expires within two business hours."),
    Job("expire-transfers", Often("*"), expire_transfers,
        "Expire transfers", "Cancels outgoing transfers that nobody confirmed in time."),
    Job("finish-incoming", Often("*"), finish_incoming,
        "Finish incoming money", "Takes up notifications of providers that a fault left unprocessed."),
    Job("seal-audit", Often("*"), seal_audit,
        "Seal the audit", "Gives each event of the audit its place in the chain."),
    Job("sweep", Often("7"), sweep,
        "Sweep", "Ends sessions that are over; forgets spent limits, old keys and refused webhooks."),
    Job("load-rates", Often("*/5"), load_rates,
        "Load rates", "Takes reference rates from the folder of the data directory."),
    Job("import-statements", Often("*"), import_statements,
        "Import statements", "Takes in what banks laid into the folder of statements."),
    Job("match-statements", Often("*/10"), match_statements,
        "Match statements", "Runs the rules of matching where statements of the last days came or got lines."),
    Job("watch-desk", Often("*/5"), watch_desk,
        "Watch the desk", "Warns of unrecognized money that waits too long; opens again what was kept until today."),
    Job("sweep-documents", Often("37"), sweep_documents,
        "Sweep documents", "Removes files that no document names."),
    Job("forget-exports", Often("*/10"), forget_exports,
        "Forget exports", "Removes exported files that were kept for a day."),
    Job("send-movements", Often("*"), send_movements,
        "Send own movements", "Writes files of approved movements between own accounts."),
    Job("treasury-positions", Often("*/5"), work_out_positions,
        "Work out positions", "Adds up what clients are owed, and works out the positions of days that are open."),
    Job("ask-sumsub", Often("*"), ask_sumsub,
        "Ask Sumsub", "Asks about applicants whose events may be lost."),
    Job("end-of-day", _at(0, 10), end_days,
        "End of day", "Ends the business day that is over and writes its snapshot."),
    Job("check-documents", _at(0, 25), check_documents,
        "Check documents", "Marks documents that have expired, and reminds of those that will."),
    Job("keep-audit-head", _at(0, 40), keep_audit_head,
        "Keep the head of the audit", "Writes the end of the chain outside the database, so that a cut is seen."),
    Job("check-balances", _at(1, 40), check_balances,
        "Check balances", "Compares the balances of accounts that moved with their transactions."),
    Job("forget-runs", _at(4, 5), forget_runs,
        "Forget old runs", "Removes old entries of this log."),
    Job("purge-clients", _at(4, 20), purge_clients,
        "Delete personal data", "Deletes what two people approved and whose retention is over."),
    Job("compare-sumsub", _at(4, 30), compare_sumsub,
        "Compare with Sumsub", "Compares every applicant's state with Sumsub's."),
    Job("check-clients", _at(5, 10), check_clients,
        "Check clients", "Raises and settles what the passing of a day brings."),
    Job("review-clients", _at(5, 40), review_clients,
        "Plan reviews", "Plans reviews, raises late ones, restricts whom nobody reviewed."),
    Job("daily-checks", Daily(time(8, 45), business_days=True), run_checks,
        "Daily checks", "Checks the business day that has ended: balances, holds, statements, ages."),
)  # fmt: skip
