"""The clock: each time of a job once, whoever asks; missed times, pauses, lost schedulers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.database import session, transaction
from dashboard.errors import Conflict, DomainError, Invalid, NotFound, Refused
from dashboard.jobs import queries, services
from dashboard.jobs.clockwork import THREADS, Clock
from dashboard.jobs.models import JobRun
from dashboard.jobs.queries import RunFilter
from dashboard.jobs.schedule import Job
from dashboard.jobs.services import Claimed, RunLost
from dashboard.jobs.times import Often, When
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember
from tests.conftest import People

NAME = "count"
START = datetime(2026, 3, 10, 12, 0, 30, tzinfo=UTC)


class Counting:
    """A job that counts its runs, and a clock that the test sets."""

    def __init__(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app = app
        self.now = START
        self.ran = 0
        self.error: Exception | None = None
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def job(self, when: When | None = None) -> Job:
        return Job(NAME, when or Often("*"), self.run, "Count", "Counts.")

    def run(self, _settings: object) -> dict[str, int]:
        self.ran += 1
        if self.error is not None:
            raise self.error
        return {"ran": self.ran}

    def scheduler(self, when: When | None = None) -> Clock:
        made = Clock(self.app, (self.job(when),))
        made.know()
        return made

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)


def forget_everything(app: Flask) -> None:
    """No job is known, and nothing has run. As who owns the tables: what has run is not forgotten otherwise."""
    settings = app.extensions["countinghouse.settings"]
    with psycopg.connect((settings.migration_database_url or "").replace("+psycopg", "")) as owner:
        owner.execute("TRUNCATE job_run, job_setting")


@pytest.fixture
def counting(committed_in_file: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    forget_everything(committed_in_file)
    yield Counting(committed_in_file, monkeypatch)


@pytest.fixture
def admin(committed_in_file: Flask) -> Actor:
    """One person for all tests of the file."""
    known = session().scalar(sa.select(StaffMember).where(StaffMember.role == Role.ADMIN.value))
    found = staff.actor_of(known) if known is not None else People().actor(Role.ADMIN)
    session().commit()
    return found


def runs() -> list[JobRun]:
    """Oldest first."""
    found = session().scalars(sa.select(JobRun).order_by(JobRun.id).execution_options(populate_existing=True)).all()
    session().commit()
    return list(found)


def lease_runs_out() -> None:
    with transaction():
        session().execute(
            sa.update(JobRun)
            .where(JobRun.state == "running")
            .values(lease_until=sa.text("clock_timestamp() - interval '1 second'"))
        )


def claim(counting: Counting, one: Clock) -> Claimed | None:
    with transaction():
        return services.claim_due(NAME, one.triggers[NAME], owner="test:1")


def test_a_time_that_has_come_is_run_once_and_written_down(counting: Counting) -> None:
    one = counting.scheduler()
    assert not one.wake(NAME), "nothing has come since the job is known"
    counting.later(seconds=30)
    assert one.wake(NAME)
    assert not one.wake(NAME)
    [run] = runs()
    assert (run.job, run.scheduled_at, run.state, run.figures) == (
        NAME,
        START.replace(minute=1, second=0),
        "succeeded",
        {"ran": 1},
    )
    assert (run.missed, run.attempts, run.by_hand, run.lease) == (0, 1, False, None)


def test_many_schedulers_that_wake_at_once_run_a_time_once(counting: Counting) -> None:
    clocks = [counting.scheduler() for _ in range(6)]
    for _ in range(5):
        counting.later(minutes=1)
        start, woken = threading.Barrier(len(clocks)), []

        def wake(one: Clock) -> None:
            start.wait(20)
            woken.append(one.wake(NAME))

        threads = [threading.Thread(target=wake, args=(one,)) for one in clocks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(woken) == 1
    assert counting.ran == 5
    assert len({run.scheduled_at for run in runs()}) == 5


def test_the_database_itself_refuses_a_second_run_for_one_time(counting: Counting) -> None:
    one = counting.scheduler()
    counting.later(minutes=1)
    one.wake(NAME)
    [run] = runs()
    with pytest.raises(sa.exc.IntegrityError, match="uq_job_run_time"), transaction():
        session().add(
            JobRun(
                job=NAME,
                scheduled_at=run.scheduled_at,
                state="succeeded",
                finished_at=counting.now,
                asked_by_kind="system",
                asked_by="test",
            )
        )


def test_what_has_ended_is_not_changed_any_more(counting: Counting) -> None:
    one = counting.scheduler()
    counting.later(minutes=1)
    one.wake(NAME)
    with pytest.raises(sa.exc.IntegrityError, match="as it ended"), transaction():
        session().execute(sa.update(JobRun).values(failure="never"))


def test_times_that_nobody_ran_are_caught_up_once_and_told(counting: Counting) -> None:
    one = counting.scheduler()
    counting.later(hours=5)
    assert one.wake(NAME)
    [run] = runs()
    assert (run.missed, run.scheduled_at) == (299, counting.now.replace(second=0))
    assert counting.ran == 1
    assert queries.trouble().missed == 299
    session().commit()
    assert [one.missed for one in queries.runs(RunFilter(trouble=True), limit=5)] == [299]
    session().commit()
    # and that was all
    assert not one.wake(NAME)


def test_a_job_that_is_new_has_missed_nothing(counting: Counting) -> None:
    counting.scheduler()
    counting.later(days=3)
    # a second scheduler that starts does not forget since when the job is there
    one = counting.scheduler()
    assert one.wake(NAME)
    assert runs()[0].missed == 3 * 24 * 60 - 1


def test_a_paused_job_waits_and_what_passed_meanwhile_is_not_caught_up(counting: Counting, admin: Actor) -> None:
    one = counting.scheduler()
    with transaction():
        services.pause(NAME, because="The bank is away.", by=admin)
    counting.later(hours=2)
    assert not one.wake(NAME)
    setting = queries.settings()[NAME]
    assert (setting.paused_because, setting.paused_by) == ("The bank is away.", admin.name)
    with transaction():
        services.resume(NAME, by=admin)
    assert not one.wake(NAME)
    counting.later(minutes=1)
    assert one.wake(NAME)
    [run] = runs()
    assert run.missed == 0


def test_pausing_says_why_and_happens_once(counting: Counting, admin: Actor) -> None:
    with pytest.raises(NotFound), transaction():
        services.pause("nothing", because="x", by=admin)
    counting.scheduler()
    for because in ("", "   "):
        with pytest.raises(Invalid), transaction():
            services.pause(NAME, because=because, by=admin)
    with pytest.raises(Invalid), transaction():
        services.pause(NAME, because="x" * 501, by=admin)
    with pytest.raises(Conflict), transaction():
        services.resume(NAME, by=admin)
    with transaction():
        services.pause(NAME, because="away", by=admin)
    with pytest.raises(Conflict), transaction():
        services.pause(NAME, because="away again", by=admin)


def test_a_run_by_hand_waits_for_a_scheduler_also_while_the_job_is_paused(counting: Counting, admin: Actor) -> None:
    one = counting.scheduler()
    with transaction():
        services.pause(NAME, because="away", by=admin)
    with transaction():
        services.ask_now(NAME, by=admin)
    with pytest.raises(Conflict), transaction():
        services.ask_now(NAME, by=admin)
    claimed = one.take_waiting()
    assert claimed is not None
    assert one.take_waiting() is None
    one.carry_out(claimed)
    [run] = runs()
    assert (run.by_hand, run.state, run.asked_by, run.attempts) == (True, "succeeded", admin.name, 1)


def test_a_run_by_hand_takes_no_time_of_the_clock_away(counting: Counting) -> None:
    one = counting.scheduler()
    counting.later(seconds=20)
    with transaction():
        services.ask_now(NAME, by=system("test"))
    claimed = one.take_waiting()
    assert claimed is not None
    one.carry_out(claimed)
    counting.later(seconds=20)
    assert one.wake(NAME)
    assert counting.ran == 2


def test_a_job_never_runs_beside_itself(counting: Counting) -> None:
    one, other = counting.scheduler(), counting.scheduler()
    counting.later(minutes=1)
    claimed = claim(counting, one)
    assert claimed is not None
    counting.later(minutes=2)
    assert claim(counting, other) is None
    one.carry_out(claimed)
    # what came meanwhile is one run
    assert other.wake(NAME)
    assert [run.missed for run in runs()] == [0, 1]


def test_a_run_whose_scheduler_was_lost_is_taken_over_and_the_loser_writes_nothing(counting: Counting) -> None:
    one, other = counting.scheduler(), counting.scheduler()
    counting.later(minutes=1)
    lost = claim(counting, one)
    assert lost is not None
    assert other.take_waiting() is None, "its lease still stands"
    lease_runs_out()
    again = other.take_waiting()
    assert again is not None
    assert (again.run_id, again.attempt, again.lease != lost.lease) == (lost.run_id, 2, True)
    with pytest.raises(RunLost), transaction():
        services.finish(lost, figures={"late": 1})
    other.carry_out(again)
    [run] = runs()
    assert (run.state, run.attempts, run.figures, counting.ran) == ("succeeded", 2, {"ran": 1}, 1)
    assert [one.id for one in queries.runs(RunFilter(trouble=True), limit=5)] == [run.id]


def test_a_run_that_is_lost_as_often_as_allowed_is_told_as_lost(counting: Counting) -> None:
    one = counting.scheduler()
    counting.later(minutes=1)
    assert claim(counting, one) is not None
    for _ in range(services.MOST_ATTEMPTS - 1):
        lease_runs_out()
        assert one.take_waiting() is not None
    lease_runs_out()
    assert one.take_waiting() is None
    [run] = runs()
    assert (run.state, run.attempts, run.failure) == ("lost", services.MOST_ATTEMPTS, services.LOST)
    assert queries.trouble().failed == 1
    session().commit()
    counting.later(minutes=1)
    assert one.wake(NAME), "the next time comes all the same"


def test_the_heartbeat_keeps_a_long_run_alive(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = counting.scheduler(), counting.scheduler()
    counting.later(minutes=1)
    taken: list[Claimed | None] = []

    def long(_settings: object) -> dict[str, int]:
        lease_runs_out()
        one.keep_alive()
        taken.append(other.take_waiting())
        return {}

    claimed = claim(counting, one)
    assert claimed is not None
    one.jobs[NAME] = Job(NAME, Often("*"), long, "Count", "Counts.")
    one.carry_out(claimed)
    assert taken == [None]
    assert [run.state for run in runs()] == ["succeeded"]


def waiting(counting: Counting, number: int) -> tuple[Clock, threading.Event]:
    """A scheduler with so many jobs that are due, each of which waits for the event."""
    go = threading.Event()

    def wait(_settings: object) -> dict[str, int]:
        counting.ran += 1
        go.wait(20)
        return {}

    made = Clock(
        counting.app, tuple(Job(f"wait-{place}", Often("*"), wait, "Wait", "Waits.") for place in range(number))
    )
    made.know()
    counting.later(minutes=1)
    return made, go


def test_a_run_is_kept_alive_from_the_moment_it_is_taken(counting: Counting) -> None:
    one, other = counting.scheduler(), counting.scheduler()
    counting.later(minutes=1)
    claimed = one.take_due(NAME)
    assert claimed is not None
    # it waits for its thread
    lease_runs_out()
    one.keep_alive()
    assert other.take_waiting() is None
    one.carry_out(claimed)
    assert counting.ran == 1
    assert one._held == {}


def test_what_another_scheduler_has_taken_over_is_not_begun(counting: Counting) -> None:
    one, other = counting.scheduler(), counting.scheduler()
    counting.later(minutes=1)
    late = claim(counting, one)
    lease_runs_out()
    again = other.take_waiting()
    assert late is not None and again is not None
    one.carry_out(late)
    assert counting.ran == 0
    other.carry_out(again)
    assert (counting.ran, [run.attempts for run in runs()]) == (1, [2])


def test_no_more_is_taken_than_threads_are_free_for(counting: Counting) -> None:
    one, go = waiting(counting, THREADS + 2)
    pool = ThreadPoolExecutor(THREADS)
    try:
        assert not one.catch_up(pool)
        assert len(runs()) == THREADS
        one.take_up(pool)
        assert not one.catch_up(pool)
        assert len(runs()) == THREADS
    finally:
        go.set()
    until = time.monotonic() + 20
    while not one.catch_up(pool) and time.monotonic() < until:
        time.sleep(0.02)
    pool.shutdown(wait=True)
    assert [(run.state, run.attempts) for run in runs()] == [("succeeded", 1)] * (THREADS + 2)
    assert counting.ran == THREADS + 2


def test_a_clock_that_was_ahead_for_a_while_stops_no_job(counting: Counting, admin: Actor) -> None:
    one = counting.scheduler()
    counting.later(minutes=1)
    assert one.wake(NAME)
    right = counting.now
    counting.later(days=3)
    assert one.wake(NAME)
    # the moment from which its times count lies ahead too
    with transaction():
        services.pause(NAME, because="away", by=admin)
    with transaction():
        services.resume(NAME, by=admin)
    counting.now = right
    assert not one.wake(NAME), "the time of this minute was taken"
    for _ in range(3):
        counting.later(minutes=1)
        assert one.wake(NAME)
    assert counting.ran == 5


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refused("The day is busy.", code="dayBusy"), "The day is busy."),
        (ValueError("secret words"), "An unexpected error ended it (ValueError). The log of the scheduler says more."),
    ],
)
def test_a_failure_is_told_without_secrets_and_the_next_time_comes(
    counting: Counting, error: DomainError | ValueError, told: str
) -> None:
    one = counting.scheduler()
    counting.error = error
    counting.later(minutes=1)
    assert one.wake(NAME)
    [run] = runs()
    assert (run.state, run.failure) == ("failed", told)
    counting.error = None
    counting.later(minutes=1)
    assert one.wake(NAME)
    assert [run.state for run in runs()] == ["failed", "succeeded"]


def test_old_runs_are_forgotten_but_never_the_newest(counting: Counting) -> None:
    one = counting.scheduler()
    for _ in range(30):
        counting.later(minutes=1)
        one.wake(NAME)
    counting.later(days=1, hours=23)
    counting.error = ValueError()
    one.wake(NAME)
    counting.error = None
    counting.later(hours=2)
    for _ in range(21):
        counting.later(minutes=1)
        one.wake(NAME)
    with transaction():
        assert services.forget_old() == 30
    assert len(runs()) == 22
    counting.later(days=500)
    with transaction():
        assert services.forget_old() == 21
    [last] = runs()
    assert one.wake(NAME)
    assert runs()[-1].scheduled_at > last.scheduled_at


def test_a_clock_that_stands_still_is_told(counting: Counting) -> None:
    one = counting.scheduler()
    assert queries.trouble().silent_since is None
    session().commit()
    counting.later(minutes=1)
    one.wake(NAME)
    assert queries.trouble().silent_since is None
    session().commit()
    counting.later(minutes=6)
    assert queries.trouble().silent_since is not None
