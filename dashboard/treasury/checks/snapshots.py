"""The snapshot of the day follows from the one before and the day's transactions, and no day before it lacks one."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.database import session, transaction
from dashboard.ledger import numbers
from dashboard.ledger.models import BusinessDay
from dashboard.ledger.queries import days
from dashboard.ledger.services import snapshots
from dashboard.treasury.checks.check import Answer, Check, Finding, Look, money


def run(look: Look) -> Answer:
    answer = Answer()
    with transaction():
        state = session().scalar(sa.select(BusinessDay.state).where(BusinessDay.day == look.day))
        if state != "closed":
            answer.missing.append(f"end of the business day {look.day.isoformat()}")
            return answer
        without = snapshots.missing(look.day)
        for day in without:
            answer.add(
                Finding(
                    cause="missing", subject_type="businessDay", subject=day.isoformat(), path=f"/ledger/days/{day}",
                    says=f"The day {day.isoformat()} has ended and has no snapshot.",
                    todo="Run “End of day” on the page of jobs: it writes what is missing.",
                )
            )  # fmt: skip
        if not without:
            _compare(look, answer)
        look.keep()
    return answer


def _compare(look: Look, answer: Answer) -> None:
    compared = days.compare(look.day, look.day)
    answer.looked = compared.rows
    for difference in compared.differences:
        is_money = difference.field in {"posted", "debits", "credits"}

        def said(value: int | None, is_money: bool = is_money, currency: str = difference.currency) -> str:
            return "nothing" if value is None else money(value, currency) if is_money else f"{value:,}"

        where = (
            numbers.in_groups(difference.number)
            if difference.number
            else f"{difference.currency.upper()} {difference.account_type}, all accounts"
        )
        answer.add(
            Finding(
                cause=difference.field, subject_type="account" if difference.account_id else "businessDay",
                subject_id=difference.account_id, subject=where, currency=difference.currency if is_money else None,
                expected=difference.rebuilt, found=difference.stored,
                path=f"/ledger/accounts/{difference.account_id}" if difference.account_id
                else f"/ledger/days/{difference.day}",
                says=f"The snapshot says {difference.field} {said(difference.stored)}; the snapshot before and the"
                f" day's transactions say {said(difference.rebuilt)}.",
                todo="A snapshot is never rewritten: find out who wrote to it, and correct with an adjusting payment"
                " where a balance itself is wrong.",
            )
        )  # fmt: skip
    answer.count += compared.count - len(compared.differences)


CHECK = Check(
    "snapshots", "Snapshots", "Balances at the end of the day are those of the day before plus its transactions.", run
)
