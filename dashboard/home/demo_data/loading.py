"""Copies a plan's clients and their money into an empty database, as the owner of the tables: the application itself
may neither make an active client nor a decided request, nor write a balance.

Audit events are there for everything that happened to clients and accounts, and for the payments of the last business
days (`movements.TOLD_DAYS`); those of ninety days of payments would be as many as the payments.

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
from dashboard.home.demo_data import accounts, chart, checking, closing, reviews, transfers
from dashboard.home.demo_data.business_days import business_days
from dashboard.home.demo_data.holdings import Holdings
from dashboard.home.demo_data.plan import PAST, Colleague, Days, Plan, milliseconds
from dashboard.home.demo_data.rows import COLUMNS, Parcel, Sheets, identifier, moment
from dashboard.home.demo_data.scenarios import tell
from dashboard.home.demo_data.sharing import Shards
from dashboard.ledger import numbers
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
LARGE_LEDGER = 200_000
#: transactions of a client, unless it is said how many there shall be
PER_CLIENT = 10


@dataclass(frozen=True)
class Loaded:
    clients: int
    transactions: int
    rows: int


def load(
    url: str,
    settings: Settings,
    *,
    clients: int,
    transactions: int = 0,
    seed: int,
    progress: Callable[[str], None] = lambda _line: None,
) -> Loaded:
    """Make the demo sign-ins, the clients, their accounts and so many transactions of the last ninety days.

    Raises Refused in production, where there are clients or accounts already, and for transactions without clients.
    """
    if settings.production:
        raise Refused("Demo data is refused when ENVIRONMENT=production.", code="production")
    if transactions and not clients:
        raise Refused("Transactions need clients whose money moves: ask for at least one.", code="noClients")
    numbers.install(settings)
    with psycopg.connect(url.replace("+psycopg", "", 1), options="-c timezone=UTC") as connection:
        connection.execute("SET LOCAL statement_timeout = 0; SET LOCAL synchronous_commit = off")
        connection.execute("LOCK TABLE client, account, payment, business_day IN SHARE ROW EXCLUSIVE MODE")
        if connection.execute("SELECT 1 FROM client LIMIT 1").fetchone():
            raise Refused("The database holds clients already; demo data goes only into an empty one.", code="notEmpty")
        if connection.execute("SELECT 1 FROM account LIMIT 1").fetchone():
            raise Refused("The ledger holds accounts already; demo data goes only into an empty one.", code="notEmpty")
        plan = _plan(connection, settings, clients, transactions, seed)
        # what was put off is asked now: no table is altered before
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        loaded = _Load(connection, plan, settings, progress).run()
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute("SET statement_timeout = 0")
        for table in COLUMNS:
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))
    return loaded


def _plan(
    connection: psycopg.Connection[tuple[object, ...]], settings: Settings, clients: int, transactions: int, seed: int
) -> Plan:
    today = clock.BusinessCalendar(settings.institution_country, settings.zone).today()
    staff = _sign_ins(connection, seed)
    return Plan(
        clients=clients,
        transactions=transactions,
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


def parcel(plan: Plan, first: int) -> tuple[Parcel, Holdings]:
    """The rows of up to PARCEL clients, and their accounts. Depends on plan and number alone, so that processes may
    share the work."""
    sheets, holdings, days = Sheets(), Holdings(), Days(plan)
    random = Random(f"{plan.seed} {plan.clients} {first}")  # noqa: S311 invents, protects nothing
    for number in range(first, min(first + PARCEL, plan.clients)):
        tell(sheets, holdings, plan, days, number, random)
    return sheets.parcels(), holdings


def _parcels(plan: Plan) -> Iterator[tuple[Parcel, Holdings]]:
    """In order, a few ahead at most, so that memory does not grow with the load."""
    starts = deque(range(0, plan.clients, PARCEL))
    if plan.clients < LARGE:
        yield from (parcel(plan, first) for first in starts)
        return
    workers = max(1, min(4, (os.cpu_count() or 2)))
    with ProcessPoolExecutor(workers) as pool:
        under_way: deque[Future[tuple[Parcel, Holdings]]] = deque()
        while starts or under_way:
            while starts and len(under_way) < workers + 1:
                under_way.append(pool.submit(parcel, plan, starts.popleft()))
            yield under_way.popleft().result()


# --- copying ----------------------------------------------------------------------------------------------------


@dataclass
class _Load:
    connection: psycopg.Connection[tuple[object, ...]]
    plan: Plan
    settings: Settings
    progress: Callable[[str], None]
    rows: int = 0
    transactions: int = 0

    def run(self) -> Loaded:
        connection, plan = self.connection, self.plan
        large = plan.clients >= LARGE or plan.transactions >= LARGE_LEDGER
        rebuild = _take_down(connection) if large else []
        # the history of their risks is told by the evidence (`reviews`)
        connection.execute("ALTER TABLE client DISABLE TRIGGER client_risk_begins")
        shards = self._clients(large)
        self._money(shards, large)
        if rebuild:
            self.progress("Building indexes and checking constraints")
            connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
            for statement in rebuild:
                connection.execute(statement)
            # what the resting trigger would have kept
            connection.execute(
                "INSERT INTO account_pool_version (account_id, since, pool, approval_id)"
                " SELECT account_id, since, pool, approval_id FROM account_pool ON CONFLICT DO NOTHING"
            )
        connection.execute("ALTER TABLE client ENABLE TRIGGER client_risk_begins")
        if large:
            # without figures of what was just copied, its history is looked up row by row: an hour for a million
            self.progress("Writing reviews and the history of risks")
            connection.execute("SET LOCAL work_mem = '256MB'; SET LOCAL hash_mem_multiplier = 2")
            connection.execute(f"ANALYZE {', '.join(COLUMNS)}")
        reviews.write(connection, plan, self.settings)
        if plan.transactions:
            self._copy(transfers.write(connection, plan, Days(plan)).parcels())
        if large:
            # the trigger that has events wait for their seals rested too
            connection.execute(
                "INSERT INTO audit_unsealed (event_id) SELECT e.id FROM audit_event e"
                " WHERE NOT EXISTS (SELECT 1 FROM audit_unsealed u WHERE u.event_id = e.id)"
                " AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.event_id = e.id) ORDER BY e.id"
            )
        if large:
            self.progress("Checking the rules")
            connection.execute(f"ANALYZE {', '.join(COLUMNS)}")
        broken = checking.broken_rules(connection, None if large else {**checking.MONEY, **checking.TRANSFERS})
        if broken:
            raise Refused(f"The demo data breaks its own rules: {'; '.join(broken)}.", code="demoDataBroken")
        return Loaded(plan.clients, self.transactions, self.rows)

    def _copy(self, parcel: Parcel) -> None:
        for table, columns in COLUMNS.items():
            if table not in parcel:
                continue
            count, data = parcel[table]
            with self.connection.cursor().copy(f"COPY {table} ({', '.join(columns.split())}) FROM STDIN") as copy:
                copy.write(data)
            self.rows += count
            if table == "ledger_transaction":
                self.transactions += count

    def _clients(self, large: bool) -> Shards:
        shards, done = Shards(), 0
        for rows, holdings in _parcels(self.plan):
            self._copy(rows)
            shards.deal(holdings)
            done = min(done + PARCEL, self.plan.clients)
            if large and done % (PARCEL * 25) == 0:
                self.progress(f"{done:,} clients, {self.rows:,} rows")
        return shards

    def _money(self, shards: Shards, large: bool) -> None:
        """The house's accounts, the business days, payments, balances and snapshots."""
        connection, sheets, days = self.connection, Sheets(), Days(self.plan)
        house, walked = chart.write(sheets, self.plan, days), business_days(days)
        closing.write_days(sheets, walked)
        # the day that the first migration opened is one of them
        connection.execute("ALTER TABLE business_day DISABLE TRIGGER USER")
        connection.execute("DELETE FROM business_day")
        self._copy(sheets.parcels())
        shown = 0
        for number, rows in enumerate(shards.parcels(self.plan, house, walked, apart=large)):
            self._copy(rows)
            if large and self.transactions >= shown + 500_000:
                shown = self.transactions
                self.progress(f"{self.transactions:,} transactions, {self.rows:,} rows ({number + 1} parcels)")
        if large:
            self.progress("Writing the balances of closed days")
            connection.execute("SET LOCAL work_mem = '256MB'; SET LOCAL hash_mem_multiplier = 2")
            connection.execute("ANALYZE account, ledger_transaction")
        self.rows += closing.write_snapshots(connection)
        connection.execute("ALTER TABLE business_day ENABLE TRIGGER USER")
        connection.execute("SELECT setval('account_number', %s, false)", (accounts.number_after(self.plan.clients),))


def _take_down(connection: psycopg.Connection[tuple[object, ...]]) -> list[bytes]:
    """Drop constraints and indexes of the tables and rest their triggers; gives the statements that undo it, in order.

    Until then rows are added only. One UPDATE without indexes leaves chains of versions that an index does not tell
    apart, and PostgreSQL uses no such index for the rest of the transaction: a million lookups become a million scans.

    The triggers guard changes and what the application begins with; the one that says "who has an active block is
    blocked" would search each block's client without an index, so `checking` says it once for all of them.
    """
    # the register has a few rows only, and its history is written by a trigger
    tables = [table for table in COLUMNS if table != "treasury_account"]
    # by name: those that fire always (rules of money) go on, and would no longer be such when all were enabled at once
    triggers = connection.execute(
        "SELECT tgrelid::regclass::text, tgname::text FROM pg_trigger"
        " WHERE tgrelid = ANY(%s::regclass[]) AND NOT tgisinternal AND tgenabled = 'O' ORDER BY 1, 2",
        (tables,),
    ).fetchall()
    rest, wake = (
        [
            sql.SQL("ALTER TABLE {} {} TRIGGER {}").format(
                sql.Identifier(str(table)), sql.SQL(verb), sql.Identifier(str(name))
            )
            for table, name in triggers
        ]
        for verb in ("DISABLE", "ENABLE")
    )
    for statement in rest:
        connection.execute(statement)
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
    woken = [statement.as_bytes(connection) for statement in wake]
    return [*keys, *(str(definition).encode() for _index, definition in indexes), *foreign, *woken]
