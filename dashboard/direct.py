"""The short way to the database: one statement, committed by itself, without a session.

For the two things that every request of a machine does and that must cost little: who is it, and the payment whose
whole transaction is one function call. Everything else goes through `database.session()`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from flask import Flask, current_app

from dashboard.database import db, engine_options, session, step_down, transaction
from dashboard.settings import Settings

Row = tuple[Any, ...]


class Lane:
    """Idle connections of this process, the last used first. More than there are threads never exist."""

    def __init__(self, url: str, options: str) -> None:
        self.url = url
        self.options = options
        self.idle: deque[psycopg.Connection[Row]] = deque()

    def _connect(self) -> psycopg.Connection[Row]:
        connection = psycopg.connect(self.url, options=self.options, application_name="countinghouse", autocommit=True)
        step_down(connection)
        return connection

    def one(self, statement: str, parameters: Sequence[Any]) -> Row | None:
        """Run the statement and give its only row. Raises psycopg.Error; a connection that broke is forgotten, with
        all the others that the same server held."""
        try:
            connection = self.idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            return connection.execute(statement, parameters).fetchone()  # type: ignore[arg-type]
        finally:
            if connection.closed or connection.broken:
                self.idle.clear()
            else:
                self.idle.append(connection)

    def close(self) -> None:
        while self.idle:
            self.idle.pop().close()


def install(app: Flask, settings: Settings) -> None:
    """Give the application its lane. It connects when it is first used."""
    url = sa.make_url(app.config["SQLALCHEMY_DATABASE_URI"]).set(drivername="postgresql")
    options = engine_options(settings)["connect_args"]["options"]
    app.extensions["countinghouse.lane"] = Lane(url.render_as_string(hide_password=False), options)


def _in_transaction() -> bool:
    # asking for the session would make one
    return bool(db.session.registry.has() and (session().info.get("in_transaction") or session().info.get("enclosed")))


def one(statement: str, parameters: Sequence[Any]) -> Row | None:
    """The statement's only row, committed. Within an open transaction of this thread it takes part in that instead.

    Raises psycopg.Error.
    """
    if _in_transaction() or current_app.config.get("ONE_LANE"):
        with transaction():
            driver = session().connection().connection.driver_connection
            assert driver is not None  # a checked-out connection has one
            return driver.execute(statement, parameters).fetchone()  # type: ignore[no-any-return]
    lane: Lane = current_app.extensions["countinghouse.lane"]
    return lane.one(statement, parameters)


def beside(app: Flask, statement: str, parameters: Sequence[Any]) -> Row | None:
    """The same from outside of the application's context. Raises psycopg.Error."""
    if app.config.get("ONE_LANE"):
        with app.app_context():
            return one(statement, parameters)
    lane: Lane = app.extensions["countinghouse.lane"]
    return lane.one(statement, parameters)


def reading(statement: str, parameters: Sequence[Any]) -> Row | None:
    """The same for a statement that only reads: once more on a fresh connection where the first was dead."""
    try:
        return one(statement, parameters)
    except psycopg.OperationalError:
        return one(statement, parameters)
