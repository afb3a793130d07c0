"""Copies a plan's clients into an empty database, as the owner of the tables: the application itself may neither make
an active client nor a decided request.

Everything is one transaction: a load that is broken off leaves nothing. A large one takes constraints and indexes of
the tables down first and builds them again at the end, which checks every row.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from random import Random

import psycopg
from argon2 import PasswordHasher
from psycopg import sql

from dashboard import clock
from dashboard.access.permissions import Role
from dashboard.errors import Refused
from dashboard.home.demo_data import checking
from dashboard.home.demo_data.plan import PAST, Colleague, Days, Plan, milliseconds
from dashboard.home.demo_data.rows import COLUMNS, Sheets, identifier, moment
from dashboard.home.demo_data.scenarios import tell
from dashboard.settings import Settings

PASSWORD = "demo-password-1"
#: e-mail name, role, name as colleagues read it
COLLEAGUES = (
    ("officer", Role.OFFICER, "R. Kask"),
    ("senior.officer", Role.SENIOR_OFFICER, "M. Tamm"),
    ("second.senior.officer", Role.SENIOR_OFFICER, "L. Saar"),
    ("treasurer", Role.TREASURER, "J. Butkus"),
    ("senior.treasurer", Role.SENIOR_TREASURER, "A. Nowak"),
    ("admin", Role.ADMIN, "K. Lepik"),
    ("auditor", Role.AUDITOR, "E. Öberg"),
)
#: clients in one parcel: what memory holds at a time
PARCEL = 4_000
#: from here on it pays to build indexes afterwards, and to invent clients in processes of their own
LARGE = 20_000

Parcel = dict[str, tuple[int, bytes]]


@dataclass(frozen=True)
class Loaded:
    clients: int
    rows: int


def load(
    url: str,
    settings: Settings,
    *,
    clients: int,
    seed: int,
    progress: Callable[[str], None] = lambda _line: None,
) -> Loaded:
    """Make the demo sign-ins and the clients. Raises Refused in production and where there are clients already."""
    if settings.production:
        raise Refused("Demo data is refused when ENVIRONMENT=production.", code="production")
    with psycopg.connect(url.replace("+psycopg", "", 1), options="-c timezone=UTC") as connection:
        connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL synchronous_commit = off")
        connection.execute("LOCK TABLE client IN SHARE ROW EXCLUSIVE MODE")
        if connection.execute("SELECT 1 FROM client LIMIT 1").fetchone():
            raise Refused("The database holds clients already; demo data goes only into an empty one.", code="notEmpty")
        plan = _plan(connection, settings, clients, seed)
        rows = _copy_all(connection, plan, progress)
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute("SET statement_timeout = 0")
        for table in COLUMNS:
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))
    return Loaded(clients, rows)


def _plan(connection: psycopg.Connection[tuple[object, ...]], settings: Settings, clients: int, seed: int) -> Plan:
    today = clock.BusinessCalendar(settings.institution_country, settings.zone).today()
    staff = _sign_ins(connection, seed)
    return Plan(
        clients=clients,
        seed=seed,
        today=today,
        country=settings.institution_country,
        zone=settings.institution_zone,
        approval_hours=settings.approval_business_hours,
        officers=tuple(member for member in staff if member.role == Role.OFFICER),
        seniors=tuple(member for member in staff if member.role == Role.SENIOR_OFFICER),
    )


def _sign_ins(connection: psycopg.Connection[tuple[object, ...]], seed: int) -> list[Colleague]:
    """The demo colleagues; those that are there already stay as they are. Ids depend on the seed only."""
    password = PasswordHasher().hash(PASSWORD)
    random = Random(f"colleagues {seed}")  # noqa: S311 invents, protects nothing
    since = milliseconds(clock.now()) // 86_400_000 * 86_400_000 - PAST * 86_400_000
    members = []
    for order, (local, role, name) in enumerate(COLLEAGUES):
        email = f"{local}@demo.example"
        row = connection.execute(
            "INSERT INTO staff_member (id, email, email_key, name, role, password_hash, theme, keys_off, created_at,"
            " password_changed_at) VALUES (%s, %s, %s, %s, %s, %s, 'system', false, %s, %s)"
            " ON CONFLICT (email_key) DO NOTHING RETURNING id",
            (identifier(since + order, random), email, email, name, role.value, password, moment(since), moment(since)),
        ).fetchone()
        if row:
            connection.execute(
                "INSERT INTO audit_event (id, occurred_at, actor_kind, actor_name, actor_role, action, object_type,"
                " object_id) VALUES (%s, %s, 'system', 'command line', 'system', 'staff.created', 'staff_member', %s)",
                (identifier(since + order, random), moment(since), row[0]),
            )
        found = connection.execute("SELECT id, name, role FROM staff_member WHERE email_key = %s", (email,)).fetchone()
        assert found is not None
        members.append(Colleague(str(found[0]), str(found[1]), str(found[2])))
    return members


# --- inventing --------------------------------------------------------------------------------------------------


def parcel(plan: Plan, first: int) -> Parcel:
    """The rows of up to PARCEL clients. Depends on plan and number alone, so that processes may share the work."""
    sheets, days = Sheets(), Days(plan)
    random = Random(f"{plan.seed} {plan.clients} {first}")  # noqa: S311 invents, protects nothing
    for number in range(first, min(first + PARCEL, plan.clients)):
        tell(sheets, plan, days, number, random)
    return sheets.parcels()


def _parcels(plan: Plan) -> Iterator[Parcel]:
    """In order, a few ahead at most, so that memory does not grow with the load."""
    starts = deque(range(0, plan.clients, PARCEL))
    if plan.clients < LARGE:
        yield from (parcel(plan, first) for first in starts)
        return
    workers = max(1, min(4, (os.cpu_count() or 2)))
    with ProcessPoolExecutor(workers) as pool:
        under_way: deque[Future[Parcel]] = deque()
        while starts or under_way:
            while starts and len(under_way) < workers + 1:
                under_way.append(pool.submit(parcel, plan, starts.popleft()))
            yield under_way.popleft().result()


# --- copying ----------------------------------------------------------------------------------------------------


def _copy_all(connection: psycopg.Connection[tuple[object, ...]], plan: Plan, progress: Callable[[str], None]) -> int:
    large = plan.clients >= LARGE
    rebuild = _take_down(connection) if large else []
    rows = done = 0
    for lines in _parcels(plan):
        for table, columns in COLUMNS.items():
            if table not in lines:
                continue
            count, data = lines[table]
            with connection.cursor().copy(f"COPY {table} ({', '.join(columns.split())}) FROM STDIN") as copy:
                copy.write(data)
            rows += count
        done = min(done + PARCEL, plan.clients)
        if large and done % (PARCEL * 25) == 0:
            progress(f"{done:,} clients, {rows:,} rows")
    if rebuild:
        progress("Building indexes and checking constraints")
        connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        for statement in rebuild:
            connection.execute(statement)
        broken = checking.broken_rules(connection)
        if broken:
            raise Refused(f"The demo data breaks its own rules: {'; '.join(broken)}.", code="demoDataBroken")
    return rows


def _take_down(connection: psycopg.Connection[tuple[object, ...]]) -> list[bytes]:
    """Drop constraints and indexes of the tables and rest their triggers; gives the statements that undo it, in order.

    The triggers guard changes and what the application begins with; the one that says "who has an active block is
    blocked" would search each block's client without an index, so `checking` says it once for all of them.
    """
    tables = list(COLUMNS)
    for table in tables:
        connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
    constraints = connection.execute(
        "SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), contype::text FROM pg_constraint"
        " WHERE contype IN ('p', 'u', 'f')"
        " AND (conrelid = ANY(%s::regclass[]) OR contype = 'f' AND confrelid = ANY(%s::regclass[]))"
        # foreign keys go first and come last: they stand on the others
        " ORDER BY contype = 'f' DESC, 1, 2",
        (tables, tables),
    ).fetchall()
    again = []
    for owner, name, definition, _kind in constraints:
        on, called = sql.Identifier(str(owner)), sql.Identifier(str(name))
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(on, called))
        again.append(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(on, called).as_bytes(connection)
            + str(definition).encode()
        )
    keys = [statement for statement, row in zip(again, constraints, strict=True) if row[3] != "f"]
    foreign = [statement for statement, row in zip(again, constraints, strict=True) if row[3] == "f"]
    indexes = connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid = ANY(%s::regclass[]) ORDER BY 1",
        (tables,),
    ).fetchall()
    for index, _definition in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(str(index))))
    triggers = [
        sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(table)).as_bytes(connection)
        for table in tables
    ]
    return [*keys, *(str(definition).encode() for _index, definition in indexes), *foreign, *triggers]
