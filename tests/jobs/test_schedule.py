"""The scheduler: what runs when, that each entry runs, and that the process ends when it is told to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import queries
from dashboard.clients import services as clients
from dashboard.clients.profile import Document, IndividualProfile
from dashboard.database import session, transaction
from dashboard.jobs import clockwork, schedule
from dashboard.jobs.__main__ import database_ready
from dashboard.jobs.clockwork import Clock
from dashboard.jobs.times import Daily, Often
from dashboard.staff.models import SignInFailure, StaffSession
from tests.conftest import People, open_session
from tests.jobs.running import run

JOBS = {job.name: job for job in schedule.JOBS}


def test_the_table_says_what_runs_when(app: Flask) -> None:
    after, zone = datetime(2026, 3, 13, 8, 42, 30, tzinfo=UTC), ZoneInfo("Europe/Vilnius")
    due = {name: job.when.trigger(zone).get_next_fire_time(None, after) for name, job in JOBS.items()}
    # two hours from UTC, in March
    assert due == {
        "expire-approvals": datetime(2026, 3, 13, 8, 43, tzinfo=UTC),
        "warn-makers": datetime(2026, 3, 13, 8, 43, tzinfo=UTC),
        "expire-transfers": datetime(2026, 3, 13, 8, 43, tzinfo=UTC),
        "finish-incoming": datetime(2026, 3, 13, 8, 43, tzinfo=UTC),
        "watch-desk": datetime(2026, 3, 13, 8, 45, tzinfo=UTC),
        "load-rates": datetime(2026, 3, 13, 8, 45, tzinfo=UTC),
        "forget-exports": datetime(2026, 3, 13, 8, 50, tzinfo=UTC),
        "ask-sumsub": datetime(2026, 3, 13, 8, 43, tzinfo=UTC),
        "send-movements": datetime(2026, 3, 13, 8, 43, tzinfo=UTC),
        "import-statements": datetime(2026, 3, 13, 8, 43, tzinfo=UTC),
        "match-statements": datetime(2026, 3, 13, 8, 50, tzinfo=UTC),
        "treasury-positions": datetime(2026, 3, 13, 8, 45, tzinfo=UTC),
        "seal-audit": datetime(2026, 3, 13, 8, 43, tzinfo=UTC),
        "sweep": datetime(2026, 3, 13, 9, 7, tzinfo=UTC),
        "sweep-documents": datetime(2026, 3, 13, 9, 37, tzinfo=UTC),
        "end-of-day": datetime(2026, 3, 13, 22, 10, tzinfo=UTC),
        "check-documents": datetime(2026, 3, 13, 22, 25, tzinfo=UTC),
        "keep-audit-head": datetime(2026, 3, 13, 22, 40, tzinfo=UTC),
        "check-balances": datetime(2026, 3, 13, 23, 40, tzinfo=UTC),
        "forget-runs": datetime(2026, 3, 14, 2, 5, tzinfo=UTC),
        "purge-clients": datetime(2026, 3, 14, 2, 20, tzinfo=UTC),
        "compare-sumsub": datetime(2026, 3, 14, 2, 30, tzinfo=UTC),
        "check-clients": datetime(2026, 3, 14, 3, 10, tzinfo=UTC),
        "review-clients": datetime(2026, 3, 14, 3, 40, tzinfo=UTC),
        # a Friday; the next business day is a Monday
        "daily-checks": datetime(2026, 3, 16, 6, 45, tzinfo=UTC),
    }


def test_no_daily_job_lies_in_an_hour_that_a_clock_change_skips_or_doubles() -> None:
    for job in JOBS.values():
        if isinstance(job.when, Daily):
            assert not 2 <= job.when.at.hour < 4, job.name


def test_each_job_is_woken_and_no_thread_runs_it_beside_itself(app: Flask) -> None:
    scheduler = Clock(app).scheduler()
    scheduler.start(paused=True)
    try:
        jobs = scheduler.get_jobs()
        assert {job.id for job in jobs} == set(JOBS)
        # however late it is woken, it looks at what is due
        assert {(job.max_instances, job.coalesce, job.misfire_grace_time) for job in jobs} == {(1, True, None)}
    finally:
        scheduler.shutdown()


@pytest.mark.parametrize("name", JOBS)
def test_each_job_runs_in_a_house_without_clients(committed_in_file: Flask, name: str) -> None:
    assert run(JOBS[name], committed_in_file)


def test_requests_whose_time_is_over_are_closed(committed: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    officer = People().actor(Role.OFFICER)
    with transaction():
        client = clients.create(IndividualProfile(first_name="A", last_name="B", risk_level=1), by=officer)
        asked = clients.ask_to_activate(client.id, reason="papers seen", by=officer)
    monkeypatch.setattr(clock, "now", lambda: asked.expires_at)
    assert run(JOBS["expire-approvals"], committed)
    state = sa.select(ApprovalRequest.state).where(ApprovalRequest.id == asked.id)
    assert session().scalar(state) == "expired"


def test_the_sweep_ends_what_is_over_and_leaves_what_is_not(committed: Flask) -> None:
    member = People().member(Role.OFFICER)
    moment = clock.now()
    for _ in range(3):
        open_session(committed, member)
    with transaction():
        fresh, idle, old = session().scalars(sa.select(StaffSession).order_by(StaffSession.id)).all()
        idle.seen_at = moment - timedelta(minutes=31)
        old.created_at = moment - timedelta(hours=12, minutes=1)
        for key, since in (("old", timedelta(hours=2)), ("new", timedelta(minutes=5))):
            session().add(SignInFailure(email_hash=key, failures=1, last_failure_at=moment - since, locked_until=None))
        session().execute(
            sa.text(
                "INSERT INTO rate_limit (key, hits, expires_at) VALUES ('old', 1, now() - interval '1 second'),"
                " ('new', 1, now() + interval '1 minute')"
            )
        )
    assert run(JOBS["sweep"], committed)
    session().expire_all()
    assert (fresh.ended_at, idle.ended_at is None, old.ended_at is None) == (None, False, False)
    assert list(session().scalars(sa.select(SignInFailure.email_hash))) == ["new"]
    assert list(session().scalars(sa.text("SELECT key FROM rate_limit"))) == ["new"]


def test_a_document_that_expired_over_night_is_flagged(committed: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    today = clock.now().date()
    with transaction():
        client = clients.create(
            IndividualProfile(
                first_name="A", last_name="B", risk_level=1, birth_date=date(1980, 5, 5), residence_country="EE",
                document=Document(type="passport", number="K1", expiration_date=today + timedelta(days=1)),
            ),
            by=system(),
        )  # fmt: skip
    tomorrow = clock.now() + timedelta(days=2)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    assert run(JOBS["check-clients"], committed)
    assert [flag.code for flag in queries.flags_of(client.id)] == ["documentExpired"]


def test_a_job_that_fails_is_logged_without_its_words_and_ends_nothing(
    committed: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(clockwork.log, "error", lambda event, **words: logged.append((event, words)))

    def fail(_settings: object) -> dict[str, int]:
        with transaction():
            session().execute(sa.text("SELECT * FROM no_such_table"))
        return {}

    broken = schedule.Job("broken", Often("*"), fail, "Broken", "Fails.")
    assert not run(broken, committed)
    assert logged == [("job failed", {"job": "broken", "error": "ProgrammingError"})]
    assert run(JOBS["sweep"], committed)


def test_a_database_that_does_not_answer_is_waited_for(committed: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert database_ready(committed)
    monkeypatch.setattr("dashboard.jobs.__main__.schema_head", lambda: "9999")
    assert not database_ready(committed)
