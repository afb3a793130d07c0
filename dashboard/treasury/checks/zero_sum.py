"""All posted balances of a currency add up to zero: what one account has, another one owes."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.database import session, transaction
from dashboard.treasury.checks.check import Answer, Check, Finding, Look, listed, money

_STORED = sa.text("SELECT currency, sum(posted) AS posted, count(*) AS looked FROM account_balance GROUP BY currency")
#: a closed day's sums, as they were written at its end
_CLOSED = sa.text(
    "SELECT currency, sum(posted) AS posted, sum(debits) AS debits, sum(credits) AS credits, count(*) AS looked"
    " FROM daily_total WHERE day = :day GROUP BY currency"
)
#: currencies that had an account when the day ended, and of which a sum is missing
_WITHOUT = sa.text(
    "SELECT DISTINCT a.currency FROM account a JOIN business_day d ON d.day = :day AND a.created_at <= d.closed_at"
    " WHERE NOT EXISTS (SELECT FROM daily_total s WHERE s.day = :day AND s.currency = a.currency"
    "  AND s.account_type = a.type) ORDER BY a.currency"
)


def run(look: Look) -> Answer:
    answer = Answer()
    with transaction():
        session().execute(sa.text("SET LOCAL statement_timeout = '15min'"))
        for row in session().execute(_STORED).all():
            answer.looked += row.looked
            if row.posted:
                answer.add(
                    Finding(
                        cause="balances", subject_type="currency", subject=row.currency.upper(), currency=row.currency,
                        expected=0, found=int(row.posted), path=f"/ledger/accounts?currency={row.currency}",
                        says=f"The stored balances of all {row.currency.upper()} accounts add up to"
                        f" {money(int(row.posted), row.currency)} and not to zero.",
                        todo="See which accounts “Stored balances” names, and let their rebuilt balances stand.",
                    )
                )  # fmt: skip
        for row in session().execute(_CLOSED, {"day": look.day}).all():
            answer.looked += row.looked
            for cause, amount, what in (
                ("dayTotals", int(row.posted), "balances at the end of the day add up to"),
                ("dayMovements", int(row.credits) - int(row.debits), "credits of the day, less its debits, are"),
            ):
                if amount:
                    answer.add(
                        Finding(
                            cause=cause, subject_type="businessDay", subject=look.day.isoformat(),
                            currency=row.currency, expected=0, found=amount, path=f"/ledger/days/{look.day}",
                            says=f"The {row.currency.upper()} {what} {money(amount, row.currency)} and not zero.",
                            todo="Compare the snapshot with the transactions on the day's page.",
                        )
                    )  # fmt: skip
        if without := session().scalars(_WITHOUT, {"day": look.day}).all():
            answer.missing.append(f"sums at the end of the day in {listed([code.upper() for code in without])}")
        look.keep()
    return answer


CHECK = Check(
    "zeroSum", "Zero sum", "The posted balances of each currency add up to zero, now and at the end of the day.", run
)
