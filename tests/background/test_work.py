"""Background work: asked once, run by one, kept alive, taken over, ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.audit.models import AuditEvent
from dashboard.background import kinds, queries, runner, services
from dashboard.background.kinds import Kind
from dashboard.background.models import BackgroundJob
from dashboard.background.runner import Run
from dashboard.background.services import Claim, LeaseLost
from dashboard.database import db, session, transaction
from dashboard.errors import Conflict, NotFound, Refused

KIND = "test.work"


@pytest.fixture
def does(committed: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`does(function)` makes the function what work of the kind does."""
    monkeypatch.setattr(kinds, "_kinds", {})
    monkeypatch.setattr(services, "PAUSE", services.PAUSE * 0)

    def register(run: Callable[[Run], dict[str, Any]], **options: Any) -> None:
        kinds.register(Kind(KIND, "Work of a test", run, **options))

    register(lambda run: {})
    yield register


def ask(**options: Any) -> UUID:
    with transaction():
        return services.ask(KIND, {"size": 3}, by=system("tester"), **options).id


def state(job_id: UUID) -> BackgroundJob:
    job = queries.get(job_id, kind=KIND)
    session().commit()
    return job


def claim() -> Claim | None:
    with transaction():
        return services.claim([KIND])


def lease_runs_out(job_id: UUID) -> None:
    with transaction():
        session().execute(
            sa.update(BackgroundJob)
            .where(BackgroundJob.id == job_id)
            .values(lease_until=sa.text("clock_timestamp() - interval '1 second'"))
        )


def run(app: Flask) -> bool:
    return runner.run_one(app, threading.Event())


def test_work_is_done_once_and_its_figures_are_kept(committed: Flask, does: Callable[..., None]) -> None:
    ran: list[dict[str, Any]] = []

    def work(run: Run) -> dict[str, Any]:
        ran.append(dict(run.arguments))
        assert (run.by.kind, run.by.name, run.by.permissions) == ("system", "tester", frozenset())
        with transaction():
            run.keep(done=1, total=3)
        return {"sum": 6}

    does(work)
    job_id = ask()
    assert state(job_id).state == "queued"
    assert run(committed)
    job = state(job_id)
    assert (job.state, job.result, job.done, job.total, job.attempts) == ("succeeded", {"sum": 6}, 3, 3, 1)
    assert ran == [{"size": 3}]
    assert not run(committed)


def test_single_work_asked_twice_is_the_same_until_it_has_ended(committed: Flask, does: Callable[..., None]) -> None:
    first = ask(single=True)
    assert ask(single=True) == first
    assert claim() is not None
    assert ask(single=True) == first
    lease_runs_out(first)
    assert run(committed)
    assert ask(single=True) != first


def test_single_work_asked_by_many_at_once_is_one(committed: Flask, does: Callable[..., None]) -> None:
    start, asked = threading.Barrier(8), []

    def one() -> None:
        with committed.app_context():
            start.wait(20)
            asked.append(ask(single=True))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 8 and len(set(asked)) == 1
    assert session().scalar(sa.select(sa.func.count()).select_from(BackgroundJob)) == 1


def test_work_that_may_run_beside_itself_is_asked_each_time(committed: Flask, does: Callable[..., None]) -> None:
    assert ask() != ask()


def test_two_runners_never_have_the_same_work(committed: Flask, does: Callable[..., None]) -> None:
    running: dict[UUID, int] = {}
    together: list[UUID] = []
    ended: list[UUID] = []
    guard = threading.Lock()

    def work(run: Run) -> dict[str, Any]:
        with guard:
            if run.job_id in running:
                together.append(run.job_id)
            running[run.job_id] = 1
        with transaction():
            run.keep(done=1)
        with guard:
            del running[run.job_id]
            ended.append(run.job_id)
        return {}

    does(work)
    asked = {ask() for _ in range(20)}
    start = threading.Barrier(4)

    def runs() -> None:
        start.wait(20)
        while run(committed):
            pass

    threads = [threading.Thread(target=runs) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together
    assert sorted(ended) == sorted(asked)


def test_a_running_lease_is_not_claimed_and_one_that_ran_out_is(committed: Flask, does: Callable[..., None]) -> None:
    job_id = ask()
    first = claim()
    assert first is not None and first.job_id == job_id
    assert claim() is None
    lease_runs_out(job_id)
    second = claim()
    assert second is not None and second.job_id == job_id
    assert (second.attempt, second.lease != first.lease) == (2, True)


def test_a_runner_whose_work_was_taken_over_writes_nothing_more(committed: Flask, does: Callable[..., None]) -> None:
    job_id = ask()
    first = claim()
    assert first is not None
    lease_runs_out(job_id)
    second = claim()
    assert second is not None
    late = Run(first, threading.Event())
    with pytest.raises(LeaseLost), transaction():
        session().execute(sa.text("INSERT INTO rate_limit (key, hits, expires_at) VALUES ('late', 1, now())"))
        late.keep(done=99)
    with pytest.raises(LeaseLost), transaction():
        session().execute(sa.text("INSERT INTO rate_limit (key, hits, expires_at) VALUES ('late', 1, now())"))
        services.hold(first)
    for ends in (
        lambda: services.succeed(first, {"late": True}),
        lambda: services.fail(first, "Late.", again=False),
        lambda: services.hand_back(first),
        lambda: services.canceled(first),
    ):
        with pytest.raises(LeaseLost), transaction():
            ends()
    with db.engine.begin() as connection:
        assert not services.beat(connection, first)
        assert services.beat(connection, second)
    assert session().scalar(sa.text("SELECT count(*) FROM rate_limit")) == 0
    job = state(job_id)
    assert (job.state, job.lease, job.done) == ("running", second.lease, 0)


def test_work_is_not_taken_over_between_its_last_look_at_the_lease_and_its_commit(
    committed: Flask, does: Callable[..., None]
) -> None:
    job_id = ask()
    first = claim()
    assert first is not None
    lease_runs_out(job_id)
    tried: list[Claim | None] = []

    def other() -> None:
        with committed.app_context():
            tried.append(claim())

    with transaction():
        services.hold(first)
        with db.engine.begin() as beside:
            # a heartbeat passes all the same
            assert services.beat(beside, first)
            beside.execute(
                sa.update(BackgroundJob).values(lease_until=sa.text("clock_timestamp() - interval '1 second'"))
            )
        taking = threading.Thread(target=other)
        taking.start()
        taking.join()
    assert tried == [None]
    assert claim() is not None


def test_the_heartbeat_keeps_long_work_alive(
    committed: Flask, does: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BEAT_SECONDS", 0.01)
    seen: list[Any] = []
    beaten = threading.Event()
    original = services.beat

    def beat(connection: sa.Connection, claimed: Claim) -> bool:
        alive = original(connection, claimed)
        beaten.set()
        return alive

    monkeypatch.setattr(services, "beat", beat)

    def work(run: Run) -> dict[str, Any]:
        lease_runs_out(run.job_id)
        beaten.clear()
        assert beaten.wait(20)
        assert beaten.clear() is None and beaten.wait(20)
        with transaction():
            seen.append(services.claim([KIND]))
        return {}

    does(work)
    job_id = ask()
    assert run(committed)
    assert (seen, state(job_id).state) == ([None], "succeeded")


def test_a_runner_that_lost_its_lease_stops(
    committed: Flask, does: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(run: Run) -> dict[str, Any]:
        lease_runs_out(run.job_id)
        assert claim() is not None
        with transaction():
            run.keep(done=1)
        raise AssertionError("it went on")

    does(work)
    job_id = ask()
    assert run(committed)
    job = state(job_id)
    assert (job.state, job.attempts, job.done) == ("running", 2, 0)


def test_what_fails_is_tried_three_times_and_told_without_its_words(
    committed: Flask, does: Callable[..., None]
) -> None:
    told: list[str] = []

    def work(run: Run) -> dict[str, Any]:
        raise ValueError("Jonas Petrauskas has a secret")

    does(work, stopped=lambda job: told.append(job.state))
    job_id = ask()
    for attempt in (1, 2):
        assert run(committed)
        assert (state(job_id).state, state(job_id).attempts) == ("queued", attempt)
    assert told == []
    assert run(committed)
    job = state(job_id)
    assert (job.state, job.attempts, told) == ("failed", 3, ["failed"])
    assert job.failure == "An unexpected error ended it (ValueError). Ask again."
    assert not run(committed)


def test_what_failed_waits_a_little_before_it_is_tried_again(
    committed: Flask, does: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PAUSE", services.LEASE)

    def work(run: Run) -> dict[str, Any]:
        raise ValueError

    does(work)
    job_id = ask()
    assert run(committed)
    assert not run(committed)
    lease_runs_out(job_id)
    assert run(committed)


def test_a_refusal_ends_work_at_once_with_its_sentence(committed: Flask, does: Callable[..., None]) -> None:
    def work(run: Run) -> dict[str, Any]:
        raise Refused("The day is closed.", code="dayClosed")

    does(work)
    job_id = ask()
    assert run(committed)
    job = state(job_id)
    assert (job.state, job.attempts, job.failure) == ("failed", 1, "The day is closed.")


def test_work_whose_runners_were_all_lost_ends_as_failed(committed: Flask, does: Callable[..., None]) -> None:
    job_id = ask()
    for _ in range(services.MOST_ATTEMPTS):
        assert claim() is not None
        lease_runs_out(job_id)
    assert claim() is None
    job = state(job_id)
    assert (job.state, job.failure) == ("failed", services.LOST)
    # and the next of the kind may be asked for
    assert ask(single=True) != job_id


def test_a_checkpoint_reaches_the_next_runner(committed: Flask, does: Callable[..., None]) -> None:
    seen: list[dict[str, Any]] = []

    def work(run: Run) -> dict[str, Any]:
        seen.append(dict(run.checkpoint))
        if len(seen) == 1:
            with transaction():
                run.keep(done=7, total=10, checkpoint={"after": "seven"})
            raise ValueError
        return {}

    does(work)
    job_id = ask()
    assert run(committed)
    assert (state(job_id).done, state(job_id).total) == (7, 10)
    assert run(committed)
    assert seen == [{}, {"after": "seven"}]


def test_progress_is_written_about_twice_a_second(
    committed: Flask, does: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    original = services.report

    def report(claimed: Claim, **options: Any) -> bool:
        written.append(options["done"])
        return original(claimed, **options)

    ticks = iter(number * 0.1 + 100 for number in range(20))
    monkeypatch.setattr(services, "report", report)

    def work(run: Run) -> dict[str, Any]:
        class Watch:
            @staticmethod
            def monotonic() -> float:
                return now

        monkeypatch.setattr(runner.time, "monotonic", Watch.monotonic)
        for number, now in enumerate(ticks):
            with transaction():
                run.keep(done=number)
        return {}

    does(work)
    ask()
    assert run(committed)
    assert len(written) == 4


def test_waiting_work_is_canceled_at_once_and_running_work_at_its_next_step(
    committed: Flask, does: Callable[..., None]
) -> None:
    told: list[str] = []

    def work(run: Run) -> dict[str, Any]:
        with transaction():
            assert services.cancel(run.job_id, kind=KIND, by=system()).state == "running"
        with transaction():
            run.keep(done=1)
        raise AssertionError("it went on")

    does(work, stopped=lambda job: told.append(job.state))
    waiting = ask()
    with transaction():
        services.cancel(waiting, kind=KIND, by=system())
    assert state(waiting).state == "canceled"
    running = ask()
    assert run(committed)
    assert state(running).state == "canceled"
    assert told == ["canceled", "canceled"]
    actions = list(session().scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)))
    assert actions == ["background_job.asked", "background_job.cancel_asked"] * 2
    with pytest.raises(Conflict), transaction():
        services.cancel(running, kind=KIND, by=system())
    with pytest.raises(NotFound), transaction():
        services.cancel(running, kind="another", by=system())


def test_canceled_work_whose_runner_was_lost_is_ended_by_the_next_one(
    committed: Flask, does: Callable[..., None]
) -> None:
    job_id = ask()
    assert claim() is not None
    with transaction():
        services.cancel(job_id, kind=KIND, by=system())
    lease_runs_out(job_id)
    assert not run(committed)
    assert state(job_id).state == "canceled"


def test_a_process_that_ends_hands_its_work_back_without_counting_the_attempt(
    committed: Flask, does: Callable[..., None]
) -> None:
    stop = threading.Event()

    def work(run: Run) -> dict[str, Any]:
        if not stop.is_set():
            stop.set()
            with transaction():
                run.keep(done=1)
            raise AssertionError("it went on")
        return {}

    does(work)
    job_id = ask()
    assert runner.run_one(committed, stop)
    job = state(job_id)
    assert (job.state, job.attempts, job.lease) == ("queued", 0, None)
    assert run(committed)
    assert state(job_id).state == "succeeded"


def test_a_runner_takes_only_work_that_it_knows(
    committed: Flask, does: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = ask()
    monkeypatch.setattr(kinds, "_kinds", {})
    assert not run(committed)
    assert state(job_id).state == "queued"


def test_asking_for_an_unknown_kind_is_an_error_of_the_program(committed: Flask, does: Callable[..., None]) -> None:
    with pytest.raises(KeyError), transaction():
        services.ask("no.such.kind", {}, by=system())


def test_a_loop_of_runners_does_what_waits_and_ends_when_told(
    committed: Flask, does: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "IDLE_SECONDS", 0.01)
    stop, ran = threading.Event(), threading.Event()

    def work(run: Run) -> dict[str, Any]:
        ran.set()
        return {}

    does(work)
    looping = threading.Thread(target=runner.work, args=(committed, stop))
    looping.start()
    job_id = ask()
    try:
        assert ran.wait(20)
    finally:
        stop.set()
        looping.join()
    assert state(job_id).state == "succeeded"
