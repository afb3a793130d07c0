"""What is open as of the end of a business day: what is open now, and what was matched with something later."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.queries import balances
from dashboard.treasury.matching.models import CarriedIn, MatchPlace, MatchRun
from dashboard.treasury.matching.queries.rules import in_force
from dashboard.treasury.matching.queries.windows import in_time, timing_from
from dashboard.treasury.matching.vocabulary import RunState
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.statements import queries as statements
from dashboard.treasury.statements.models import Statement

#: side, identifier, amount and booking date of every row that is open as of the end of :day, and whether it was matched
#: with something later
OPEN_ON = """
SELECT o.side, o.item_id, o.amount_minor, o.booking_date, false AS later FROM open_item o
WHERE o.bank_account_id = :bank AND o.booking_date <= :day
UNION ALL
SELECT 'bank', l.line_id, l.amount_minor, l.booking_date, true
FROM recon_match m JOIN match_line l ON l.match_id = m.id
WHERE m.bank_account_id = :bank AND m.state = 'live' AND m.first_on < m.last_on AND m.last_on > :day
  AND m.first_on <= :day AND l.booking_date <= :day
UNION ALL
SELECT 'ledger', t.transaction_id, t.amount_minor, t.booking_date, true
FROM recon_match m JOIN match_transaction t ON t.match_id = m.id
WHERE m.bank_account_id = :bank AND m.state = 'live' AND m.first_on < m.last_on AND m.last_on > :day
  AND m.first_on <= :day AND t.booking_date <= :day
"""

#: the day as of which a row of the ledger has to be at the bank
_DUE = (
    "(SELECT greatest(t.booking_date, t.value_date, p.value_date) FROM ledger_transaction t"
    " JOIN payment p ON p.id = t.payment_id WHERE t.id = {0})"
)

#: breaks as of the end of :day, each with those of its rows that were there then. A ledger row alone that still had
#: time then was none yet. :settled are those that a later match has ended, but not in time
BREAKS_ON = f"""
SELECT b.id, CASE WHEN b.bank_on <= :day THEN b.line_id END AS line_id,
       CASE WHEN b.ledger_on <= :day THEN b.transaction_id END AS transaction_id,
       CASE WHEN b.bank_on <= :day THEN b.bank_minor ELSE 0 END
       - CASE WHEN b.ledger_on <= :day THEN b.ledger_minor ELSE 0 END AS part,
       coalesce(b.resolution = 'accepted', false) AS accepted
FROM recon_break b
WHERE b.id IN (SELECT id FROM recon_break WHERE bank_account_id = :bank AND since <= :day AND state <> 'resolved'
               UNION ALL SELECT id FROM recon_break
               WHERE bank_account_id = :bank AND since <= :day AND resolution = 'accepted'
               UNION ALL SELECT x.id FROM unnest(CAST(:settled AS uuid[])) AS s (id)
               JOIN recon_break x ON x.id = s.id WHERE x.bank_account_id = :bank)
  AND (b.bank_on <= :day OR b.kind = 'duplicateInLedger' OR {_DUE.format("b.transaction_id")} < :before)
"""

#: rows open as of the end of :day that no break tells of: `explained` where a later match, a proposal or its time does
UNBROKEN_ON = f"""
WITH told AS MATERIALIZED ({BREAKS_ON}), broken AS MATERIALIZED (
    SELECT 'bank' AS side, line_id AS item_id FROM told WHERE line_id IS NOT NULL
    UNION ALL SELECT 'ledger', transaction_id FROM told WHERE transaction_id IS NOT NULL
), proposed AS MATERIALIZED (
    SELECT 'bank' AS side, l.line_id AS item_id FROM recon_match m JOIN match_line l ON l.match_id = m.id
    WHERE m.bank_account_id = :bank AND m.state = 'proposed'
    UNION ALL
    SELECT 'ledger', t.transaction_id FROM recon_match m JOIN match_transaction t ON t.match_id = m.id
    WHERE m.bank_account_id = :bank AND m.state = 'proposed'
)
SELECT o.side, o.item_id, o.amount_minor, o.booking_date,
       o.later OR EXISTS (SELECT 1 FROM proposed w WHERE w.side = o.side AND w.item_id = o.item_id)
       OR o.side = 'ledger' AND (o.booking_date >= :before OR {_DUE.format("o.item_id")} >= :before) AS explained
FROM ({OPEN_ON}) AS o
WHERE NOT EXISTS (SELECT 1 FROM broken b WHERE b.side = o.side AND b.item_id = o.item_id)
"""

_SUMS = sa.text(
    "SELECT coalesce(sum(amount_minor) FILTER (WHERE side = 'bank' AND amount_minor > 0), 0),"
    " coalesce(-sum(amount_minor) FILTER (WHERE side = 'bank' AND amount_minor < 0), 0),"
    " coalesce(sum(amount_minor) FILTER (WHERE side = 'ledger' AND amount_minor > 0), 0),"
    " coalesce(-sum(amount_minor) FILTER (WHERE side = 'ledger' AND amount_minor < 0), 0)"
    f" FROM ({OPEN_ON}) AS o"
)


def _of_each(query: str) -> sa.TextClause:
    """A query about :bank, asked of each of :banks: each of them is answered the way one is."""
    about = query.replace(":bank", "k.bank")
    return sa.text(
        f"SELECT k.bank, x.* FROM unnest(CAST(:banks AS uuid[])) AS k (bank) CROSS JOIN LATERAL ({about}) AS x"
    )


_TIMING = _of_each(
    "SELECT coalesce(sum(CASE side WHEN 'bank' THEN amount_minor ELSE -amount_minor END) FILTER (WHERE explained), 0)"
    f" AS timing, count(*) FILTER (WHERE NOT explained) AS untold FROM ({UNBROKEN_ON}) AS u"
)
_BREAKS = _of_each(
    "SELECT coalesce(sum(part), 0) AS breaks, coalesce(sum(part) FILTER (WHERE accepted), 0) AS accepted,"
    f" count(*) FILTER (WHERE NOT accepted) AS unresolved FROM ({BREAKS_ON}) AS b"
)
_SETTLED = sa.text(
    "SELECT b.id, b.since, m.last_on FROM recon_match m JOIN recon_break b ON b.match_id = m.id"
    " WHERE m.bank_account_id = ANY (:banks) AND m.state = 'live' AND m.first_on < m.last_on AND m.last_on > :day"
    " AND m.first_on <= :day AND b.state = 'resolved' AND b.since <= :day"
)


def as_of(bank_account_id: UUID, day: date) -> dict[str, Any]:
    """What the queries of this module want to know of a bank account and day."""
    return {"bank": bank_account_id, **_moment([bank_account_id], day)}


def _moment(bank_account_ids: Collection[UUID], day: date) -> dict[str, Any]:
    rules, banks = in_force(), list(bank_account_ids)
    settled = session().execute(_SETTLED, {"banks": banks, "day": day}).all()
    return {
        "day": day,
        "before": timing_from(day, rules),
        # over in time, it was a matter of timing
        "settled": [row[0] for row in settled if not in_time(row[1], row[2], rules)],
    }


@dataclass(frozen=True)
class OpenItems:
    """Sums of what is open as of the end of a day, positive, in minor units. `seen`: a run has looked at the ledger of
    that day; without one its ledger side is not known, and both sums of it are None."""

    bank_account_id: UUID
    day: date
    bank_in_minor: int
    bank_out_minor: int
    ledger_in_minor: int | None
    ledger_out_minor: int | None
    seen: bool


@dataclass(frozen=True)
class Equation:
    """Ledger + timing + breaks + what was carried in and accepted = statement, and what none of them explains. Minor
    units as the bank sees them.

    None is not known: no run yet, or no statement. `accepted_minor` is the part of the breaks that people let stand.
    Timing are rows that a later match, a proposal or their time explains, row by row; `untold` is how many rows nothing
    tells of: they are part of what is unexplained, and came after the last run.
    """

    bank_account_id: UUID
    day: date
    ledger_minor: int | None
    timing_minor: int | None
    breaks_minor: int | None
    accepted_minor: int | None
    breaks_open: int
    statement_minor: int | None
    unexplained_minor: int | None
    #: what the bank had more before the first day of the first statement than the ledger. Part of the unexplained,
    #: unless two people let it stand (`carried_accepted`)
    carried_minor: int | None
    carried_accepted: bool
    begins_on: date | None
    statement_id: UUID | None
    statement_day: date | None
    ran_at: datetime | None
    untold: int = 0


def open_items(bank_account_id: UUID, day: date) -> OpenItems:
    """Unmatched credits and debits of both sides as of the end of that day."""
    swept = session().scalar(sa.select(MatchPlace.swept_on).where(MatchPlace.bank_account_id == bank_account_id))
    sums = session().execute(_SUMS, {"bank": bank_account_id, "day": day}).one()
    seen = swept is not None and swept >= day
    return OpenItems(
        bank_account_id, day, int(sums[0]), int(sums[1]), int(sums[2]) if seen else None,
        int(sums[3]) if seen else None, seen,
    )  # fmt: skip


def statement_for(view: BankAccountView, day: date) -> Statement | None:
    """The standing statement whose closing balance is that of the end of `day`: of that day, or the latest before it
    when nothing is reconciled between them."""
    return _fitting(view, statements.latest(view.id, day), day)


def _fitting(view: BankAccountView, found: Statement | None, day: date) -> Statement | None:
    if found is None or found.last_day == day:
        return found
    if register.not_a_reconciliation_day(view, day) is None:
        return None
    return found if register.previous_reconciliation_day(view, day) <= found.last_day else None


def last_run(bank_account_id: UUID, day: date, *, dry: bool = False) -> MatchRun | None:
    """The newest finished run of a day."""
    return _last_runs([bank_account_id], day, dry=dry).get(bank_account_id)


def ever_ran() -> bool:
    """Whether a ledger and a statement were ever compared to the end."""
    query = sa.select(MatchRun.id).where(MatchRun.state == RunState.FINISHED.value, MatchRun.dry.is_(False)).limit(1)
    return session().scalar(query) is not None


def _last_runs(bank_account_ids: Collection[UUID], day: date, *, dry: bool = False) -> dict[UUID, MatchRun]:
    rows = session().scalars(
        sa.select(MatchRun)
        .distinct(MatchRun.bank_account_id)
        .where(
            MatchRun.bank_account_id.in_(bank_account_ids), MatchRun.day == day, MatchRun.dry.is_(dry),
            MatchRun.state == RunState.FINISHED.value,
        )
        .order_by(MatchRun.bank_account_id, MatchRun.id.desc())
        .execution_options(populate_existing=True)
    )  # fmt: skip
    return {row.bank_account_id: row for row in rows}


_FIRST_DAY = sa.func.coalesce(Statement.first_day, Statement.last_day)


def _first_statements(bank_account_ids: Collection[UUID]) -> dict[UUID, tuple[date, int | None]]:
    """First day and opening balance of the first standing statement of each."""
    rows = session().execute(
        sa.select(Statement.bank_account_id, _FIRST_DAY, Statement.opening_minor)
        .distinct(Statement.bank_account_id)
        .where(
            Statement.bank_account_id.in_(bank_account_ids), Statement.standing.is_(True),
            Statement.kind == "statement",
        )
        .order_by(
            Statement.bank_account_id, _FIRST_DAY, Statement.last_day, Statement.sequence, Statement.page,
            Statement.id,
        )
    )  # fmt: skip
    return {row[0]: (row[1], row[2]) for row in rows}


def begins_on(bank_account_id: UUID) -> date | None:
    """First day of the first standing statement."""
    found = _first_statements([bank_account_id]).get(bank_account_id)
    return found[0] if found is not None else None


@dataclass(frozen=True)
class Beginning:
    """Where comparing begins: the opening balance of the first statement, and the ledger's balance of the evening
    before. Minor units, as the bank sees them. `accepted`: two people let the difference of these two stand."""

    begins_on: date
    opening_minor: int
    ledger_minor: int
    accepted: CarriedIn | None

    @property
    def carried_minor(self) -> int:
        return self.opening_minor - self.ledger_minor


def beginning(bank_account_id: UUID, account_id: UUID | None) -> Beginning | None:
    """None: nothing has been compared yet, or the first statement does not tell its opening balance."""
    begins = session().scalar(sa.select(MatchPlace.begins_on).where(MatchPlace.bank_account_id == bank_account_id))
    return _beginnings({bank_account_id: account_id}, {bank_account_id: begins}).get(bank_account_id)


def _beginnings(
    settlements: Mapping[UUID, UUID | None], begun: Mapping[UUID, date | None]
) -> dict[UUID, Beginning]:  # fmt: skip
    """By bank account, with its settlement account and the day on which comparing begins."""
    known = [key for key, account_id in settlements.items() if account_id is not None and begun.get(key) is not None]
    if not known:
        return {}
    firsts = {
        key: (first, opening)
        for key, (first, opening) in _first_statements(known).items()
        if first == begun[key] and opening is not None
    }
    accepted = {
        (row.bank_account_id, row.begins_on, row.opening_minor, row.ledger_minor): row
        for row in session().scalars(sa.select(CarriedIn).where(CarriedIn.bank_account_id.in_(firsts)))
    }
    # banks that begin on one day are looked at together
    stood: dict[UUID, int] = {}
    for begins in {first for first, _ in firsts.values()}:
        accounts = {settlements[key] for key, (first, _) in firsts.items() if first == begins}
        before = balances.at_end_of([one for one in accounts if one is not None], begins - timedelta(days=1))
        stood |= {account_id: found.posted for account_id, found in before.items()}
    found = {}
    for key, (begins, opening) in firsts.items():
        account_id = settlements[key]
        ledger = -stood.get(account_id, 0) if account_id is not None else 0
        stands = accepted.get((key, begins, opening, ledger)) if opening != ledger else None
        found[key] = Beginning(begins, opening, ledger, stands)
    return found


def equation(bank_account_id: UUID, day: date) -> Equation:
    """How the ledger of a bank account comes to its statement as of the end of a day. Raises NotFound."""
    return equations([register.account(bank_account_id)], day)[bank_account_id]


def equations(views: Collection[BankAccountView], day: date) -> dict[UUID, Equation]:
    """The same of several bank accounts, in as many queries as of one."""
    by_id = {view.id: view for view in views}
    if not by_id:
        return {}
    settlements = {view.id: view.settlement_account_id for view in views}
    posted = balances.at_end_of([one for one in settlements.values() if one is not None], day)
    told = statements.latest_of(by_id, day)
    places = {
        row.bank_account_id: row
        for row in session().execute(
            sa.select(MatchPlace.bank_account_id, MatchPlace.swept_on, MatchPlace.begins_on).where(
                MatchPlace.bank_account_id.in_(by_id)
            )
        )
    }
    seen = [key for key, row in places.items() if row.swept_on is not None and row.swept_on >= day]
    moment = _moment(by_id, day)
    breaks = {row.bank: row for row in session().execute(_BREAKS, {**moment, "banks": list(by_id)})}
    timing = {row.bank: row for row in session().execute(_TIMING, {**moment, "banks": seen})} if seen else {}
    begins = _beginnings({key: settlements[key] for key in seen}, {key: places[key].begins_on for key in seen})
    runs = _last_runs(by_id, day)
    found = {}
    for key, view in by_id.items():
        ledger = posted.get(view.settlement_account_id) if view.settlement_account_id is not None else None
        found[key] = _equation(
            view, day, -ledger.posted if ledger is not None else None, _fitting(view, told.get(key), day),
            breaks[key], timing.get(key), begins.get(key), runs.get(key),
        )  # fmt: skip
    return found


def _equation(
    view: BankAccountView, day: date, ledger: int | None, statement: Statement | None, told: sa.Row[Any],
    rest: sa.Row[Any] | None, begins: Beginning | None, run: MatchRun | None,
) -> Equation:  # fmt: skip
    closing = statement.closing_minor if statement is not None else None
    # without a run that looked at the ledger of the day, its side is not known
    timing = int(rest.timing) if rest is not None else None
    breaks = int(told.breaks) if rest is not None else None
    stands = begins.carried_minor if begins is not None and begins.accepted is not None else 0
    known = closing is not None and ledger is not None and timing is not None and breaks is not None
    return Equation(
        bank_account_id=view.id,
        day=day,
        ledger_minor=ledger,
        timing_minor=timing,
        breaks_minor=breaks,
        accepted_minor=int(told.accepted) if rest is not None else None,
        breaks_open=int(told.unresolved),
        statement_minor=closing,
        carried_minor=begins.carried_minor if begins is not None else None,
        carried_accepted=begins is not None and begins.accepted is not None,
        begins_on=begins.begins_on if begins is not None else None,
        unexplained_minor=closing - ledger - timing - breaks - stands if known else None,  # type: ignore[operator]
        statement_id=statement.id if statement is not None else None,
        statement_day=statement.last_day if statement is not None else None,
        ran_at=run.finished_at if run is not None else None,
        untold=int(rest.untold) if rest is not None else 0,
    )
