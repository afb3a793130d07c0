"""What stands against signing a day, each with where to settle it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.models import BankAccount
from dashboard.money import Money
from dashboard.treasury.matching import queries as matching
from dashboard.treasury.positions.models import PositionAction
from dashboard.treasury.positions.queries import standing
from dashboard.treasury.positions.queries.clients import Pair
from dashboard.treasury.positions.queries.figures import AccountFigures
from dashboard.treasury.positions.queries.standing import Position
from dashboard.treasury.positions.vocabulary import ActionAbout
from dashboard.treasury.vocabulary import TieOut


@dataclass(frozen=True)
class Blocker:
    """A sentence, and the page on which it is settled."""

    says: str
    url: str
    step: str


def _names(positions: Iterable[Position]) -> Mapping[UUID, str]:
    ids = [one.bank_account_id for position in positions for one in position.figures.accounts]
    rows = session().scalars(sa.select(BankAccount).where(BankAccount.id.in_(ids)))
    return {row.id: f"{row.name} …{row.number[-4:]}" for row in rows}


def _in_words(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


STATEMENTS, MATCHED, BREAKS, ANSWERED = (
    "Statements in and tied out", "Matched and explained", "Breaks owned", "Shortfall answered",
)  # fmt: skip


def _of_account(one: AccountFigures, name: str, day: date, currency: str) -> list[Blocker]:
    where = f"/treasury/reconciliation?account={one.bank_account_id}&day={day.isoformat()}"
    if one.statement is None:
        return [Blocker(f"No statement for {_in_words(day)}: {name}.", "/treasury/statements", STATEMENTS)]
    found = []
    if one.tie_out == TieOut.FAILED:
        found.append(Blocker(f"Tie-out failed: {name}.", f"/treasury/statements/{one.statement_id}", STATEMENTS))
    if one.unexplained is None:
        found.append(Blocker(f"Not matched for {_in_words(day)}: {name}.", where, MATCHED))
    elif one.unexplained:
        found.append(Blocker(f"Unexplained {Money(one.unexplained, currency)}: {name}.", where, MATCHED))
    return found


#: by version and what it is about: the largest figure, in minor units, that somebody said something of
Answers = Mapping[tuple[UUID, str], int]


def answers(versions: Iterable[UUID]) -> Answers:
    """What somebody said was done, of these versions alone: a later one has figures of its own."""
    table = PositionAction
    rows = session().execute(
        sa.select(table.treasury_day_id, table.about, sa.func.max(table.figure_minor))
        .where(table.treasury_day_id.in_(list(versions)), table.figure_minor.is_not(None))
        .group_by(table.treasury_day_id, table.about)
    )
    return {(version, about): figure or 0 for version, about, figure in rows}


def _answered(position: Position, about: ActionAbout, minor: int, done: Answers) -> bool:
    """Whether what was said was said of at least as much."""
    version = position.version
    return version is not None and done.get((version.id, about.value), 0) >= minor


def of_all(positions: Collection[Position]) -> dict[Pair, list[Blocker]]:
    """Everything that stands against signing, by pool and currency; breaks as they were counted with the figures."""
    names, done = _names(positions), answers(one.version.id for one in positions if one.version)
    return {one.pair: _of(one, names, done, one.figures.breaks_without_owner or 0) for one in positions}


def of(position: Position) -> list[Blocker]:
    """Everything that stands against signing this position now."""
    figures = position.figures
    ownerless = matching.breaks(*position.pair, figures.day).without_owner if figures.breaks is not None else 0
    return _of(position, _names([position]), answers([position.version.id] if position.version else []),
               ownerless)  # fmt: skip


def _of(position: Position, names: Mapping[UUID, str], done: Answers, ownerless: int) -> list[Blocker]:
    figures = position.figures
    pool, currency, day = figures.pool, figures.currency, figures.day
    found = [
        blocker
        for one in figures.accounts
        for blocker in _of_account(one, names.get(one.bank_account_id, ""), day, currency)
    ]
    if figures.excess is None and not found:
        says = f"Whether {currency.upper()} is covered on {_in_words(day)} is not known."
        found.append(Blocker(says, "/treasury/accounts", MATCHED))
    if ownerless:
        said = "1 break without owner." if ownerless == 1 else f"{ownerless} breaks without owner."
        found.append(Blocker(said, f"/treasury/breaks?currency={currency}", BREAKS))
    where = f"/treasury/safeguarding?day={day.isoformat()}&pool={pool}&currency={currency}"
    if figures.excess is not None and figures.excess < 0 and not _answered(
        position, ActionAbout.SHORTFALL, -figures.excess, done
    ):  # fmt: skip
        short = Money(-figures.excess, currency)
        found.append(Blocker(f"Short {short}: say what was done about it.", where, ANSWERED))
    if figures.late and not _answered(position, ActionAbout.LATE, figures.late, done):
        late = Money(figures.late, currency)
        found.append(
            Blocker(f"{late} not in a designated account in time: say what was done about it.", where, ANSWERED)
        )
    return found


def _step(step: str) -> Callable[[str, str, date], list[str]]:
    def sentences(pool: str, currency: str, day: date) -> list[str]:
        return [one.says for one in of(standing.one(pool, currency, day)) if one.step == step]

    return sentences


#: by the name of the step, for those who sign
STEPS = {step: _step(step) for step in (STATEMENTS, MATCHED, BREAKS, ANSWERED)}
