"""The short way to the database: one statement, committed by itself, without a session.

For the two things that every request of a machine does and that must cost little: who is it, and the payment whose
whole transaction is one function call. Everything else goes through `database.session()`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from flask import Flask, current_app
from psycopg import pq
from psycopg.adapt import Transformer

from dashboard.database import db, engine_options, session, step_down, transaction
from dashboard.settings import Settings

Row = tuple[Any, ...]


class _Line:
    """One connection, with the statements that it knows by a name.

    Statements are sent through libpq itself: what a cursor does around one costs more than the statement's own way
    there and back. Parameters go as text, and the database reads them as what the statement says they are.
    """

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self.connection = connection
        self.names: dict[str, bytes] = {}
        self.reader = Transformer(connection)

    def rows(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        server = self.connection.pgconn
        name = self.names.get(statement)
        if name is None:
            name = b"direct_%d" % len(self.names)
            self._checked(server.prepare(name, statement.encode()))
            self.names[statement] = name
        sent: list[Any] = [_as_text(value) for value in parameters]
        result = self._checked(server.exec_prepared(name, sent))
        self.reader.set_pgresult(result)
        return self.reader.load_rows(0, result.ntuples, tuple) if result.ntuples else []

    def _checked(self, result: pq.abc.PGresult) -> pq.abc.PGresult:
        if result.status in _FINE:
            return result
        if self.connection.pgconn.status != pq.ConnStatus.OK and not result.error_field(pq.DiagnosticField.SQLSTATE):
            # the server went away without a word
            raise psycopg.OperationalError(result.get_error_message())
        raise psycopg.errors.error_from_result(result)

    @property
    def gone(self) -> bool:
        return self.connection.closed or self.connection.broken


_FINE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
#: what a prepared statement says after its tables or functions were made anew, or behind a pool that mixes sessions
_STALE = (psycopg.errors.FeatureNotSupported, psycopg.errors.InvalidSqlStatementName)


def _as_text(value: Any) -> bytes | None:
    """A parameter as the database reads it. Raises psycopg.DataError for a text that it cannot hold."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value.encode()
        if b"\0" in text:
            raise psycopg.DataError("PostgreSQL text cannot hold NUL")
        return text
    if isinstance(value, UUID):
        return value.hex.encode()
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    if type(value) is int:
        return b"%d" % value
    raise TypeError(f"{type(value).__name__} does not go the short way")


class Lane:
    """Idle connections of this process, the last used first. More than there are threads never exist."""

    def __init__(self, url: str, options: str) -> None:
        self.url = url
        self.options = options
        self.idle: deque[_Line] = deque()

    def _connect(self) -> _Line:
        connection = psycopg.connect(
            self.url, options=self.options, application_name="countinghouse", client_encoding="utf8", autocommit=True
        )
        step_down(connection)
        return _Line(connection)

    def one(self, statement: str, parameters: Sequence[Any]) -> Row | None:
        """Run the statement and give its only row. Raises psycopg.Error."""
        found = self.rows(statement, parameters)
        return found[0] if found else None

    def rows(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        """Run the statement and give its rows. Raises psycopg.Error; a connection that broke is forgotten, with all
        the others that the same server held."""
        try:
            line = self.idle.pop()
        except IndexError:
            line = self._connect()
        try:
            return line.rows(statement, parameters)
        except _STALE:
            line.connection.close()
            raise
        finally:
            if line.gone:
                self.idle.clear()
            else:
                self.idle.append(line)

    def close(self) -> None:
        while self.idle:
            self.idle.pop().connection.close()


def install(app: Flask, settings: Settings) -> None:
    """Give the application its lane. It connects when it is first used."""
    url = sa.make_url(app.config["SQLALCHEMY_DATABASE_URI"]).set(drivername="postgresql")
    options = engine_options(settings)["connect_args"]["options"]
    app.extensions["countinghouse.lane"] = Lane(url.render_as_string(hide_password=False), options)


def _in_transaction() -> bool:
    # asking for the session would make one
    return bool(db.session.registry.has() and (session().info.get("in_transaction") or session().info.get("enclosed")))


def _within(statement: str, parameters: Sequence[Any]) -> psycopg.RawCursor[Row]:
    """The statement in the session's own transaction."""
    driver = session().connection().connection.driver_connection
    assert driver is not None  # a checked-out connection has one
    return psycopg.RawCursor(driver).execute(statement, parameters)  # type: ignore[no-any-return]


def one(statement: str, parameters: Sequence[Any]) -> Row | None:
    """The only row of the statement, whose parameters are $1, $2 and so on, committed. Within an open transaction of
    this thread it takes part in that instead.

    Raises psycopg.Error.
    """
    if _in_transaction() or current_app.config.get("ONE_LANE"):
        with transaction():
            return _within(statement, parameters).fetchone()
    lane: Lane = current_app.extensions["countinghouse.lane"]
    return lane.one(statement, parameters)


def beside(app: Flask, statement: str, parameters: Sequence[Any]) -> Row | None:
    """The same from outside of the application's context. Raises psycopg.Error."""
    if app.config.get("ONE_LANE"):
        with app.app_context():
            return one(statement, parameters)
    lane: Lane = app.extensions["countinghouse.lane"]
    return lane.one(statement, parameters)


def rows_beside(app: Flask, statement: str, parameters: Sequence[Any]) -> list[Row]:
    """All rows of the statement, committed, from outside of the application's context. Raises psycopg.Error."""
    if app.config.get("ONE_LANE"):
        with app.app_context(), transaction():
            return _within(statement, parameters).fetchall()
    lane: Lane = app.extensions["countinghouse.lane"]
    return lane.rows(statement, parameters)


def array(values: Iterable[str | None]) -> str:
    """A parameter that is an array of texts, whatever stands in them."""
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def reading(statement: str, parameters: Sequence[Any]) -> Row | None:
    """The same for a statement that only reads: once more on a fresh connection where the first was dead."""
    try:
        return one(statement, parameters)
    except psycopg.OperationalError:
        return one(statement, parameters)
