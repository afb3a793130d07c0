"""The page of jobs: next, last, log, run now, pause and resume; running work with progress and cancel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.background import services as background
from dashboard.background.models import BackgroundJob
from dashboard.database import new_id, session, transaction
from dashboard.jobs import queries, services
from dashboard.jobs.clockwork import Clock
from dashboard.jobs.models import JobRun, JobSetting
from dashboard.jobs.schedule import JOBS
from dashboard.ledger.services import checking
from dashboard.ledger.vocabulary import CheckScope

SignedIn = Callable[..., FlaskClient]
JOB = "load-rates"


@pytest.fixture
def admin(app: Flask, signed_in: SignedIn) -> FlaskClient:
    return signed_in(Role.ADMIN)


@pytest.fixture
def scheduler(app: Flask) -> Clock:
    one = Clock(app)
    one.know()
    return one


def page(browser: FlaskClient, path: str = "/jobs", status: int = 200) -> str:
    answer = browser.get(path)
    assert answer.status_code == status, answer.status
    return answer.get_data(as_text=True)


def run_by_hand(admin: FlaskClient, scheduler: Clock) -> UUID:
    assert admin.post(f"/jobs/{JOB}/run").status_code == 303
    claimed = scheduler.take_waiting()
    assert claimed is not None
    scheduler.carry_out(claimed)
    return claimed.run_id


def test_before_a_scheduler_was_there_the_page_says_so(admin: FlaskClient) -> None:
    shown = page(admin)
    assert "No scheduler has started yet." in shown
    assert "Nothing runs in the background." in shown
    refused = admin.post(f"/jobs/{JOB}/run", follow_redirects=True).get_data(as_text=True)
    assert "no scheduler has started yet" in refused


def test_every_job_is_listed_with_its_next_time_and_its_last_run(admin: FlaskClient, scheduler: Clock) -> None:
    run_by_hand(admin, scheduler)
    shown = page(admin)
    for job in JOBS:
        assert job.label in shown and str(escape(job.about)) in shown and job.when.in_words in shown
    assert "Succeeded" in shown
    log = page(admin, f"/jobs/{JOB}")
    assert "done 0 · failed 0" in log and "you" in log
    assert "done 0 · failed 0" in page(admin, "/jobs/log")


def test_a_job_is_run_once_at_a_time(admin: FlaskClient, scheduler: Clock) -> None:
    admin.post(f"/jobs/{JOB}/run")
    again = admin.post(f"/jobs/{JOB}/run", follow_redirects=True).get_data(as_text=True)
    assert "runs or waits already" in again
    assert session().scalar(sa.select(sa.func.count()).select_from(JobRun)) == 1


def test_a_job_is_paused_with_a_reason_and_resumed(admin: FlaskClient, scheduler: Clock) -> None:
    dialog = f"/jobs/{JOB}/pause"
    assert "every 5 minutes" in page(admin, dialog)
    empty = admin.post(dialog, data={"reason": " "})
    assert empty.status_code == 422 and "Say why it is paused." in empty.get_data(as_text=True)
    assert queries.settings()[JOB].paused_at is None
    assert admin.post(dialog, data={"reason": "The source is wrong."}).status_code == 303
    assert "Paused" in page(admin) and "The source is wrong." in page(admin, f"/jobs/{JOB}")
    twice = admin.post(dialog, data={"reason": "again"})
    assert twice.status_code == 409 and "paused already" in twice.get_data(as_text=True)
    assert admin.post(f"/jobs/{JOB}/resume").status_code == 303
    assert queries.settings()[JOB].paused_at is None
    assert "is not paused" in admin.post(f"/jobs/{JOB}/resume", follow_redirects=True).get_data(as_text=True)


def test_what_was_missed_or_failed_is_told_and_can_be_filtered(
    admin: FlaskClient, scheduler: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_by_hand(admin, scheduler)
    with transaction():
        session().execute(sa.update(JobSetting).values(since=clock.now() - timedelta(hours=1)))
    assert scheduler.wake(JOB)
    shown = page(admin)
    assert "missed and caught up" in shown and "stands for 1" in shown
    trouble = page(admin, "/jobs/log?state=trouble")
    assert "missed times too" in trouble
    csv = admin.get("/jobs/log/export/csv?state=trouble").get_data(as_text=True)
    assert csv.count(JOB) == 1 and "State: Trouble" in csv
    assert admin.get(f"/jobs/log/export/xlsx?job={JOB}").status_code == 200
    assert "No run fits this filter." in page(admin, f"/jobs/{JOB}?state=failed")
    later = clock.now() + timedelta(minutes=10)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert "The clock stands still." in page(admin)


def test_work_of_every_kind_is_shown_with_progress_and_canceled(admin: FlaskClient, signed_in: SignedIn) -> None:
    with transaction():
        job = checking.ask_to_check(CheckScope.FULL, by=system("nightly check"))
        claimed = background.claim([checking.CHECK])
        assert claimed is not None
        background.report(claimed, done=640_000, total=1_000_000, checkpoint=None)
    shown = page(admin)
    assert "Balance check" in shown and "640,000 of 1,000,000" in shown and "nightly check" in shown
    reader = page(signed_in(Role.TREASURER))
    assert "640,000 of 1,000,000" in reader and f"cancel-{job.id}" not in reader
    assert "640,000 of 1,000,000" in page(admin, "/jobs/work")
    assert admin.post(f"/jobs/work/{job.id}/cancel").status_code == 303
    asked = session().scalar(sa.select(BackgroundJob.cancel_asked).where(BackgroundJob.id == job.id))
    assert asked is True
    assert "Stopping at the next step" in page(admin)
    with transaction():
        background.canceled(claimed)
    assert "Canceled" in page(admin)
    told = admin.post(f"/jobs/work/{job.id}/cancel", follow_redirects=True).get_data(as_text=True)
    assert "has ended already" in told


def test_wrong_addresses_are_told(admin: FlaskClient, scheduler: Clock) -> None:
    assert page(admin, "/jobs/nothing", 404)
    assert admin.post("/jobs/nothing/run").status_code == 404
    assert admin.post("/jobs/nothing/pause", data={"reason": "x"}).status_code == 404
    assert admin.post(f"/jobs/work/{new_id()}/cancel").status_code == 404
    assert page(admin, "/jobs/log?state=other", 422)
    assert "no longer valid" in page(admin, "/jobs/log?cursor=bad", 400)
    assert page(admin, "/jobs/log/export/pdf", 422)
    assert page(admin, "/jobs/log/export/csv?job=nothing", 404)


def test_who_may_see_and_who_may_act(signed_in: SignedIn, scheduler: Clock) -> None:
    for role in (Role.TREASURER, Role.AUDITOR):
        browser = signed_in(role)
        shown = page(browser)
        assert "Run now" not in shown and "Pause…" not in shown
        for path in (f"/jobs/{JOB}/run", f"/jobs/{JOB}/pause", f"/jobs/{JOB}/resume", f"/jobs/work/{new_id()}/cancel"):
            assert browser.post(path, data={"reason": "x"}).status_code == 403
    assert signed_in(Role.OFFICER).get("/jobs").status_code == 403
    assert session().scalar(sa.select(sa.func.count()).select_from(JobRun)) == 0
    assert services.LIVE == ("queued", "running")
