"""One real PostgreSQL for the run; a template database migrated once; each test inside a transaction rolled back.

`app` tests run in one outer transaction (savepoints stand for commits). Tests that need real commits
(concurrency, browser, kills) take `committed`, which has a database of its own cloned from the template.
"""

from __future__ import annotations

import gc
import io
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
import structlog
from argon2 import PasswordHasher
from flask import Flask, g, has_app_context
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from dashboard import database, embedded, migrate, settings
from dashboard.access import tokens
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Audience, Role
from dashboard.app import create_app
from dashboard.database import db, transaction
from dashboard.exports import store as export_store
from dashboard.staff import services as staff_services
from dashboard.staff import slow_hashing
from dashboard.staff.models import StaffMember
from dashboard.web import logs
from dashboard.web.limits import limiter

# A quarter of a second of both processors for each password would be minutes of a run. What real ones cost is held to
# in tests/staff/test_slow_hashing.py.
slow_hashing._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

PASSWORD = "correct-horse-battery"
#: of this process: several may test at once, also on one server
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
TEMPLATE = f"countinghouse_template{WORKER}"


class Compiled(BytecodeCache):
    """Compiled templates, kept for all applications of this process: compiling takes longer than showing a page."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self.kept[bucket.key, bucket.checksum] = bucket.code


Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": Compiled()}


#: files of a walk over one furnished house, which takes as long to build as some areas take to test
FURNISHED = (
    "tests/browser/test_axe.py", "tests/attacks/test_matrix.py", "tests/home/test_palette.py",
    "tests/exports/test_every_list.py",
)  # fmt: skip
#: files of half a minute and more begin early: the process that gets one last would work alone at the end
LONG = (
    "tests/ledger/test_crashes.py", "tests/browser/test_treasury_walk.py", "tests/transfers/test_storm.py",
    "tests/serve/test_restart.py", "tests/serve/test_serve.py", "tests/browser/test_clients.py",
    "tests/web/test_openapi.py", "tests/ledger/test_properties.py", "tests/jobs/test_killed.py",
    "tests/onboarding/test_flood.py", "tests/transfers/test_incoming_at_once.py", "tests/browser/test_desk.py",
)  # fmt: skip


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """As `loadfile`, but the files that need the furnished house are one piece of work."""
    from xdist.scheduler import LoadFileScheduling

    class ByHouse(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return "furnished" if file in FURNISHED else file

    return ByHouse(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The furnished house first, then what takes long; the others keep their order."""
    place = {file: number for number, file in enumerate((*FURNISHED, *LONG))}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(place)))


def pytest_collection_finish() -> None:
    """What was imported stays to the end: the search for garbage need not walk over it again and again."""
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class Databases:
    """Where test databases live. `clone` gives the URLs (application, owner) of a fresh copy of the template."""

    app_url: Callable[[str], str]
    owner_url: Callable[[str], str]
    admin: str
    #: how the server makes a copy: file by file is the quickest where files are in memory
    copying: str = "WAL_LOG"

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(statement)

    def clone(self, name: str) -> tuple[str, str]:
        self.drop(name)
        self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY {self.copying}")
        return self.app_url(name), self.owner_url(name)

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


#: as much is free there, in bytes, wherever databases of tests are kept in memory
ROOM = 3_000_000_000


def roomy_memory() -> Path | None:
    """A folder in memory, where there is one with room: what a process has written there is there for the next one,
    as on any file system, and the thousand files of each database are made and gone in no time."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > ROOM else None


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The embedded server in a temporary folder, or TEST_DATABASE_URL / DATABASE_URL when given."""
    given = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
    folder = None
    if given:
        base = sa.make_url(_plain(given).replace("postgresql://", "postgresql+psycopg://"))

        def named(name: str) -> str:
            return base.set(database=name).render_as_string(hide_password=False)

        found = Databases(named, named, _plain(base.render_as_string(hide_password=False)))
    else:
        memory = roomy_memory()
        folder = Path(tempfile.mkdtemp(prefix="countinghouse-tests-", dir=memory))
        server = embedded.ensure(folder)
        found = Databases(
            lambda name: server.url(embedded.APP_ROLE, name),
            lambda name: server.url(embedded.OWNER_ROLE, name),
            _plain(server.url("postgres", "postgres")),
            copying="FILE_COPY" if memory else "WAL_LOG",
        )
        # what a killed server leaves is with the operating system; only a machine without power would lose it
        found.execute("ALTER SYSTEM SET fsync = off")
        found.execute("ALTER SYSTEM SET full_page_writes = off")
        found.execute("ALTER SYSTEM SET max_wal_size = '256MB'")
        found.execute("SELECT pg_reload_conf()")
    found.drop(TEMPLATE)
    owner = sa.make_url(found.owner_url(TEMPLATE)).username
    found.execute(f'CREATE DATABASE {TEMPLATE} OWNER "{owner}"')
    migrate.upgrade(found.owner_url(TEMPLATE))
    yield found
    if folder is None:
        found.drop(TEMPLATE)
    else:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def configured(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> settings.Settings:
    """Settings of the test application, on a clone of the template."""
    app_url, owner_url = databases.clone(f"countinghouse_test{WORKER}")
    return replace(
        settings.load({"SECRET_KEY": "test-secret-key-of-at-least-32-characters", "ENVIRONMENT": "development"}),
        instance_path=tmp_path_factory.mktemp("instance"),
        database_url=app_url,
        migration_database_url=owner_url,
    )


class Browser(FlaskClient):
    """Each request starts with an empty `g`, as in production: the fixtures' application context is shared by all."""

    def open(self, *args: Any, **options: Any) -> Any:
        if has_app_context():
            for name in list(g):
                g.pop(name)
        return super().open(*args, **options)


def _prepare_all(connection: Any, _record: Any) -> None:
    """One connection serves all tests of the process: what it was asked once it is asked again."""
    connection.prepare_threshold, connection.prepared_max = 1, 5_000


@pytest.fixture(scope="session")
def application(configured: settings.Settings) -> Flask:
    app = create_app(configured)
    with app.app_context():
        sa.event.listen(db.engine, "connect", _prepare_all)
    app.test_client_class = Browser
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False, RATELIMIT_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    return app


def _ask_what_was_put_off(connection: sa.Connection) -> None:
    """Rules that the database asks about at a commit are asked here, where nothing is ever committed."""
    driver: Any = connection.connection.dbapi_connection
    if driver.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def app(application: Flask) -> Iterator[Flask]:
    """The application with a database in which nothing stays: commits become savepoints of one outer transaction."""
    # counted in transactions of their own, which do not exist here
    limiter.enabled = False
    with application.app_context():
        engine = db.engine
        engines = db._app_engines[application]
        connection = engine.connect()
        outer = connection.begin()
        engines[None] = connection  # type: ignore[assignment]
        db.session.remove()
        db.session.configure(join_transaction_mode="create_savepoint")
        # nothing is committed here, so nothing could be seen beside the outer transaction
        application.config["ONE_LANE"] = True
        try:
            yield application
            _ask_what_was_put_off(connection)
        finally:
            db.session.remove()
            db.session.configure(join_transaction_mode="conditional_savepoint")
            outer.rollback()
            connection.close()
            engines[None] = engine


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    """A browser that nobody has signed in, or a machine without a token."""
    return app.test_client()


@contextmanager
def hashed_once() -> Iterator[None]:
    """Whoever is made meanwhile has the same hash of the one known password: hashing is slow on purpose."""
    original = staff_services._hash
    if People.password_hash is None:
        People.password_hash = original(PASSWORD)
    staff_services._hash = lambda _password: People.password_hash  # type: ignore[assignment,return-value]
    try:
        yield
    finally:
        staff_services._hash = original


class People:
    """Makes staff members with one known password."""

    password_hash: str | None = None

    def __init__(self) -> None:
        self.made: dict[str, StaffMember] = {}

    def member(self, role: Role, name: str | None = None) -> StaffMember:
        key = f"{role.value}:{name or ''}"
        if key not in self.made:
            with hashed_once(), transaction():
                self.made[key] = staff_services.create_member(
                    email=f"{(name or role.value).lower().replace(' ', '.')}@test.example",
                    role=role,
                    password=PASSWORD,
                    name=name or role.value.replace("-", " ").title(),
                    by=system(),
                )
        return self.made[key]

    def actor(self, role: Role, name: str | None = None) -> Actor:
        return staff_services.actor_of(self.member(role, name))


@pytest.fixture
def people(app: Flask) -> People:
    return People()


def open_session(app: Flask, member: StaffMember) -> FlaskClient:
    """A browser signed in as the member, without the slow password check (that has tests of its own)."""
    import hashlib
    import secrets

    from dashboard import clock
    from dashboard.staff.models import StaffSession

    secret = secrets.token_urlsafe(32)
    with transaction() as session:
        session.add(
            StaffSession(
                staff_id=member.id,
                secret_hash=hashlib.sha256(secret.encode()).hexdigest(),
                created_at=clock.now(),
                seen_at=clock.now(),
            )
        )
    browser = app.test_client()
    with browser.session_transaction() as cookie:
        cookie["_user_id"] = secret
        cookie["_fresh"] = True
    return browser


@pytest.fixture
def signed_in(app: Flask, people: People) -> Callable[..., FlaskClient]:
    """`signed_in(Role.OFFICER)` is a browser of that person."""

    def sign_in(role: Role, name: str | None = None) -> FlaskClient:
        return open_session(app, people.member(role, name))

    return sign_in


@dataclass
class Machine:
    """A caller with a token. `call` sends JSON and gives the response."""

    client: FlaskClient
    secret: str
    token_id: UUID

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}", **options.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **options)


@pytest.fixture
def machine(app: Flask) -> Callable[..., Machine]:
    """`machine(Audience.SYSTEM)` with default scopes; `scopes=["all"]` or names for others."""

    def make(audience: Audience, *, scopes: list[str] | None = None, **options: Any) -> Machine:
        with transaction():
            token, secret = tokens.create(
                audience=audience,
                scopes=tokens.resolve_scopes(audience, scopes or []),
                name=options.pop("name", f"{audience.value} test"),
                **options,
            )
        return Machine(app.test_client(), secret, token.id)

    return make


@dataclass
class _Made:
    """An application with a database of its own, and the settings that it was made of."""

    app: Flask
    name: str
    of: settings.Settings


#: applications that nobody uses now: making one takes longer than most tests
_SPARE: list[_Made] = []
_COUNT = itertools.count()


def _made_for(databases: Databases, chosen: settings.Settings) -> _Made:
    """A spare application or a new one, on a fresh database."""
    # what an application tells the whole process (where files go) must still be what these settings say
    ours = export_store._root == [chosen.instance_path]
    for made in _SPARE if ours else ():
        if made.of == chosen:
            _SPARE.remove(made)
            databases.clone(made.name)
            return made
    name = f"countinghouse_own{WORKER}_{next(_COUNT)}"
    app_url, owner_url = databases.clone(name)
    return _Made(create_app(replace(chosen, database_url=app_url, migration_database_url=owner_url)), name, chosen)


@contextmanager
def own_database(
    databases: Databases, chosen: settings.Settings, *, csrf: bool = False, again: bool = True
) -> Iterator[Flask]:
    """An application on a database of its own, which is gone afterwards; nobody is within its context yet.

    `again`: the application may have been used before, and will be.
    """
    made = _made_for(databases, chosen)
    app = made.app
    app.test_client_class = Browser
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=csrf, RATELIMIT_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    try:
        yield app
    finally:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
            app.extensions["countinghouse.lane"].close()
        databases.drop(made.name)
        if again:
            _SPARE.append(made)


@pytest.fixture
def committed(databases: Databases, configured: settings.Settings) -> Iterator[Flask]:
    """An application on a database of its own, with real commits: for threads, browsers and kills."""
    # with an application of its own as well: its threads and kills leave nothing behind for another test
    with own_database(databases, configured, again=False) as app, app.app_context():
        yield app
        db.session.remove()


@pytest.fixture(scope="module")
def application_of_file(databases: Databases, configured: settings.Settings) -> Iterator[Flask]:
    """As `committed`, but one for all tests of a file; what one of them commits is there for the next."""
    with own_database(databases, configured) as app:
        yield app


@pytest.fixture
def committed_in_file(application_of_file: Flask) -> Iterator[Flask]:
    """The application of the file, within its context."""
    with application_of_file.app_context():
        yield application_of_file
        db.session.remove()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the application writes to its log during the test: elsewhere it goes where standard error was at first."""
    stream = io.StringIO()
    # a logger that was used once keeps what it was configured with
    logs.log.__dict__.pop("bind", None)
    logs.configure()
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=stream), cache_logger_on_first_use=False)
    yield stream
    logs.configure()


@pytest.fixture(scope="session")
def furnished(
    databases: Databases, configured: settings.Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A house with something of everything (tests/furnished.py), for tests that walk over all addresses."""
    from tests.furnished import furnish

    folder = tmp_path_factory.mktemp("furnished")
    with furnish(databases, configured, folder, f"countinghouse_furnished{WORKER}") as house:
        yield house


__all__ = ["PASSWORD", "database"]
