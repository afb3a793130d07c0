"""Statements as others read them. Only what stands counts: of a day the last page, of a telling the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.treasury import vocabulary as words
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.statements.models import (
    CsvMapping,
    Statement,
    StatementEntry,
    StatementImport,
    StatementLine,
)
from dashboard.treasury.vocabulary import Continuity, StatementKind, TieOut

_table = Statement
#: the last one first: by day, number and page
_LAST = (
    _table.last_day.desc(), sa.func.coalesce(_table.sequence, 0).desc(), sa.func.coalesce(_table.page, 0).desc(),
    sa.func.coalesce(_table.first_day, _table.last_day).desc(), _table.key.desc(),
)  # fmt: skip


def _standing() -> sa.Select[Statement]:
    return sa.select(_table).where(_table.standing, _table.kind == StatementKind.STATEMENT.value)


def of_days(bank_account_ids: Collection[UUID], day: date) -> dict[UUID, list[Statement]]:
    """Statements that end on that day, by bank account, as they follow one another: the last is the one whose closing
    balance is that of the end of the day. One query.

    Balances tell the order, wherever they do: the day ends with what is closed with once more often than opened with.
    Then the numbers of statement and page; without those, the order in which they were told.
    """
    return _in_order(_standing().where(_table.bank_account_id.in_(bank_account_ids), _table.last_day == day))


def _in_order(query: sa.Select[Statement]) -> dict[UUID, list[Statement]]:
    """Statements of one day of each bank account, as they follow one another."""
    found: dict[UUID, list[Statement]] = {}
    for row in session().scalars(query.execution_options(populate_existing=True)):
        found.setdefault(row.bank_account_id, []).append(row)
    for told in found.values():
        ends = Counter(one.closing_minor for one in told)
        ends.subtract(Counter(one.opening_minor for one in told))
        told.sort(key=lambda one: _order(one, ends))
    return found


def _order(one: Statement, ends: Counter[int | None]) -> tuple[Any, ...]:
    return (
        one.closing_minor is not None and ends[one.closing_minor] > 0, one.sequence or 0, one.page or 0,
        one.first_day or one.last_day, one.created_at, one.place or 0, one.id,
    )  # fmt: skip


def of_day(bank_account_id: UUID, day: date) -> Statement | None:
    """The statement that ends on that day; of several the one that the day ends with."""
    found = of_days([bank_account_id], day)
    return found[bank_account_id][-1] if found else None


def latest(bank_account_id: UUID, up_to: date) -> Statement | None:
    """The last statement that ends on that day or before."""
    return latest_of([bank_account_id], up_to).get(bank_account_id)


def latest_of(bank_account_ids: Collection[UUID], up_to: date) -> dict[UUID, Statement]:
    """Of each bank account the last statement that ends on that day or before. Two queries, however many there are."""
    newest = session().execute(
        sa.select(_table.bank_account_id, sa.func.max(_table.last_day))
        .where(
            _table.standing, _table.kind == StatementKind.STATEMENT.value,
            _table.bank_account_id.in_(bank_account_ids), _table.last_day <= up_to,
        )
        .group_by(_table.bank_account_id)
    )  # fmt: skip
    days = [tuple(row) for row in newest]
    if not days:
        return {}
    told = _in_order(_standing().where(sa.tuple_(_table.bank_account_id, _table.last_day).in_(days)))
    return {bank_account_id: found[-1] for bank_account_id, found in told.items()}


@dataclass(frozen=True)
class Closing:
    """A closing balance as of a day; `minor` None: no data. `as_of` is the day the balance is of."""

    minor: int | None
    statement_id: UUID | None
    as_of: date | None


def closing(bank_account_id: UUID, day: date) -> Closing:
    """What lay at the bank at the end of a day: its own statement, or the latest one before where between them there
    is no day of reconciliation of this bank account. Unknown is None, never zero."""
    found = closing_statements([register.account(bank_account_id)], day).get(bank_account_id)
    return Closing(None, None, None) if found is None else Closing(found.closing_minor, found.id, found.last_day)


def closing_statements(views: Collection[BankAccountView], day: date) -> dict[UUID, Statement]:
    """The statements in which the closing balances of a day stand, by bank account, in two queries. A bank account
    without one is left out: what lay there is not known."""
    found = latest_of([view.id for view in views], day)
    known = {view.id: view for view in views}
    return {key: one for key, one in found.items() if _holds(known[key], one, day)}


def _holds(view: BankAccountView, statement: Statement, day: date) -> bool:
    """Whether nothing was reconciled between the end of the statement and that of the day."""
    between = (statement.last_day + timedelta(days=count) for count in range(1, (day - statement.last_day).days + 1))
    return all(register.not_a_reconciliation_day(view, each) is not None for each in between)


@dataclass(frozen=True)
class StatementState:
    """How a bank account stands on a day. `since`: when it became late, or was imported; `holiday` by name."""

    account: BankAccountView
    state: words.StatementState
    statement: Statement | None
    since: datetime | None
    holiday: str | None


def due_at(view: BankAccountView, day: date) -> datetime | None:
    """When the statement of a day is expected: on the next calendar day, in the institution's zone; in UTC."""
    if view.expected_at is None:
        return None
    return datetime.combine(day + timedelta(days=1), view.expected_at, clock.calendar().zone).astimezone(UTC)


def states(day: date) -> list[StatementState]:
    """Every open bank account that gives statements, in two queries."""
    views = [
        view for view in register.accounts(include_closed=True) if view.statement_format and not view.closed_by(day)
    ]
    ids = [view.id for view in views]
    by_account = {account_id: told[-1] for account_id, told in of_days(ids, day).items()}
    return [_state(view, day, by_account.get(view.id)) for view in views]


def _state(view: BankAccountView, day: date, statement: Statement | None) -> StatementState:
    states = words.StatementState
    holiday = register.not_a_reconciliation_day(view, day)
    if statement is not None:
        failed = statement.tie_out == TieOut.FAILED
        state = states.TIE_OUT_FAILED if failed else states.NO_RECONCILIATION if holiday else states.IMPORTED
        return StatementState(view, state, statement, statement.created_at, holiday)
    if holiday is not None:
        return StatementState(view, states.NO_RECONCILIATION, None, None, holiday)
    due = due_at(view, day)
    late = due is not None and due < clock.now()
    return StatementState(view, states.LATE if late else states.EXPECTED, None, due, None)


# --- findings ------------------------------------------------------------------------------------------------------


def findings(*, since: date | None = None, limit: int = 1_000) -> Sequence[Statement]:
    """Standing statements that do not tie out or do not follow the one before, newest day first."""
    query = _standing().where(
        sa.or_(_table.tie_out == TieOut.FAILED.value, _table.continuity == Continuity.FAILED.value)
    )
    if since is not None:
        query = query.where(_table.last_day >= since)
    return session().scalars(query.order_by(_table.last_day.desc(), _table.id.desc()).limit(limit)).all()


@dataclass(frozen=True)
class Gap:
    """Why a statement does not follow: `expected_minor` is what the one before closed with, `missing` the numbers
    that are not there (at most the first and the last of them)."""

    expected_minor: int | None
    before: Statement | None
    missing: tuple[int, int] | None


def gap(statement: Statement) -> Gap:
    """What continuity failed at."""
    others = _standing().where(
        _table.bank_account_id == statement.bank_account_id,
        _table.id != statement.id,
        _table.last_day <= statement.last_day,
    )
    before = session().scalar(
        others.where(_table.last_day <= (statement.first_day or statement.last_day)).order_by(*_LAST).limit(1)
    )
    missing = None
    if statement.sequence is not None:
        year = date(statement.last_day.year, 1, 1)
        number = session().scalar(
            sa.select(sa.func.max(_table.sequence)).where(
                _table.standing,
                _table.kind == StatementKind.STATEMENT.value,
                _table.bank_account_id == statement.bank_account_id,
                _table.sequence < statement.sequence,
                _table.last_day.between(year, date(year.year, 12, 31)),
            )
        )
        if number is not None and number < statement.sequence - 1:
            missing = (number + 1, statement.sequence - 1)
    expected = before.closing_minor if before is not None else None
    differs = expected is not None and statement.opening_minor is not None and expected != statement.opening_minor
    return Gap(expected if differs else None, before, missing)


# --- imports, for their pages --------------------------------------------------------------------------------------


def imports(
    *, state: str | None = None, before: UUID | None = None, after: UUID | None = None, limit: int
) -> list[StatementImport]:
    """Newest first. `before`: those older than an import; `after`: those newer than it."""
    table = StatementImport
    query = (
        sa.select(table)
        .order_by(table.id.asc() if after else table.id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if state is not None:
        query = query.where(table.state == state)
    if before is not None:
        query = query.where(table.id < before)
    if after is not None:
        query = query.where(table.id > after)
    found = list(session().scalars(query))
    return found[::-1] if after else found


def all_imports(*, state: str | None = None) -> Iterator[StatementImport]:
    """Newest first, in pieces."""
    query = sa.select(StatementImport).order_by(StatementImport.id.desc())
    if state is not None:
        query = query.where(StatementImport.state == state)
    yield from session().scalars(query.execution_options(yield_per=500))


def one_import(import_id: UUID) -> StatementImport:
    """Raises NotFound."""
    found = session().get(StatementImport, import_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such import.", code="importNotFound")
    return found


def mapping_of(row: StatementImport) -> CsvMapping | None:
    return session().get(CsvMapping, row.mapping_id) if row.mapping_id else None


def statements_of(import_id: UUID, *, limit: int = 500) -> Sequence[Statement]:
    """In the order of the file."""
    return (
        session()
        .scalars(
            sa.select(_table)
            .where(_table.import_id == import_id)
            .order_by(_table.place)
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        .all()
    )


def one(statement_id: UUID) -> Statement:
    """Raises NotFound."""
    found = session().get(Statement, statement_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such statement.", code="statementNotFound")
    return found


@dataclass(frozen=True)
class EntryView:
    """An entry with its lines in order."""

    entry: StatementEntry
    lines: Sequence[StatementLine]


def entries(statement_id: UUID, *, before: int | None = None, after: int | None = None, limit: int) -> list[EntryView]:
    """By number; with their lines, in two queries."""
    table = StatementEntry
    query = sa.select(table).where(table.statement_id == statement_id).limit(limit)
    query = query.order_by(table.number.desc() if before is not None else table.number)
    if before is not None:
        query = query.where(table.number < before)
    if after is not None:
        query = query.where(table.number > after)
    found = list(session().scalars(query))
    found = found[::-1] if before is not None else found
    lines: dict[UUID, list[StatementLine]] = {}
    rows = sa.select(StatementLine).where(StatementLine.entry_id.in_([each.id for each in found]))
    for line in session().scalars(rows.order_by(StatementLine.entry_id, StatementLine.position)):
        lines.setdefault(line.entry_id, []).append(line)
    return [EntryView(each, lines.get(each.id, ())) for each in found]


def exported(statement_id: UUID) -> sa.Executable:
    """Entries and details as one list, for a file: rows of mappings."""
    entry, line = StatementEntry, StatementLine
    return (
        sa.select(
            entry.number, line.position, entry.booking_date, entry.value_date, line.amount_minor, line.currency,
            entry.status, entry.bank_reference, line.end_to_end_id, line.counterparty, line.counterparty_account,
            line.remittance, entry.code,
        )
        .join(line, line.entry_id == entry.id)
        .where(entry.statement_id == statement_id)
        .order_by(entry.number, line.position)
    )  # fmt: skip
