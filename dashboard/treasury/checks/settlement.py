"""What the ledger says lies at each bank is what the bank's statement says, as of the end of the day.

How much of a difference is explained (timing items, breaks) is what matching knows; it says so through `learn`. Until
somebody does, the whole difference counts as unexplained.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple
from uuid import UUID

from dashboard.database import transaction
from dashboard.ledger.queries import balances
from dashboard.treasury.checks import bank_days
from dashboard.treasury.checks.bank_days import BankDay
from dashboard.treasury.checks.check import Answer, Check, Finding, Look, listed, money

PATH = "/treasury/reconciliation"


class Explained(NamedTuple):
    """Minor units, in the bank's sense: ledger + timing + breaks + unexplained = statement. `breaks_open` is how many
    breaks stand: two of them may even one another out."""

    timing: int
    breaks: int
    breaks_open: int


#: bank account and day to what is explained; None: the day was not matched
Explains = Callable[[UUID, date], Explained | None]

_explains: list[Explains] = []


def learn(explains: Explains) -> None:
    """Who knows how much of a difference is explained. Called once, by app.py."""
    _explains[:] = [explains]


def run(look: Look) -> Answer:
    answer = Answer()
    with transaction():
        known = [one for one in bank_days.of(look.day) if one.holiday is None]
        ledger = balances.at_end_of(
            [one.account.settlement_account_id for one in known if one.account.settlement_account_id], look.day
        )
        absent, unmatched, without = [], [], []
        for one in known:
            statement = one.last
            account_id = one.account.settlement_account_id
            if account_id is None or account_id not in ledger:
                without.append(one.account.said)
                continue
            if statement is None or statement.closing_minor is None:
                absent.append(one.account.said)
                continue
            # the ledger's settlement account mirrors the bank: an asset, hence negative
            booked = -ledger[account_id].posted
            # asked for also where both agree: breaks and timing items may even one another out
            explained = _explains[0](one.account.id, look.day) if _explains else Explained(0, 0, 0)
            if explained is None and booked == statement.closing_minor:
                explained = Explained(0, 0, 0)
            if explained is None:
                unmatched.append(one.account.said)
                continue
            answer.looked += 1
            _judge(one, booked, statement.closing_minor, explained, look.day, answer)
        if not known:
            answer.missing.append("bank accounts that are reconciled on this day")
        if unregistered := bank_days.unregistered(look.day):
            answer.missing.append(f"entry in the register of {listed(unregistered)}")
        if without:
            answer.missing.append(f"settlement account of {listed(without)}")
        if absent:
            answer.missing.append(f"statement of {listed(absent)}")
        if unmatched:
            answer.missing.append(f"match run of {listed(unmatched)}")
        look.keep()
    return answer


def _judge(one: BankDay, booked: int, closing: int, explained: Explained, day: date, answer: Answer) -> None:
    currency = one.account.currency
    unexplained = closing - booked - explained.timing - explained.breaks
    standing = explained.breaks_open
    for cause, wrong, says, todo in (
        (
            "unexplained", unexplained != 0,
            f"{money(unexplained, currency)} between bank and ledger is explained by nothing.",
            "Run matching for the day, dry first, and look at what is open on both sides.",
        ),
        (
            "breaks", standing > 0 or explained.breaks != 0,
            f"{standing:,} break{'s' * (standing != 1)} of {money(explained.breaks, currency)}"
            f"{' in all' * (standing > 1)} stand{'s' * (standing == 1)} between bank and ledger.",
            "Resolve each break: match it, book an adjusting payment, or accept it with a reason.",
        ),
    ):  # fmt: skip
        if wrong:
            answer.add(
                Finding(
                    cause=cause, pool=one.account.pool, currency=currency, subject_type="bankAccount",
                    subject_id=one.account.id, subject=one.account.said, expected=closing, found=booked,
                    path=f"{PATH}?account={one.account.id}&day={day.isoformat()}",
                    says=f"The statement says {money(closing, currency)}, the ledger {money(booked, currency)}: {says}",
                    todo=todo,
                )
            )  # fmt: skip


CHECK = Check(
    "settlement", "Settlement accounts", "The ledger's balance at each bank is the closing balance of its statement.",
    run,
)  # fmt: skip
