"""Each bank account has its statement of the day, which ties out and goes on from the one before."""

from __future__ import annotations

from dashboard import clock
from dashboard.database import transaction
from dashboard.treasury.checks import bank_days
from dashboard.treasury.checks.bank_days import BankDay
from dashboard.treasury.checks.check import Answer, Check, Finding, Look, listed, money
from dashboard.treasury.statements.models import Statement
from dashboard.treasury.vocabulary import Continuity, TieOut

PATH = "/treasury/statements"


def run(look: Look) -> Answer:
    answer = Answer()
    with transaction():
        known = bank_days.of(look.day)
        if not known:
            answer.missing.append("bank accounts in the register that give statements")
        expected = []
        for one in known:
            answer.looked += 1
            if one.holiday is not None:
                continue
            if one.statements:
                for statement in one.statements:
                    _judge(one, statement, answer)
            elif (due := _due(one, look)) is not None:
                expected.append(f"{one.account.said} (expected {due})")
            else:
                answer.add(_late(one, look))
        if unregistered := bank_days.unregistered(look.day):
            answer.missing.append(f"entry in the register of {listed(unregistered)}")
        if expected:
            answer.missing.append(f"statement of {listed(expected)}")
        look.keep()
    return answer


def _due(one: BankDay, look: Look) -> str | None:
    """By when the statement is expected, while that has not come."""
    assert one.account.expected_at is not None  # a format comes with a time (constraint)
    now = look.at.astimezone(clock.calendar().zone)
    on = bank_days.next_day(look.day)
    if (now.date(), now.time()) >= (on, one.account.expected_at):
        return None
    return f"{on:%d %b} {one.account.expected_at:%H:%M}"


def _finding(one: BankDay, *, cause: str, says: str, todo: str, statement: Statement | None = None) -> Finding:
    return Finding(
        cause=cause, pool=one.account.pool, currency=one.account.currency,
        subject_type="statement" if statement else "bankAccount",
        subject_id=statement.id if statement else one.account.id, subject=one.account.said, path=PATH, says=says,
        todo=todo,
    )  # fmt: skip


def _late(one: BankDay, look: Look) -> Finding:
    assert one.account.expected_at is not None
    return _finding(
        one, cause="late",
        says=f"There is no statement of {look.day.isoformat()}; it was expected at {one.account.expected_at:%H:%M}"
        " on the day after.",
        todo="Ask the bank, or upload the file. Nothing is compared until it is here.",
    )  # fmt: skip


def _judge(one: BankDay, statement: Statement, answer: Answer) -> None:
    if statement.tie_out == TieOut.FAILED:
        opening, closing = statement.opening_minor or 0, statement.closing_minor or 0
        off = closing - opening - statement.booked_minor
        answer.add(
            _finding(
                one, statement=statement, cause="tieOut",
                says=f"Opening balance and entries do not make its closing balance: {money(off, statement.currency)}"
                " is not explained.",
                todo="Compare the file with the bank's own page; ask the bank for a statement that adds up.",
            )
        )  # fmt: skip
    elif statement.tie_out == TieOut.UNKNOWN:
        answer.add(
            _finding(
                one, statement=statement, cause="noBalances",
                says="The statement carries no opening or closing balance, so nothing says whether it is whole.",
                todo="Ask the bank for statements with balances.",
            )
        )  # fmt: skip
    if statement.continuity == Continuity.FAILED:
        answer.add(
            _finding(
                one, statement=statement, cause="continuity",
                says="Its opening balance is not the closing balance of the statement before, or a number between them"
                " is missing.",
                todo="Import the statement that is missing between the two.",
            )
        )  # fmt: skip


CHECK = Check(
    "statements", "Statements", "The statement of each bank account is here, ties out and follows the last one.", run
)
