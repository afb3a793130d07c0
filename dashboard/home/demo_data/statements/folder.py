"""A day's statements as files in a folder, with a list of what differs on purpose beside them.

`OUT/2026-03-12/` holds one file for each bank, `planted.json` for programs and `planted.md` for people. What lies in
OUT goes on: where an earlier day has a list, the balances of the next day follow it and nothing more is planted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

from dashboard.errors import Refused
from dashboard.home.demo_data.chart import BANKS
from dashboard.home.demo_data.statements import bookings, camt, mt940, planting, telling
from dashboard.home.demo_data.statements.bookings import Bank
from dashboard.home.demo_data.statements.planting import Kind, Planted
from dashboard.home.demo_data.statements.telling import Line, Told
from dashboard.money import Money
from dashboard.treasury.vocabulary import Pool, StatementFormat

LIST, READABLE = "planted.json", "planted.md"
#: days at most that follow what lies in the folder
MOST_DAYS = 30
#: an account with a fee and nothing else, in the other format
_FEE_CURRENCY = "pln"
_REMEDIES = {
    "adjustingPayment": "book it by an adjusting payment, approved by a second person",
    "matchByHand": "match it by hand",
    "accept": "accept it with a reason",
}


@dataclass(frozen=True)
class Day:
    """What was written of one day."""

    day: date
    folder: Path
    files: tuple[Path, ...]
    planted: int
    entries: int


@dataclass(frozen=True)
class _Statement:
    bank: Bank
    told: Told
    planted: tuple[Planted, ...]
    left_out: tuple[Kind, ...]


@dataclass(frozen=True)
class _Omission:
    """A line that a bank does not tell of on `day`, and is missed for on the next one."""

    bank: Bank
    day: date
    line: Line
    planted: Planted


def write(out: Path, last: date, *, earlier: int = 1, seed: int = 1, owner: str) -> list[Day]:
    """Statements of the closed business day `last`, and before it of `earlier` days that agree with the ledger (but for
    the one payment that the bank is missed for on the last day), or of the days since the newest list in `out`.
    `owner`: the house's name, as the banks write it.

    Raises Refused `dayNotClosed`, `noBankAccounts`.
    """
    accounts = bookings.banks()
    if not accounts:
        raise Refused("No bank account of the register gives statements in camt.053 or MT940.", code="noBankAccounts")
    days = bookings.closed_days(last, MOST_DAYS + 1)
    if not days or days[-1] != last:
        raise Refused(f"{last} is no business day that has ended.", code="dayNotClosed")
    followed = _newest_list(out, last)
    # a list of so long ago has no days to lead up to this one
    balances: dict[str, int] = {}
    omission = None
    if followed is None or days[0] > followed[0]:
        omission = _omission(accounts, days, seed) if len(days) > 1 else None
        days = days[-1 - earlier :]
    else:
        days = [day for day in days if day > followed[0]]
        balances = followed[1]
        last = days[0] - timedelta(days=1)
    done = []
    for day in days:
        made = _statements(accounts, day, balances, omission, seed if day == last else None)
        balances = {**balances, **{_key(each.bank): each.told.closing for each in made}}
        done.append(_put(out / day.isoformat(), day, made, owner, listed=day >= last))
    return done


def _omission(accounts: Sequence[Bank], days: Sequence[date], seed: int) -> _Omission | None:
    """What the busiest bank leaves out of its statement of the day before the last one."""
    bank = _busiest(accounts, {bank.id: len(bookings.booked(bank, days[-1])) for bank in accounts})
    if bank is None:
        return None
    booked = bookings.booked(bank, days[-2])
    random = Random(f"omission {seed} {days[-2]} {bank.number}")  # noqa: S311 invents, protects nothing
    found = planting.not_told(telling.lines(booked), booked, random)
    return _Omission(bank, days[-2], *found) if found else None


def _key(bank: Bank) -> str:
    return f"{bank.number} {bank.currency}"


def _newest_list(out: Path, before: date) -> tuple[date, dict[str, int]] | None:
    """Day and closing balances of the newest list of an earlier day."""
    found: tuple[date, dict[str, int]] | None = None
    for path in sorted(out.glob(f"*/{LIST}")):
        try:
            said = json.loads(path.read_text("utf-8"))
            day = date.fromisoformat(said["day"])
            if day < before:
                found = day, {f"{each['account']} {each['currency']}": int(each["closingMinor"])
                              for each in said["statements"]}  # fmt: skip
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _statements(
    accounts: Sequence[Bank], day: date, balances: dict[str, int], omission: _Omission | None, seed: int | None
) -> list[_Statement]:
    """`balances`: what the statements before ended with; the ledger's own where there are none. `seed` None: nothing
    is planted into this day."""
    booked = {bank.id: bookings.booked(bank, day) for bank in accounts}
    told = {bank.id: telling.lines(booked[bank.id]) for bank in accounts}
    opening = bookings.before(accounts, day)
    number = bookings.number_of(day)
    kinds = _kinds(accounts, {id: len(lines) for id, lines in told.items()}) if seed is not None else {}
    found = []
    for bank in accounts:
        random = Random(f"statements {seed or 0} {day} {bank.number} {bank.currency}")  # noqa: S311 invents, protects nothing
        lines, start = told[bank.id], opening[bank.id]
        if omission is not None and omission.bank == bank:
            lines = [line for line in lines if line != omission.line]
            # where the statement before is not written, its balance is what it would have been
            start -= omission.line.amount if omission.day < day else 0
        plot = planting.plant(bank, day, lines, booked[bank.id], kinds.get(bank.id, ()), random)
        if omission is not None and omission.bank == bank and seed is not None:
            plot.planted.insert(0, omission.planted)
        together = (
            telling.an_order(plot.lines, random, without=plot.used) if bank.format == StatementFormat.CAMT else []
        )
        entries = telling.batched(plot.lines, together, f"ORD{day:%y%m%d}{bank.currency.upper()}")
        # what stood at the bank before the ledger began is part of the first balance
        start += sum(each.amount for each in booked[bank.id] if each.opening)
        start = balances.get(_key(bank), start)
        found.append(_Statement(bank, Told(day, number, start, entries), tuple(plot.planted), tuple(plot.left_out)))
    return found


def _busiest(accounts: Sequence[Bank], lines: dict[Any, int]) -> Bank | None:
    return max(
        (bank for bank in accounts if bank.format == StatementFormat.CAMT and bank.pool == Pool.E_MONEY),
        key=lambda bank: lines[bank.id],
        default=None,
    )


def _kinds(accounts: Sequence[Bank], lines: dict[Any, int]) -> dict[Any, tuple[Kind, ...]]:
    """Every kind on the busiest account of e-money with camt files, a fee on one with MT940."""
    busiest = _busiest(accounts, lines)
    other = next(
        (bank for bank in accounts if bank.format == StatementFormat.MT940 and bank.currency == _FEE_CURRENCY), None
    )
    found: dict[Any, tuple[Kind, ...]] = {}
    if busiest is not None:
        found[busiest.id] = planting.ALL_KINDS
    if other is not None:
        found[other.id] = (Kind.MISSING_IN_LEDGER,)
    return found


# --- files ------------------------------------------------------------------------------------------------------


def _put(folder: Path, day: date, made: Sequence[_Statement], owner: str, *, listed: bool) -> Day:
    folder.mkdir(parents=True, exist_ok=True)
    days = bookings.closed_days(day, 2)
    files = []
    named: dict[str, str] = {}
    for (provider, format), group in groupby(made, key=lambda each: (each.bank.provider, each.bank.format)):
        statements = [(each.bank, each.told) for each in group]
        if format == StatementFormat.CAMT:
            path = folder / f"{provider}-{day}.camt053.xml"
            path.write_bytes(camt.written(BANKS.get(provider, (provider,))[0], statements, owner))
        else:
            path = folder / f"{provider}-{day}.mt940.txt"
            path.write_bytes(mt940.written(statements, days[0]))
        files.append(path)
        named |= {_key(bank): path.name for bank, _told in statements}
    if listed:
        said = _listed(day, made, named)
        (folder / LIST).write_text(json.dumps(said, ensure_ascii=False, indent=2) + "\n", "utf-8")
        (folder / READABLE).write_text(_readable(said), "utf-8")
    return Day(
        day, folder, tuple(files), sum(len(each.planted) for each in made), sum(len(each.told.entries) for each in made)
    )


def _decimal(minor: int | None, currency: str) -> str | None:
    return None if minor is None else str(Money(minor, currency).amount)


def _listed(day: date, made: Sequence[_Statement], named: dict[str, str]) -> dict[str, Any]:
    differences: list[dict[str, Any]] = []
    for each in made:
        bank = each.bank
        for planted in each.planted:
            differences.append(
                {
                    "number": len(differences) + 1,
                    "kind": planted.kind.value,
                    "found": planted.found.value,
                    "remedy": planted.remedy.value,
                    "provider": bank.provider,
                    "account": bank.number,
                    "currency": bank.currency,
                    "file": named[_key(bank)],
                    "reference": planted.reference,
                    "bank": _decimal(planted.bank_minor, bank.currency),
                    "ledger": _decimal(planted.ledger_minor, bank.currency),
                    "transactions": [str(id) for id in planted.transactions],
                    "says": planted.says,
                }
            )
    return {
        "day": day.isoformat(),
        "statements": [
            {
                "provider": each.bank.provider,
                "account": each.bank.number,
                "currency": each.bank.currency,
                "file": named[_key(each.bank)],
                "number": each.told.number,
                "entries": len(each.told.entries),
                "lines": len(each.told.lines),
                "openingMinor": each.told.opening,
                "closingMinor": each.told.closing,
            }
            for each in made
        ],
        "differences": differences,
        "leftOut": [
            {"account": each.bank.number, "currency": each.bank.currency, "kind": kind.value}
            for each in made
            for kind in each.left_out
        ],
    }


def _readable(said: dict[str, Any]) -> str:
    """The list for people."""
    lines = [f"# Statements of {said['day']}", ""]
    lines += [f"- {each['file']}: {each['account']} {each['currency'].upper()}, {each['entries']} entries"
              for each in said["statements"]]  # fmt: skip
    lines += ["", "## What differs from the ledger, on purpose", ""]
    for each in said["differences"]:
        currency = each["currency"].upper()
        bank = f"bank {each['bank']} {currency}" if each["bank"] else "bank nothing"
        ledger = f"ledger {each['ledger']} {currency}" if each["ledger"] else "ledger nothing"
        reference = f", reference {each['reference']}" if each["reference"] else ""
        lines += [
            f"{each['number']}. **{each['kind']}** on {each['account']}: {bank}, {ledger}{reference}.",
            f"   {each['says']} Then: {_REMEDIES[each['remedy']]}.",
        ]
    if not said["differences"]:
        lines.append("Nothing.")
    for each in said["leftOut"]:
        lines.append(f"- left out for want of a fitting payment: {each['kind']} on {each['account']}")
    return "\n".join(lines) + "\n"
