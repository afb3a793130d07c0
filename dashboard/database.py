"""The engine, the naming convention, and `transaction()`: the only commit in the code.

Two roles (docs/adr/0003): the one that migrates owns the tables; the one the application runs as may neither
update nor delete evidence. When only one login is given, each connection steps down to the application role.
"""

from __future__ import annotations

import atexit
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import simplejson
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Session, registry

from dashboard.settings import ROOT, Settings

#: what the application runs as; made by the first migration where no other login is given
APPLICATION_ROLE = "countinghouse_app"

MIGRATIONS = ROOT / "migrations" / "versions"

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Models inherit from this and name their table themselves (facts about Flask-SQLAlchemy: docs/adr/0001)."""

    metadata = sa.MetaData(naming_convention=NAMING)
    registry = registry(
        type_annotation_map={
            str: sa.Text(),
            datetime: sa.DateTime(timezone=True),
            UUID: postgresql.UUID(as_uuid=True),
            dict[str, Any]: postgresql.JSONB(),
            list[str]: postgresql.ARRAY(sa.Text()),
        },
        metadata=metadata,
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


def session() -> Session:
    """The session of the current request, job or command."""
    return db.session()


@contextmanager
def transaction() -> Iterator[Session]:
    """Everything inside is committed together, or nothing is. Nested use joins the outer transaction."""
    current = session()
    if current.info.get("in_transaction"):
        yield current
        return
    current.info["in_transaction"] = True
    if current.info.get("enclosed"):
        try:
            with current.begin_nested():
                yield current
        finally:
            current.info.pop("in_transaction", None)
        return
    try:
        yield current
        current.commit()
    except BaseException:
        current.rollback()
        raise
    finally:
        current.info.pop("in_transaction", None)


@contextmanager
def enclosing() -> Iterator[Session]:
    """One real transaction around everything inside, in which each `transaction()` becomes a savepoint of its own:
    what such a block completed stays, what it refused goes, and all of it is committed with what the encloser adds.
    """
    current = session()
    if current.info.get("in_transaction") or current.info.get("enclosed"):
        raise RuntimeError("a transaction is open already")
    current.info["enclosed"] = True
    try:
        yield current
        current.commit()
    except BaseException:
        current.rollback()
        raise
    finally:
        current.info.pop("enclosed", None)


@contextmanager
def savepoint() -> Iterator[None]:
    """A refusal inside rolls back to here; what the edge must remember can still be committed."""
    with session().begin_nested():
        yield


class _Sequence:
    """State of the UUIDv7 maker of this process: the last millisecond used and a counter within it."""

    lock = threading.Lock()
    last = 0
    counter = 0
    #: numbers of 64 random bits, fetched many at a time: each call to the system lets other threads in, and under the
    #: lock all of them would wait for that
    noise: ClassVar[list[int]] = []


#: a forked process must not draw what its parent draws
os.register_at_fork(after_in_child=_Sequence.noise.clear)


def _random_bits() -> int:
    try:
        return _Sequence.noise.pop()
    except IndexError:
        fresh = struct.unpack("=256Q", os.urandom(8 * 256))
        _Sequence.noise.extend(fresh[1:])
        return int(fresh[0])


def _new_number() -> int:
    milliseconds, start, noise = time.time_ns() // 1_000_000, _random_bits(), _random_bits()
    with _Sequence.lock:
        if milliseconds > _Sequence.last:
            _Sequence.last = milliseconds
            _Sequence.counter = start & 0x7FF
        else:
            _Sequence.counter += 1
            if _Sequence.counter > 0xFFF:
                _Sequence.last += 1
                _Sequence.counter = 0
        milliseconds, counter = _Sequence.last, _Sequence.counter
    return milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | noise >> 2


@contextmanager
def one_snapshot(*, statement_seconds: int | None = None) -> Iterator[None]:
    """Everything read inside is of one moment, however long it takes, and nothing can be written.

    What the session had read before ends here; it must hold nothing that waits to be written. Inside a transaction that
    is open around it, that one stays as it is. `statement_seconds` lets a statement take longer than a page may.
    """
    current = session()
    if current.info.get("in_transaction") or not isinstance(current.get_bind(), sa.Engine):
        yield
        return
    # ends the reading transaction without making objects of the view unreadable, which a rollback would
    current.commit()
    try:
        current.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
        if statement_seconds is not None:
            current.execute(sa.text(f"SET LOCAL statement_timeout = '{statement_seconds:d}s'"))
        yield
    finally:
        current.rollback()


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): sorts by the millisecond it was made in, and by order within this process."""
    return UUID(int=_new_number())


def new_hex_ids(count: int) -> list[str]:
    """So many of them at once, in order, as 32 hexadecimal digits each: what a database reads as well."""
    if count < _FEW:
        return [f"{_new_number():032x}" for _ in range(count)]
    with _Sequence.lock:
        started = max(time.time_ns() // 1_000_000, _Sequence.last + 1)
        # a fresh millisecond for every 4,096 of them, and the last one is used up
        _Sequence.last = started + max(count - 1, 0) // 0x1000
        _Sequence.counter = 0xFFF
    noise = os.urandom(8 * count).hex()
    return [
        f"{started + (place >> 12):012x}7{place & 0xFFF:03x}{_VARIANT[noise[16 * place]]}"
        + noise[16 * place + 1 : 16 * place + 16]
        for place in range(count)
    ]


#: many take milliseconds of their own, which would run ahead of the clock where a few are wanted often
_FEW = 16
#: the two highest bits of the random half are 1 and 0
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def new_ids(count: int) -> list[UUID]:
    """So many of them at once, in order."""
    return [UUID(hex=one) for one in new_hex_ids(count)]


def hyphened(digits: str) -> str:
    """An identifier of 32 hexadecimal digits as it is written."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def schema_head(folder: Path = MIGRATIONS) -> str:
    """The newest migration's revision, read from the file names (`0001_words.py`): importing Alembic costs a second."""
    return max(path.name[:4] for path in folder.glob("[0-9][0-9][0-9][0-9]_*.py"))


def constraint_of(error: sa.exc.IntegrityError) -> str | None:
    """The name of the constraint or trigger that refused, so that a service can tell people which rule it was."""
    diagnostic = getattr(error.orig, "diag", None)
    return getattr(diagnostic, "constraint_name", None)


def step_down(connection: Any) -> None:
    """Give up the owner's rights on a fresh connection of psycopg where the login has them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_roles WHERE rolname = %s AND rolname <> current_user"
            " AND pg_has_role(current_user, oid, 'MEMBER')",
            (APPLICATION_ROLE,),
        )
        if cursor.fetchone():
            cursor.execute(f"SET ROLE {APPLICATION_ROLE}")
    connection.commit()


def _on_connect(connection: Any, _record: Any) -> None:
    step_down(connection)


def engine_options(settings: Settings) -> dict[str, Any]:
    """Pools are per process: workers times pool_size plus jobs must stay below max_connections."""
    return {
        "pool_size": settings.web_threads,
        "max_overflow": 2,
        # the connection used last: it knows its statements, and its caches are warm
        "pool_use_lifo": True,
        "pool_pre_ping": True,
        "pool_timeout": 10,
        # numbers in documents stay exact: no float, neither in nor out
        "json_serializer": partial(simplejson.dumps, use_decimal=True, ensure_ascii=False),
        "json_deserializer": partial(simplejson.loads, use_decimal=True),
        "connect_args": {
            "options": "-c timezone=UTC -c statement_timeout=30000 -c lock_timeout=5000",
            "application_name": "countinghouse",
        },
    }


def _embedded_url(settings: Settings, role: str) -> str:
    """The embedded server's URL. A command that had to start the server stops it again when it ends."""
    from dashboard import embedded

    was_running = embedded.running(settings.instance_path) is not None
    server = embedded.ensure(settings.instance_path)
    if not was_running:
        atexit.register(embedded.stop, settings.instance_path)
    return server.url({"application": embedded.APP_ROLE, "owner": embedded.OWNER_ROLE}[role])


def database_url(settings: Settings) -> str:
    """The URL the application runs with. Raises EmbeddedPostgresError where the embedded server does not start."""
    return settings.database_url or _embedded_url(settings, "application")


def migration_url(settings: Settings) -> str:
    """The URL of the role that owns the tables."""
    return settings.migration_database_url or settings.database_url or _embedded_url(settings, "owner")


def install(app: Flask, settings: Settings) -> None:
    """Bind the engine to the application."""
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url(settings)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings)
    db.init_app(app)
    with app.app_context():
        event.listen(db.engine, "connect", _on_connect)
