"""A day's statements as files in a folder, with a list of what differs on purpose beside them.

`OUT/2026-03-12/` holds one file for each bank, `planted.json` for programs and `planted.md` for people. What lies in
OUT goes on: where an earlier day has a list, the balances of the next day follow it and nothing more is planted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

from dashboard.errors import Refused
from dashboard.home.demo_data.chart import BANKS
from dashboard.home.demo_data.statements import bookings, camt, mt940, planting, telling
from dashboard.home.demo_data.statements.bookings import Bank
from dashboard.home.demo_data.statements.planting import Kind, Planted
from dashboard.home.demo_data.statements.telling import Told
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


def write(out: Path, last: date, *, earlier: int = 1, seed: int = 1, owner: str) -> list[Day]:
    """Statements of the closed business day `last`, and before it of `earlier` days without differences or of the days
    since the newest list in `out`. `owner`: the house's name, as the banks write it.

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
    if followed is None or days[0] > followed[0]:
        days = days[-1 - earlier :]
        balances, planted_on = None, last
    else:
        days = [day for day in days if day > followed[0]]
        balances, planted_on = followed[1], None
    done = []
    for day in days:
        made = _statements(accounts, day, balances, seed if day == planted_on else None)
        balances = {**(balances or {}), **{_key(each.bank): each.told.closing for each in made}}
        done.append(_put(out / day.isoformat(), day, made, owner, listed=day == planted_on or planted_on is None))
    return done


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
    accounts: Sequence[Bank], day: date, balances: dict[str, int] | None, seed: int | None
) -> list[_Statement]:
    """`balances`: what the statements before ended with; the ledger's own where there are none. `seed` None: nothing
    is planted."""
    booked = {bank.id: bookings.booked(bank, day) for bank in accounts}
    told = {bank.id: telling.lines(booked[bank.id]) for bank in accounts}
    opening = bookings.before(accounts, day)
    number = bookings.number_of(day)
    kinds = _kinds(accounts, {id: len(lines) for id, lines in told.items()}) if seed is not None else {}
    found = []
    for bank in accounts:
        random = Random(f"statements {seed or 0} {day} {bank.number} {bank.currency}")  # noqa: S311 invents, protects nothing
        plot = planting.plant(bank, day, told[bank.id], booked[bank.id], kinds.get(bank.id, ()), random)
        together = (
            telling.an_order(plot.lines, random, without=plot.used) if bank.format == StatementFormat.CAMT else []
        )
        entries = telling.batched(plot.lines, together, f"ORD{day:%y%m%d}{bank.currency.upper()}")
        # what stood at the bank before the ledger began is part of the first balance
        start = opening[bank.id] + sum(each.amount for each in booked[bank.id] if each.opening)
        if balances is not None:
            start = balances.get(_key(bank), start)
        found.append(_Statement(bank, Told(day, number, start, entries), tuple(plot.planted), tuple(plot.left_out)))
    return found


def _kinds(accounts: Sequence[Bank], lines: dict[Any, int]) -> dict[Any, tuple[Kind, ...]]:
    """Every kind on the busiest account of e-money with camt files, a fee on one with MT940."""
    busiest = max(
        (bank for bank in accounts if bank.format == StatementFormat.CAMT and bank.pool == Pool.E_MONEY),
        key=lambda bank: lines[bank.id],
        default=None,
    )
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
    differences = []
    for each in made:
        bank = each.bank
        for planted in each.planted:
            differences.append(
                {
                    "number": len(differences) + 1,
                    "kind": planted.kind.value,
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
