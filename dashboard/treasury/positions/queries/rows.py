"""The rows behind each figure of a position, whose sum is the figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.models import BankAccount
from dashboard.ledger.queries import balances
from dashboard.money import Money
from dashboard.treasury.cover.vocabulary import KIND_LABELS, CoverKind
from dashboard.treasury.positions.models import ClientSum
from dashboard.treasury.positions.queries import clients, house, transit
from dashboard.treasury.positions.queries.figures import AccountFigures, Figures, loose_suspense, loose_suspense_at
from dashboard.treasury.positions.vocabulary import FIGURE_LABELS, Figure
from dashboard.treasury.register import queries as register
from dashboard.treasury.vocabulary import Pool

#: figures that are made of rows without end; the others have few, and are one page
_PAGED = {Figure.CLIENTS, Figure.NEGATIVE, Figure.FROZEN, Figure.RECEIVED, Figure.SENT, Figure.UNMATCHED}
#: figures that only sentences say apart from the parts of others
PARTS: Mapping[Figure, tuple[tuple[Figure, int], ...]] = {
    Figure.REQUIREMENT: (
        (Figure.CLIENTS, 1),
        (Figure.UNRECOGNIZED, 1),
        (Figure.RECEIVED, 1),
        (Figure.SENT, 1),
    ),
    Figure.EXCESS: ((Figure.RESOURCE, 1), (Figure.REQUIREMENT, -1)),
    Figure.EXPLAINED: (
        (Figure.FEES, 1),
        (Figure.INCOME, 1),
        (Figure.OWN, 1),
        (Figure.FX, 1),
        (Figure.RECEIVABLE, 1),
        (Figure.NEGATIVE, 1),
        (Figure.OTHER, 1),
        (Figure.LYING, -1),
    ),
    Figure.REST: ((Figure.EXCESS, 1), (Figure.EXPLAINED, -1)),
}
#: parts of the house's money, by their name in `House`
HOUSE = {
    Figure.FEES: "fees", Figure.INCOME: "income", Figure.OWN: "own", Figure.FX: "fx", Figure.RECEIVABLE: "receivable",
}  # fmt: skip


@dataclass(frozen=True)
class BehindRow:
    """One row behind a figure. `key` continues the list after it."""

    key: str
    id: str
    name: str
    reference: str | None
    day: date | None
    amount: Money | None
    currency: str
    url: str | None


def paged(figure: Figure) -> bool:
    """Whether there may be more rows than one page takes."""
    return figure in _PAGED


def total(figure: Figure, figures: Figures) -> int | None:
    """The figure itself, in minor units; None: unknown."""
    read: dict[Figure, Callable[[], int | None]] = {
        Figure.CLIENTS: lambda: figures.client,
        Figure.NEGATIVE: lambda: figures.negative,
        Figure.FROZEN: lambda: figures.frozen,
        Figure.UNRECOGNIZED: lambda: figures.unrecognized,
        Figure.RECEIVED: lambda: figures.received,
        Figure.SENT: lambda: figures.sent,
        Figure.REQUIREMENT: lambda: figures.requirement,
        Figure.RESOURCE: lambda: figures.resource,
        Figure.EXCESS: lambda: figures.excess,
        Figure.LEDGER: lambda: sum(one.ledger for one in figures.accounts),
        Figure.DIFFERENCE: lambda: _difference(figures),
        Figure.UNEXPLAINED: lambda: figures.unexplained,
        Figure.LYING: lambda: figures.lying,
        Figure.LATE: lambda: figures.late,
        Figure.AT_BANK: lambda: figures.at_bank,
        Figure.OTHER: lambda: figures.other,
        Figure.UNMATCHED: lambda: figures.unmatched_amount,
        Figure.EXPLAINED: lambda: figures.explained,
        Figure.REST: lambda: figures.rest,
    }
    if figure in HOUSE:
        return None if figures.house is None else int(getattr(figures.house, HOUSE[figure]))
    return read[figure]()


def _difference(figures: Figures) -> int | None:
    found = [one.difference for one in figures.accounts]
    return None if not found or None in found else sum(one for one in found if one is not None)


def behind(figure: Figure, figures: Figures, *, after: str | None = None, limit: int) -> list[BehindRow]:
    """The rows in their order, `limit` at most where they are read in pages."""
    edge = UUID(after) if after else None
    if figure in {Figure.CLIENTS, Figure.NEGATIVE, Figure.FROZEN}:
        return _clients(figure, figures, edge, limit)
    if figure in {Figure.RECEIVED, Figure.SENT, Figure.UNMATCHED}:
        return _transit(figure, figures, edge, limit)
    if figure is Figure.UNRECOGNIZED:
        return _suspense(figures)
    if figure in PARTS:
        return _parts(figure, figures)
    if figure in HOUSE:
        return _house(figure, figures)
    if figure is Figure.OTHER:
        return _covers(figures)
    found = _accounts(figure, figures)
    return [*found, *_covers(figures)] if figure is Figure.RESOURCE and figures.at_bank is not None else found


def _clients(figure: Figure, figures: Figures, after: UUID | None, limit: int) -> list[BehindRow]:
    if figure is Figure.FROZEN and figures.kept_as is not None:
        found = clients.frozen_then(figures.kept_as, figures.currency, after=after, limit=limit)
        if not found and after is None and figures.frozen:
            return [BehindRow("", "", "Which accounts these were was not written down then", None, figures.day,
                              Money(figures.frozen, figures.currency), figures.currency, None)]  # fmt: skip
    else:
        # of a version that was prepared: each in the pool that it belonged to then
        found = clients.accounts(
            figure, figures.pool, figures.currency, figures.day, after=after, limit=limit, as_at=figures.kept_at
        )
    return [
        BehindRow(str(one.account_id), str(one.account_id), one.number, "frozen" if one.frozen else None, figures.day,
                  one.balance, figures.currency, f"/ledger/accounts/{one.account_id}")
        for one in found
    ]  # fmt: skip


def _transit(figure: Figure, figures: Figures, after: UUID | None, limit: int) -> list[BehindRow]:
    names = _names(figures)
    ids = [one.bank_account_id for one in figures.accounts
           if (one.unmatched if figure is Figure.UNMATCHED else one.received) is not None]  # fmt: skip
    found = transit.rows(figure, ids, figures.currency, figures.day, after=after, limit=limit, kept_as=figures.kept_as)
    return [
        BehindRow(
            str(one.item_id), str(one.item_id),
            " · ".join(part for part in (names.get(one.bank_account_id), one.party) if part), one.reference,
            one.booked_on, one.amount, figures.currency,
            f"/ledger/payments/{one.payment_id}" if one.payment_id
            else f"/treasury/reconciliation?account={one.bank_account_id}&day={figures.day.isoformat()}",
        )
        for one in found
    ]  # fmt: skip


def _names(figures: Figures) -> dict[UUID, str]:
    ids = [one.bank_account_id for one in figures.accounts]
    found = session().scalars(sa.select(BankAccount).where(BankAccount.id.in_(ids)))
    return {one.id: f"{one.name} …{one.number[-4:]}" for one in found}


def _suspense(figures: Figures) -> list[BehindRow]:
    """Suspense accounts with what lies on each; one below nought counts as nothing."""
    every = register.accounts(include_closed=True)
    mine = {one.bank_account_id for one in figures.accounts}
    found = [(view.suspense_account_id, f"Suspense of {view.said}") for view in every
             if view.id in mine and view.suspense_account_id]  # fmt: skip
    if figures.pool == Pool.E_MONEY:
        loose = loose_suspense_at(every, figures.kept_at) if figures.kept_at else loose_suspense(every)
        found += [(one.account_id, one.alias or f"Suspense {one.number}") for one in loose
                  if one.currency == figures.currency]  # fmt: skip
    stands = balances.at_end_of([account_id for account_id, _ in found], figures.day)
    return [
        BehindRow(
            str(account_id), str(account_id), name,
            "below nought, counts as nothing" if stands[account_id].posted < 0 else None, figures.day,
            Money(max(stands[account_id].posted, 0), figures.currency), figures.currency,
            f"/ledger/accounts/{account_id}?to={figures.day.isoformat()}",
        )
        for account_id, name in found
        if account_id in stands and stands[account_id].posted
    ]  # fmt: skip


def _less(label: str) -> str:
    return f"less {label[0].lower()}{label[1:]}"


def _parts(figure: Figure, figures: Figures) -> list[BehindRow]:
    found = []
    for part, sign in PARTS[figure]:
        value = total(part, figures)
        found.append(
            BehindRow(
                part.value, part.value, _less(FIGURE_LABELS[part]) if sign < 0 else FIGURE_LABELS[part], None,
                figures.day,
                None if value is None else Money(sign * value, figures.currency), figures.currency,
                f"/treasury/figures/{part.value}?pool={figures.pool}&currency={figures.currency}"
                f"&day={figures.day.isoformat()}",
            )
        )  # fmt: skip
    return found


def _covers(figures: Figures) -> list[BehindRow]:
    """Secure assets, guarantees and policies as they were counted."""
    return [
        BehindRow(
            str(one.cover_id), str(one.cover_id), f"{KIND_LABELS[CoverKind(one.kind)]} of {one.issuer}", one.reference,
            one.valid_to or figures.day, Money(one.amount, figures.currency), figures.currency,
            f"/treasury/cover/{one.cover_id}",
        )
        for one in figures.covers
    ]  # fmt: skip


def _house(figure: Figure, figures: Figures) -> list[BehindRow]:
    """The house's accounts behind a part of its money, less what lies on its own bank accounts already."""
    value = total(figure, figures)
    if value is None:
        return []
    types = {one.value for one in house.types_of(HOUSE[figure])}
    mine = [one for one in house.accounts(figures.currency) if one.type in types]
    banks = house.own_banks(register.accounts(currency=figures.currency, include_closed=True), figures.day)
    if figure is not Figure.OWN:
        banks = []
    ids = [one.id for one in mine] + [view.settlement_account_id for view in banks if view.settlement_account_id]
    posted = {key: one.posted for key, one in balances.at_end_of(ids, figures.day).items()}
    named = [(one.id, one.said) for one in mine]
    named += [(view.settlement_account_id, f"less on {view.said}") for view in banks if view.settlement_account_id]
    found = [
        BehindRow(
            str(account_id), str(account_id), name, None, figures.day, Money(posted[account_id], figures.currency),
            figures.currency, f"/ledger/accounts/{account_id}?to={figures.day.isoformat()}",
        )
        for account_id, name in named
        if posted.get(account_id)
    ]  # fmt: skip
    rest = value - sum(row.amount.minor_units for row in found if row.amount is not None)
    if rest:
        name = "of this, swept from fees and income" if rest > 0 else "less swept to accounts for own funds"
        found.append(
            BehindRow("swept", "swept", name, None, figures.day, Money(rest, figures.currency), figures.currency,
                      "/treasury/movements")
        )  # fmt: skip
    return found


_OF_ACCOUNT: dict[Figure, Callable[[AccountFigures], int | None]] = {
    Figure.RESOURCE: lambda one: one.statement,
    Figure.AT_BANK: lambda one: one.statement,
    Figure.LEDGER: lambda one: one.ledger,
    Figure.DIFFERENCE: lambda one: one.difference,
    Figure.UNEXPLAINED: lambda one: one.unexplained,
    Figure.LYING: lambda one: one.lying,
    Figure.LATE: lambda one: one.late,
}


def _counts(figure: Figure, one: AccountFigures) -> bool:
    if figure in {Figure.RESOURCE, Figure.AT_BANK}:
        return one.designated
    if figure in {Figure.LYING, Figure.LATE}:
        return not one.designated
    return True


def _accounts(figure: Figure, figures: Figures) -> list[BehindRow]:
    names, read = _names(figures), _OF_ACCOUNT[figure]
    found: Sequence[AccountFigures] = [one for one in figures.accounts if _counts(figure, one)]
    settlement = {view.id: view.settlement_account_id for view in register.accounts(include_closed=True)}
    rows = []
    for one in found:
        value = read(one)
        url = f"/treasury/reconciliation?account={one.bank_account_id}&day={figures.day.isoformat()}"
        if figure in {Figure.RESOURCE, Figure.AT_BANK} and one.statement_id:
            url = f"/treasury/statements/{one.statement_id}"
        elif figure is Figure.LEDGER and settlement.get(one.bank_account_id):
            url = f"/ledger/accounts/{settlement[one.bank_account_id]}?to={figures.day.isoformat()}"
        rows.append(
            BehindRow(
                str(one.bank_account_id), str(one.bank_account_id), names.get(one.bank_account_id, ""),
                "no statement" if one.statement is None else one.holiday, one.statement_day,
                None if value is None else Money(value, figures.currency), figures.currency, url,
            )
        )  # fmt: skip
    return rows


def count_clients(figures: Figures) -> int:
    """How many client accounts the pool has with a balance, as added up; nought where that was not done."""
    return (
        session().scalar(
            sa.select(ClientSum.accounts).where(
                ClientSum.day == figures.day, ClientSum.pool == figures.pool, ClientSum.currency == figures.currency
            )
        )
        or 0
    )


def money(minor: int | None, currency: str) -> Money | None:
    """None stays unknown."""
    return None if minor is None else Money(minor, currency)
