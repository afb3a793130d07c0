"""Reading balance checks: the comparison itself, runs, findings. Amounts are minor units."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.approvals.models import ApprovalRequest
from dashboard.background.models import BackgroundJob
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger.models import Account, AccountBalance, BalanceCheck, BalanceFinding
from dashboard.ledger.vocabulary import CheckScope
from dashboard.money import Money


@dataclass(frozen=True, slots=True)
class Balances:
    """Posted and held of one account."""

    posted: int
    held: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What is stored and what the transactions say, at one moment. `touched`: the rows that a payment has moved
    since the last look, as (slot, row version)."""

    account_id: UUID
    number: str
    currency: str
    stored: Balances
    rebuilt: Balances
    touched: tuple[tuple[int, str], ...]

    @property
    def differs(self) -> bool:
        return self.stored != self.rebuilt


#: One statement, hence one snapshot: a payment is in both sums or in neither, however many run meanwhile.
_COMPARE = sa.text("""
WITH stored AS (
    SELECT b.account_id AS id, sum(b.posted)::bigint AS posted, sum(b.held)::bigint AS held,
           array_agg(b.slot) FILTER (WHERE b.touched) AS slots,
           array_agg(b.xmin::text) FILTER (WHERE b.touched) AS versions
    FROM account_balance b WHERE b.account_id = ANY (CAST(:ids AS uuid[])) GROUP BY b.account_id
), debits AS (
    SELECT t.debtor_account_id AS id,
           coalesce(sum(t.amount_minor) FILTER (WHERE t.state = 'posted'), 0)::bigint AS posted,
           coalesce(sum(t.amount_minor) FILTER (WHERE t.state = 'pending'), 0)::bigint AS pending
    FROM ledger_transaction t
    WHERE t.debtor_account_id = ANY (CAST(:ids AS uuid[])) AND t.state IN ('posted', 'pending')
    GROUP BY t.debtor_account_id
), credits AS (
    SELECT t.creditor_account_id AS id, sum(t.amount_minor)::bigint AS posted
    FROM ledger_transaction t
    WHERE t.creditor_account_id = ANY (CAST(:ids AS uuid[])) AND t.state = 'posted'
    GROUP BY t.creditor_account_id
)
SELECT a.id, a.number, a.currency, coalesce(s.posted, 0) AS posted, coalesce(s.held, 0) AS held,
       coalesce(c.posted, 0) - coalesce(d.posted, 0) AS rebuilt_posted,
       CASE WHEN a.type = 'client' THEN coalesce(d.pending, 0) ELSE 0 END AS rebuilt_held,
       s.slots, s.versions
FROM account a
LEFT JOIN stored s ON s.id = a.id LEFT JOIN debits d ON d.id = a.id LEFT JOIN credits c ON c.id = a.id
WHERE a.id = ANY (CAST(:ids AS uuid[]))
ORDER BY a.id
""")


def compare(account_ids: Collection[UUID]) -> list[Compared]:
    """Stored balances and what the transactions say, in the order of the accounts."""
    rows = session().execute(_COMPARE, {"ids": list(account_ids)})
    return [
        Compared(
            account_id=row.id,
            number=row.number,
            currency=row.currency,
            stored=Balances(row.posted, row.held),
            rebuilt=Balances(row.rebuilt_posted, row.rebuilt_held),
            touched=tuple(zip(row.slots or (), row.versions or (), strict=True)),
        )
        for row in rows
    ]


def all_after(edge: UUID | None, limit: int) -> list[UUID]:
    """The next accounts in the order of their identifiers."""
    query = sa.select(Account.id).order_by(Account.id).limit(limit)
    return list(session().scalars(query.where(Account.id > edge) if edge else query))


#: each part walks its own index from the edge; the marker stays on whatever is moved behind it
_TOUCHED = """
SELECT account_id FROM (
    (SELECT DISTINCT b.account_id FROM account_balance b WHERE b.touched {balance} ORDER BY b.account_id LIMIT :limit)
    UNION
    (SELECT f.account_id FROM balance_finding f WHERE f.state = 'open' {finding} ORDER BY f.account_id LIMIT :limit)
) AS due ORDER BY account_id LIMIT :limit
"""
_TOUCHED_FIRST = sa.text(_TOUCHED.format(balance="", finding=""))
_TOUCHED_NEXT = sa.text(_TOUCHED.format(balance="AND b.account_id > :edge", finding="AND f.account_id > :edge"))


def touched_after(edge: UUID | None, limit: int) -> list[UUID]:
    """The next accounts that money moved on since the last look, and those with an open finding."""
    if edge is None:
        return list(session().scalars(_TOUCHED_FIRST, {"limit": limit}))
    return list(session().scalars(_TOUCHED_NEXT, {"limit": limit, "edge": edge}))


def count_all() -> int:
    """Accounts."""
    return session().scalar(sa.select(sa.func.count()).select_from(Account)) or 0


def at_most(limit: int) -> list[UUID] | None:
    """All accounts where there are no more than so many; else None."""
    found = all_after(None, limit + 1)
    return found if len(found) <= limit else None


def count_touched() -> int:
    """Accounts that money moved on since the last look."""
    query = sa.select(sa.func.count(sa.distinct(AccountBalance.account_id))).where(AccountBalance.touched)
    return session().scalar(query) or 0


def ids_of(numbers: Sequence[str]) -> dict[str, UUID]:
    """Accounts by number."""
    rows = session().execute(sa.select(Account.number, Account.id).where(Account.number.in_(numbers)))
    return {row.number: row.id for row in rows}


def unknown(account_ids: Collection[UUID]) -> list[UUID]:
    """Those among the identifiers that no account has."""
    known = set(session().scalars(sa.select(Account.id).where(Account.id.in_(list(account_ids)))))
    return [account_id for account_id in account_ids if account_id not in known]


def open_findings_on(account_ids: Collection[UUID]) -> dict[UUID, BalanceFinding]:
    """Open findings by account."""
    query = (
        sa.select(BalanceFinding)
        .where(BalanceFinding.account_id.in_(list(account_ids)), BalanceFinding.state == "open")
        .execution_options(populate_existing=True)
    )
    return {finding.account_id: finding for finding in session().scalars(query)}


def check_of(job_id: UUID) -> BalanceCheck | None:
    """The run that a background job began: it has the job's identifier."""
    return session().get(BalanceCheck, job_id, populate_existing=True)


@dataclass(frozen=True)
class RunView:
    """One run as a page shows it. `state`: running, finished, failed or canceled; `differences` counts what was
    found among the `accounts` that were looked at, and means all of them only when the run has finished."""

    id: UUID
    scope: str
    started_at: datetime
    finished_at: datetime | None
    accounts: int
    differences: int
    by_kind: str
    by_id: UUID | None
    by_name: str
    state: str


@dataclass(frozen=True)
class FindingView:
    """One difference with its account."""

    id: UUID
    account_id: UUID
    number: str
    type: str
    currency: str
    owner_id: UUID | None
    found_at: datetime
    stored: Balances
    rebuilt: Balances
    state: str
    closed_at: datetime | None
    approval_id: UUID | None

    def money(self, minor: int) -> Money:
        return Money(minor, self.currency)

    @property
    def difference(self) -> Balances:
        """Rebuilt minus stored."""
        return Balances(self.rebuilt.posted - self.stored.posted, self.rebuilt.held - self.stored.held)


def runs(*, before: UUID | None = None, after: UUID | None = None, limit: int) -> list[RunView]:
    """Newest first. `before`: those older than a run; `after`: those newer than it."""
    table = BalanceCheck
    query = (
        sa.select(table, BackgroundJob.state.label("job_state"))
        .outerjoin(BackgroundJob, BackgroundJob.id == table.job_id)
        .order_by(table.id.asc() if after else table.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(table.id < before)
    if after is not None:
        query = query.where(table.id > after)
    found = []
    for run, job_state in session().execute(query.execution_options(populate_existing=True)):
        state = "finished" if run.finished_at else job_state if job_state in {"failed", "canceled"} else "running"
        found.append(
            RunView(
                run.id, run.scope, run.started_at, run.finished_at, run.accounts, run.differences, run.by_kind,
                run.by_id, run.by_name, state,
            )
        )  # fmt: skip
    return found[::-1] if after else found


def _finding_views() -> sa.Select[BalanceFinding, Account]:
    return sa.select(BalanceFinding, Account).join(Account, Account.id == BalanceFinding.account_id)


def _view(finding: BalanceFinding, account: Account) -> FindingView:
    return FindingView(
        id=finding.id,
        account_id=account.id,
        number=account.number,
        type=account.type,
        currency=account.currency,
        owner_id=account.owner_id,
        found_at=finding.found_at,
        stored=Balances(finding.stored_posted, finding.stored_held),
        rebuilt=Balances(finding.rebuilt_posted, finding.rebuilt_held),
        state=finding.state,
        closed_at=finding.closed_at,
        approval_id=finding.approval_id,
    )


def finding(finding_id: UUID) -> FindingView:
    """Raises NotFound."""
    row = (
        session()
        .execute(
            _finding_views().where(BalanceFinding.id == finding_id).execution_options(populate_existing=True)
        )
        .first()
    )  # fmt: skip
    if row is None:
        raise NotFound("There is no such finding.", code="findingNotFound")
    return _view(*row)


def findings(
    *, states: Sequence[str], before: UUID | None = None, after: UUID | None = None, limit: int
) -> list[FindingView]:
    """Newest first. `before`: those older than a finding; `after`: those newer than it."""
    query = (
        _finding_views()
        .where(BalanceFinding.state.in_(states))
        .order_by(BalanceFinding.id.asc() if after else BalanceFinding.id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if before is not None:
        query = query.where(BalanceFinding.id < before)
    if after is not None:
        query = query.where(BalanceFinding.id > after)
    found = [_view(*row) for row in session().execute(query)]
    return found[::-1] if after else found


def count_open_findings() -> int:
    """Open findings."""
    query = sa.select(sa.func.count()).select_from(BalanceFinding).where(BalanceFinding.state == "open")
    return session().scalar(query) or 0


def ever_finished() -> bool:
    """Whether any check of more than given accounts came to its end; before that nothing is known of the others."""
    query = sa.select(BalanceCheck.id).where(
        BalanceCheck.finished_at.is_not(None), BalanceCheck.scope != CheckScope.CHOSEN.value
    )
    return session().scalar(query.limit(1)) is not None


def findings_of(finding_ids: Collection[UUID]) -> dict[UUID, FindingView]:
    """Findings by identifier, in one query."""
    rows = session().execute(_finding_views().where(BalanceFinding.id.in_(list(finding_ids))))
    return {row[0].id: _view(*row) for row in rows}


def waiting_for_decision(finding_ids: Collection[UUID], *, kind: str) -> dict[UUID, UUID]:
    """Open requests about findings, by finding."""
    rows = session().execute(
        sa.select(ApprovalRequest.object_id, ApprovalRequest.id).where(
            ApprovalRequest.kind == kind,
            ApprovalRequest.object_id.in_(list(finding_ids)),
            ApprovalRequest.state == "requested",
            ApprovalRequest.expires_at > clock.now(),
        )
    )
    return {row.object_id: row.id for row in rows}
