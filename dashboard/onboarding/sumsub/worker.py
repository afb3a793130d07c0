"""Processing what was kept: threads that run beside the scheduler, in any number of processes."""

from __future__ import annotations

import threading
import time

import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor, system
from dashboard.database import session, transaction
from dashboard.onboarding.sumsub.services import processing
from dashboard.web.logs import log

#: between two looks when nothing waits
IDLE_SECONDS = 0.4
#: clients that came after their applicants are looked for this often
ARRIVED_SECONDS = 5.0
THREADS = 2


def by_sumsub() -> Actor:
    """Whose deeds they are."""
    return system("Sumsub")


def work_once(*, backwards: bool = False, arrived: bool = False) -> int:
    """One round over the applicants with something to do; gives how many events had their turn.

    Another thread goes `backwards` through the same list, so that the two rarely meet. One applicant that fails does
    not stop the others. Raises SQLAlchemyError where the database is away.
    """
    with transaction():
        found = processing.arrived() if arrived else processing.waiting()
    session().expunge_all()
    done = 0
    for applicant_id in reversed(found) if backwards else found:
        try:
            with transaction():
                processed = processing.process(applicant_id, by=by_sumsub())
                done += processed.events if processed else 0
        except Exception as error:
            session().rollback()
            # the type, not the message: it may hold what somebody typed
            log.error("verification", step="processing", error=type(error).__name__)
            with transaction():
                processing.failed(applicant_id)
        finally:
            # threads that run for weeks keep nothing of what they read
            session().expunge_all()
    return done


def work(app: Flask, stop: threading.Event, number: int = 0) -> None:
    """Rounds until `stop`. A database that does not answer is waited for."""
    look = time.monotonic()
    while not stop.is_set():
        done = 0
        with app.app_context():
            try:
                done = work_once(backwards=bool(number % 2))
                if number == 0 and time.monotonic() >= look:
                    look = time.monotonic() + ARRIVED_SECONDS
                    done += work_once(arrived=True)
            except sa.exc.SQLAlchemyError as error:
                log.warning("verification waits for the database", error=type(error).__name__)
                stop.wait(1.0)
        if not done:
            stop.wait(IDLE_SECONDS)


def start(app: Flask, stop: threading.Event) -> list[threading.Thread]:
    """The threads of this process, running until `stop`."""
    threads = [threading.Thread(target=work, args=(app, stop, number), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    return threads
