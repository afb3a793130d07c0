"""What must be in order before a day is signed, and what is computed when it is prepared.

Both are known higher up (statements, matching, positions): each of them says its part here, connected by `app.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.database import session
from dashboard.ledger.models import BusinessDay
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.register import queries as register

#: what stands against signing pool and currency of a day, in sentences; nothing: it is in order
Blockers = Callable[[str, str, date], list[str]]
#: computes and stores what the prepared version says; runs in the transaction that prepares it
Preparation = Callable[[TreasuryDay, Actor], None]

#: what of a prepared version is no longer so, in sentences
Comparison = Callable[[TreasuryDay], list[str]]

_blockers: dict[str, Blockers] = {}
_preparations: list[Preparation] = []
_comparisons: list[Comparison] = []
_signatures: list[Preparation] = []


@dataclass(frozen=True)
class Step:
    """One thing that must be in order, by name; `blockers` says what is not."""

    name: str
    blockers: list[str]

    @property
    def done(self) -> bool:
        return not self.blockers


def learn_blockers(name: str, fn: Blockers) -> None:
    """Called by app.py, in the order in which people work. The same name again replaces it."""
    _blockers[name] = fn


def learn_preparation(fn: Preparation) -> None:
    """Called by app.py. The same function again changes nothing."""
    if fn not in _preparations:
        _preparations.append(fn)


def learn_comparison(fn: Comparison) -> None:
    """Called by app.py: says what of a prepared version has changed since. The same again changes nothing."""
    if fn not in _comparisons:
        _comparisons.append(fn)


def learn_signature(fn: Preparation) -> None:
    """Called by app.py: what signing a version makes, in its transaction. The same again changes nothing."""
    if fn not in _signatures:
        _signatures.append(fn)


def day_has_ended(pool: str, currency: str, day: date) -> list[str]:
    """Figures of a day are figures of its end."""
    state = session().scalar(sa.select(BusinessDay.state).where(BusinessDay.day == day))
    if state == "closed":
        return []
    if state is None:
        return [f"{day.isoformat()} is no business day of the ledger."]
    return ["The business day is still open. End it first."]


def bank_accounts_known(pool: str, currency: str, day: date) -> list[str]:
    """Without a bank account that was open on the day nothing says what lies at a bank."""
    known = register.accounts(pool=pool, currency=currency, include_closed=True)
    if any(not view.closed_by(day) for view in known):
        return []
    if known:
        return [f"Every bank account in {currency.upper()} of this pool was closed by {day.isoformat()}."]
    return [f"No bank account in {currency.upper()} is registered for this pool."]


#: what comes before everything that others say; it stands against preparing, too
FIRST: dict[str, Blockers] = {"Business day ended": day_has_ended, "Bank accounts registered": bank_accounts_known}


def steps(pool: str, currency: str, day: date) -> list[Step]:
    """Everything that is looked at before a day is signed, in order."""
    return [Step(name, list(fn(pool, currency, day))) for name, fn in {**FIRST, **_blockers}.items()]


def in_the_way_of_preparing(pool: str, currency: str, day: date) -> list[Step]:
    """The steps without which there is nothing to prepare, where they are not done."""
    found = [Step(name, fn(pool, currency, day)) for name, fn in FIRST.items()]
    return [step for step in found if not step.done]


def prepare(treasury_day: TreasuryDay, by: Actor) -> None:
    """Let everybody compute their part of the version."""
    for fn in _preparations:
        fn(treasury_day, by)


def changed(treasury_day: TreasuryDay) -> list[str]:
    """What of a prepared version is no longer so."""
    return [why for fn in _comparisons for why in fn(treasury_day)]


def signed(treasury_day: TreasuryDay, by: Actor) -> None:
    """Let everybody make what belongs to a signed version."""
    for fn in _signatures:
        fn(treasury_day, by)
