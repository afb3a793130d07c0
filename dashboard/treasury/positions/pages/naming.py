"""Words and figures as the pages of positions show them, and what their addresses say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from dashboard.errors import Invalid, NotFound
from dashboard.money import DECIMALS, Money
from dashboard.treasury.positions.queries import standing
from dashboard.treasury.positions.queries.standing import Position
from dashboard.treasury.positions.vocabulary import FIGURE_LABELS, Figure, Result
from dashboard.treasury.vocabulary import POOL_LABELS, DayState, Pool

RESULTS = {Result.PASSED: ("ok", "Passed"), Result.FAILED: ("stop", "Failed")}
#: what is missing, to how a check tells it
MISSING = {
    "no safeguarding account": "no safeguarding account", "no statement": "statement missing",
    "not matched": "nothing matched yet",
}  # fmt: skip


def check_result(result: Result, position: Position) -> tuple[str, str]:
    """Role and words of a check; where it could not run, what it lacks."""
    if result == Result.NO_DATA:
        return "unknown", f"Not run: {MISSING[why_unknown(position)] if position.unknown else 'nothing to look at'}"
    return RESULTS[result]


class Shown(NamedTuple):
    """A colour role and a word."""

    role: str
    word: str


def figure(minor: int | None, currency: str, *, plus: bool = False) -> str:
    """An amount without its currency, as a column shows it: "no data" where it is unknown. `plus`: of differences."""
    if minor is None:
        return "no data"
    sign = "+" if plus and minor > 0 else ""
    return sign + str(Money(minor, currency)).rpartition(" ")[0]


def percent(position: Position) -> str | None:
    """The excess or shortfall as a part of the requirement: "+0.06 %"; None where it is unknown or nothing is owed."""
    value = position.figures.excess_percent
    if value is None:
        return None
    return f"{value:+,f} %".replace("-", "\N{MINUS SIGN}")


def why_excess(position: Position) -> str | None:
    """Which part of an excess is whose, in a sentence: "fees to sweep 2,100.00 + own funds 725.00". None where that is
    not known, or where nothing of it is the house's."""
    found, currency = position.figures.house, position.figures.currency
    if found is None:
        return None
    parts = ((found.fees, "fees to sweep"), (found.income, "interest and other income"), (found.own, "own funds"),
             (found.fx, "FX position"), (position.figures.other, "other safeguarded"))  # fmt: skip
    said = [f"{word} {figure(amount, currency)}" for amount, word in parts if amount > 0]
    return " + ".join(said) or None


def in_words(day: date) -> str:
    """Thu 12 Mar 2026"""
    return f"{day:%a} {day.day} {day:%b} {day.year}"


def headline(position: Position) -> Shown:
    """covered, short or unknown"""
    if position.short:
        return Shown("stop", "short")
    return Shown("unknown", "unknown") if position.unknown else Shown("ok", "covered")


def state(position: Position, blocked: bool) -> Shown:
    """One word for the day of a pool and currency."""
    if position.state == DayState.SIGNED:
        return Shown("ok", "Signed")
    if position.short:
        return Shown("stop", "Short")
    if position.unknown:
        return Shown("unknown", "No data")
    if position.state == DayState.PREPARED:
        return Shown("wait" if blocked else "info", "Prepared")
    return Shown("neutral", "Open") if blocked else Shown("ok", "Ready")


def why_unknown(position: Position) -> str:
    """What is missing, in a few words."""
    accounts = position.figures.accounts
    if not any(one.designated for one in accounts):
        return "no safeguarding account"
    if any(one.statement is None for one in accounts):
        return "no statement"
    return "not matched"


def day_of(text: str | None) -> date | None:
    """The business day that an address names, the last one that ended by default; None before any has.

    Raises Invalid, NotFound.
    """
    if not text:
        return standing.last_day()
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None:
        raise Invalid.one("day", "Write a day like 2026-03-12.", "date")
    if not standing.has_ended(day):
        raise NotFound("This is no business day that has ended.", code="dayNotFound")
    return day


def pair_of(arguments: Mapping[str, str]) -> tuple[str, str]:
    """Pool and currency of an address or form. Raises Invalid."""
    pool, currency = arguments.get("pool", ""), arguments.get("currency", "")
    if pool not in set(Pool):
        raise Invalid.one("pool", f"Choose one of {', '.join(Pool)}.", "enum")
    if currency not in DECIMALS:
        raise Invalid.one("currency", "This currency is not known here; write it in lower case, such as eur.", "enum")
    return pool, currency


def pool_label(pool: str) -> str:
    return POOL_LABELS[Pool(pool)]


def figure_label(value: Figure) -> str:
    return FIGURE_LABELS[value]
