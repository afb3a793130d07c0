"""Figures of a pool and currency at the end of a business day, worked out from the books and the statements.

Both sides are of one moment: what clients are owed at the end of the day, and what lay at the banks then. An amount is
counted once: held money is part of a client's balance, money that a client has been debited for and that lies at the
bank still is what is sent; movements between own accounts owe nobody anything. A missing statement leaves its figures
unknown. All amounts are minor units; currencies are never added to one another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.models import Account
from dashboard.ledger.queries import balances
from dashboard.ledger.vocabulary import AccountType
from dashboard.treasury.cover import queries as covers
from dashboard.treasury.cover.queries import Counted
from dashboard.treasury.matching import queries as matching
from dashboard.treasury.matching.queries import BreakCount, Equation
from dashboard.treasury.positions.queries import clients, house, transit
from dashboard.treasury.positions.queries.clients import Pair, Sums
from dashboard.treasury.positions.queries.house import House
from dashboard.treasury.positions.queries.transit import Flow, OpenSums, Unmatched
from dashboard.treasury.positions.vocabulary import Result
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.statements import queries as statements
from dashboard.treasury.statements.models import Statement
from dashboard.treasury.vocabulary import Pool, Purpose

NO_BREAKS = BreakCount(0, None, 0, 0)


@dataclass(frozen=True)
class AccountFigures:
    """One bank account at the end of the day. None: unknown."""

    bank_account_id: UUID
    purpose: str
    designated: bool
    ledger: int
    #: what lies on its suspense account, never below nought
    suspense: int
    statement: int | None
    statement_id: UUID | None
    statement_day: date | None
    statement_at: datetime | None
    tie_out: str | None
    holiday: str | None
    received: int | None
    sent: int | None
    timing: int | None
    breaks: int | None
    unexplained: int | None
    #: where it is not designated: what lies there, and what of it has lain there since the business day before
    lying: int | None
    late: int | None
    #: lines of the bank that nothing had matched: how many, their amounts without signs, the day of the oldest
    unmatched: int | None = None
    unmatched_amount: int | None = None
    unmatched_since: date | None = None

    @property
    def difference(self) -> int | None:
        """Bank − ledger."""
        return None if self.statement is None else self.statement - self.ledger

    @property
    def explained(self) -> int | None:
        """What timing and breaks explain of the difference."""
        return None if self.timing is None or self.breaks is None else self.timing + self.breaks


@dataclass(frozen=True)
class Figures:
    """A pool and currency at the end of the day."""

    pool: str
    currency: str
    day: date
    client: int
    negative: int
    frozen: int
    unrecognized: int
    accounts: Sequence[AccountFigures]
    breaks: int | None
    breaks_without_owner: int | None
    breaks_oldest: int | None
    #: the version that these figures were prepared as; None: they are as of now
    kept_as: UUID | None = None
    #: when they were prepared
    kept_at: datetime | None = None
    #: what covers clients' money beside the bank
    covers: Sequence[Counted] = ()
    #: None: whose the excess is, is not known: two pools share the house's accounts of the currency, or none has a bank
    house: House | None = None

    def _sum(self, values: Iterable[int | None]) -> int | None:
        """Unknown where one of them is, and where there is none."""
        found = list(values)
        return None if not found or None in found else sum(one for one in found if one is not None)

    @property
    def received(self) -> int | None:
        return self._sum(one.received for one in self.accounts)

    @property
    def sent(self) -> int | None:
        return self._sum(one.sent for one in self.accounts)

    @property
    def requirement(self) -> int:
        """At least this, where what is in transit is unknown."""
        return self.client + self.unrecognized + (self.received or 0) + (self.sent or 0)

    @property
    def at_bank(self) -> int | None:
        """Where no account is designated, nothing at a bank covers what is owed: nought, which is known."""
        designated = [one.statement for one in self.accounts if one.designated]
        return self._sum(designated) if designated or not self.accounts else 0

    @property
    def other(self) -> int:
        """Secure assets, guarantees and policies that are valid on the day."""
        return sum(one.amount for one in self.covers)

    @property
    def resource(self) -> int | None:
        return None if self.at_bank is None else self.at_bank + self.other

    @property
    def excess(self) -> int | None:
        if self.resource is None or self.received is None or self.sent is None:
            return None
        return self.resource - self.requirement

    @property
    def excess_percent(self) -> Decimal | None:
        """Of the requirement, to two places; None where it is unknown, or nothing is owed."""
        if self.excess is None or not self.requirement:
            return None
        return (Decimal(self.excess) * 100 / self.requirement).quantize(Decimal("0.01"))

    @property
    def explained(self) -> int | None:
        """Which part of the excess is known to be what: money of the house, less what clients owe and what lies in
        accounts that do not count, and what covers beside the bank."""
        if self.excess is None or self.house is None or self.lying is None:
            return None
        house = self.house
        return (
            house.fees + house.income + house.own + house.fx + house.receivable + self.negative + self.other
            - self.lying
        )  # fmt: skip

    @property
    def rest(self) -> int | None:
        """The part of the excess that nothing of this explains: on its way, or not matched."""
        if self.excess is None or self.explained is None:
            return None
        return self.excess - self.explained

    @property
    def sweepable(self) -> int | None:
        """What of the excess at the banks the house may take out: no promise makes up for money that has left. None
        where it is not known whose it is."""
        if self.excess is None or self.house is None:
            return None
        return max(0, min(self.excess - self.other, self.house.sweepable))

    @property
    def unmatched(self) -> int | None:
        return self._sum(one.unmatched for one in self.accounts)

    @property
    def unmatched_amount(self) -> int | None:
        return self._sum(one.unmatched_amount for one in self.accounts)

    @property
    def unmatched_since(self) -> date | None:
        return min((one.unmatched_since for one in self.accounts if one.unmatched_since), default=None)

    @property
    def unexplained(self) -> int | None:
        return self._sum(one.unexplained for one in self.accounts)

    @property
    def lying(self) -> int | None:
        return self._apart(one.lying for one in self.accounts if not one.designated)

    @property
    def late(self) -> int | None:
        return self._apart(one.late for one in self.accounts if not one.designated)

    def _apart(self, values: Iterable[int | None]) -> int | None:
        """Where every account is designated, nothing lies elsewhere."""
        found = list(values)
        return self._sum(found) if found else (0 if self.accounts else None)

    @property
    def internal(self) -> Result:
        if self.excess is None:
            return Result.NO_DATA
        return Result.PASSED if self.excess >= 0 else Result.FAILED

    @property
    def segregation(self) -> Result:
        """Without a statement nothing was looked at, so that nothing passed; what is known to be late fails anyway."""
        if self.late:
            return Result.FAILED
        return Result.NO_DATA if self.late is None or self.resource is None else Result.PASSED

    @property
    def external(self) -> Result:
        if self.unexplained is None or self.breaks is None:
            return Result.NO_DATA
        whole = self.breaks == 0 and all(one.unexplained == 0 for one in self.accounts)
        return Result.PASSED if whole else Result.FAILED


def _late(statement: Statement, closing: int, day: date, flow: Flow | None) -> int:
    """What lay there at the end of the business day before and has not left since: what came first, leaves first."""
    if statement.last_day < day:
        return max(closing, 0)
    booked, left = (flow.booked, flow.left) if flow is not None else (0, 0)
    return max(0, min(closing, closing - booked - left))


@dataclass(frozen=True)
class _Read:
    """What figures of bank accounts are made of, read once for all of them."""

    day: date
    ledger: Mapping[UUID, int]
    statements: Mapping[UUID, Statement]
    equations: Mapping[UUID, Equation]
    open_sums: Mapping[UUID, OpenSums]
    unmatched: Mapping[UUID, Unmatched]
    flows: Mapping[UUID, Flow]


def _read(views: Sequence[BankAccountView], day: date, ledger: Mapping[UUID, int]) -> _Read:
    told = {
        key: one
        for key, one in statements.closing_statements(views, day).items()
        if one.closing_minor is not None
    }  # fmt: skip
    known = [view for view in views if view.id in told]
    equations = matching.equations(known, day)
    # known as soon as a run has looked at the ledger of the day
    matched = [key for key, one in equations.items() if one.unexplained_minor is not None]
    apart = [view.id for view in known if not view.designated_on(day)]
    return _Read(
        day, ledger, told, equations, transit.open_sums(matched, day), transit.unmatched(list(told), day),
        transit.flows(apart, day),
    )  # fmt: skip


def _account(view: BankAccountView, read: _Read) -> AccountFigures:
    day, ledger, designated = read.day, read.ledger, view.designated_on(read.day)
    found = read.statements.get(view.id)
    closing = found.closing_minor if found is not None else None
    equation = read.equations.get(view.id)
    matched = equation is not None and equation.unexplained_minor is not None
    open_sums = read.open_sums.get(view.id, transit.NOTHING_OPEN) if matched else None
    lines = read.unmatched.get(view.id, transit.NOTHING_UNMATCHED) if found is not None else None
    lying = late = None
    if not designated and found is not None and closing is not None:
        lying, late = max(closing, 0), _late(found, closing, day, read.flows.get(view.id))
    return AccountFigures(
        bank_account_id=view.id,
        purpose=view.purpose or Purpose.SETTLEMENT,
        designated=designated,
        ledger=-ledger.get(view.settlement_account_id, 0) if view.settlement_account_id else 0,
        suspense=max(ledger.get(view.suspense_account_id, 0), 0) if view.suspense_account_id else 0,
        statement=closing,
        statement_id=found.id if found is not None else None,
        statement_day=found.last_day if found is not None else None,
        statement_at=found.created_at if found is not None else None,
        tie_out=found.tie_out if found is not None else None,
        holiday=register.not_a_reconciliation_day(view, day),
        received=open_sums.received if open_sums else None,
        sent=open_sums.sent if open_sums else None,
        timing=equation.timing_minor if matched and equation else None,
        breaks=equation.breaks_minor if matched and equation else None,
        unexplained=equation.unexplained_minor if matched and equation else None,
        lying=lying,
        late=late,
        unmatched=lines.lines if lines else None,
        unmatched_amount=lines.amount if lines else None,
        unmatched_since=lines.since if lines else None,
    )


@dataclass(frozen=True)
class LooseSuspense:
    """A suspense account whose bank account belongs to no pool: what lies there is counted as e-money."""

    account_id: UUID
    number: str
    alias: str | None
    currency: str


def loose_suspense(views: Sequence[BankAccountView]) -> list[LooseSuspense]:
    """All of them, by currency."""
    return _not_among([view.suspense_account_id for view in views if view.pool and view.suspense_account_id])


def loose_suspense_at(views: Sequence[BankAccountView], moment: datetime) -> list[LooseSuspense]:
    """Those that were loose as the register stood at a moment."""
    pooled = register.pooled_at(moment)
    return _not_among([view.suspense_account_id for view in views if view.id in pooled and view.suspense_account_id])


def _not_among(pooled: Sequence[UUID]) -> list[LooseSuspense]:
    query = sa.select(Account.id, Account.number, Account.alias, Account.currency).where(
        Account.type == AccountType.SUSPENSE.value
    )
    if pooled:
        query = query.where(Account.id.not_in(pooled))
    rows = session().execute(query.order_by(Account.currency, Account.id))
    return [LooseSuspense(*row) for row in rows]


def standing(day: date) -> list[BankAccountView]:
    """Bank accounts of a pool that were not closed by the day."""
    return [view for view in register.accounts(include_closed=True) if view.pool and not view.closed_by(day)]


def pairs(day: date) -> list[Pair]:
    """Every pool and currency that has a position on the day: clients have money in it, the house has a bank account,
    or unrecognized money lies there."""
    every = register.accounts(include_closed=True)
    loose = loose_suspense(every)
    posted = balances.at_end_of({one.account_id for one in loose}, day)
    return sorted({
        *((view.pool, view.currency) for view in every if view.pool and not view.closed_by(day)),
        *(pair for pair, found in clients.known(day).items() if found.positive or found.negative),
        *covers.on(day),
        *((Pool.E_MONEY.value, one.currency) for one in loose
          if one.account_id in posted and posted[one.account_id].posted > 0),
    })  # fmt: skip


def figures(
    day: date, *, only: Pair | None = None, among: Collection[Pair] | None = None, sums: dict[Pair, Sums] | None = None
) -> list[Figures]:
    """Of every pool and currency in which clients have money or the house has a bank account; or `only` of one, or
    `among` those that are named."""
    every = register.accounts(include_closed=True)
    views = [view for view in every if view.pool and not view.closed_by(day)]
    known = dict(sums if sums is not None else clients.known(day))
    loose = loose_suspense(every)
    valid, own, mine = covers.on(day), house.own_banks(every, day), house.accounts()
    ids = {one for view in views for one in (view.settlement_account_id, view.suspense_account_id) if one}
    ids |= {one.account_id for one in loose} | {one.id for one in mine}
    ids |= {view.settlement_account_id for view in own if view.settlement_account_id}
    ledger = {key: one.posted for key, one in balances.at_end_of(ids, day).items()}
    extra: dict[Pair, int] = {}
    for one in loose:
        pair = (Pool.E_MONEY.value, one.currency)
        extra[pair] = extra.get(pair, 0) + max(ledger.get(one.account_id, 0), 0)
    wanted = {
        *((view.pool or "", view.currency) for view in views),
        *(pair for pair, found in known.items() if found.positive or found.negative),
        *(pair for pair, amount in extra.items() if amount),
        *valid,
    }
    if only is not None:
        wanted = {only}
    elif among is not None:
        wanted = set(among)
    shown = [view for view in views if (view.pool, view.currency) in wanted]
    read, breaks = _read(shown, day, ledger), matching.breaks_by_pool(day)
    pools = {currency: {view.pool for view in views if view.currency == currency} for _, currency in wanted}
    return [
        _figures(
            pair, [view for view in shown if (view.pool, view.currency) == pair], read,
            known.get(pair, clients.NOTHING),
            extra.get(pair, 0), breaks.get(pair, NO_BREAKS), valid.get(pair, ()),
            house.money(pair[1], mine, own, ledger) if pools[pair[1]] == {pair[0]} else None,
        )
        for pair in sorted(wanted)
    ]  # fmt: skip


def _figures(
    pair: Pair, views: Sequence[BankAccountView], read: _Read, sums: Sums, loose: int, counted: BreakCount,
    valid: Sequence[Counted], own: House | None,
) -> Figures:  # fmt: skip
    found = [_account(view, read) for view in views]
    matched = bool(found) and all(one.unexplained is not None for one in found)
    return Figures(
        pool=pair[0],
        currency=pair[1],
        day=read.day,
        client=sums.positive,
        negative=sums.negative,
        frozen=sums.frozen,
        unrecognized=sum(one.suspense for one in found) + loose,
        accounts=found,
        breaks=counted.count if matched else None,
        breaks_without_owner=counted.without_owner if matched else None,
        breaks_oldest=counted.oldest_bd if matched else None,
        covers=valid,
        house=own,
    )
