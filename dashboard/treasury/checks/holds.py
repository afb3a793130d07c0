"""What is held on client accounts is what pending payments take from them, no more and no less."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.database import session, transaction
from dashboard.ledger import numbers
from dashboard.treasury.checks.check import Answer, Check, Finding, Look, money

#: one statement, hence one moment: a payment is on both sides or on neither
_BOTH = sa.text(
    "WITH pending AS ("
    "  SELECT t.debtor_account_id AS id, sum(t.amount_minor) AS amount, count(*) AS transactions"
    "  FROM ledger_transaction t JOIN account a ON a.id = t.debtor_account_id AND a.type = 'client'"
    "  WHERE t.state = 'pending' GROUP BY 1"
    "), held AS ("
    "  SELECT b.account_id AS id, sum(b.held) AS amount FROM account_balance b WHERE b.held > 0 GROUP BY 1"
    ") SELECT a.id, a.number, a.currency, coalesce(h.amount, 0) AS held, coalesce(p.amount, 0) AS pending,"
    "   coalesce(p.transactions, 0) AS transactions"
    " FROM held h FULL JOIN pending p ON p.id = h.id JOIN account a ON a.id = coalesce(h.id, p.id) ORDER BY a.id"
)


def run(look: Look) -> Answer:
    answer = Answer()
    with transaction():
        session().execute(sa.text("SET LOCAL statement_timeout = '15min'"))
        for row in session().execute(_BOTH):
            answer.looked += 1
            held, pending = int(row.held), int(row.pending)
            if held == pending:
                continue
            answer.add(
                Finding(
                    cause="holdWithoutPayment" if held > pending else "paymentWithoutHold", subject_type="account",
                    subject_id=row.id, subject=numbers.in_groups(row.number), currency=row.currency,
                    expected=pending, found=held, path=f"/ledger/accounts/{row.id}",
                    says=f"{money(held, row.currency)} is held; its {row.transactions} pending"
                    f" transaction{'' if row.transactions == 1 else 's'} take {money(pending, row.currency)}.",
                    todo="Open the account's pending payments; ask a second person to let the rebuilt balance stand.",
                )
            )  # fmt: skip
        look.keep()
    return answer


CHECK = Check("holds", "Holds", "What is held on a client account is the sum of its pending payments.", run)
