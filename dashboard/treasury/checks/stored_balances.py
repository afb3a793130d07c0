"""Each stored balance is what the account's transactions say.

It is the ledger's own check of all accounts: a difference opens a finding there, which a second person can accept. It
goes some accounts a step, in the order of their identifiers, each step at one moment.
"""

from __future__ import annotations

import sqlalchemy as sa

from dashboard.database import session, transaction
from dashboard.ledger import numbers
from dashboard.ledger.queries import checks as ledger
from dashboard.ledger.services import checking
from dashboard.ledger.vocabulary import CheckScope
from dashboard.treasury.checks.check import Answer, Check, Finding, Look, money

STEP = 2_000


def run(look: Look) -> Answer:
    answer = Answer()
    with transaction():
        # one that a lost runner began is gone through again from the first account
        if ledger.check_of(look.run_id) is None:
            checking.begin(look.run_id, CheckScope.FULL, job_id=look.run_id, by=look.by)
        look.keep()
    edge = None
    while True:
        with transaction():
            session().execute(sa.text("SET LOCAL statement_timeout = '15min'"))
            wanted = ledger.all_after(edge, STEP)
            if not wanted:
                break
            for difference in checking.look(look.run_id, wanted, by=look.by):
                _add(answer, difference)
            edge = wanted[-1]
            answer.looked += len(wanted)
            checking.count(look.run_id, accounts=answer.looked, differences=answer.count)
            look.keep()
    with transaction():
        check = ledger.check_of(look.run_id)
        if check is not None and check.finished_at is None:
            checking.finish(look.run_id, accounts=answer.looked, differences=answer.count, by=look.by)
        look.keep()
    return answer


def _add(answer: Answer, difference: checking.Difference) -> None:
    found = difference.compared
    for cause, stored, rebuilt in (
        ("posted", found.stored.posted, found.rebuilt.posted),
        ("held", found.stored.held, found.rebuilt.held),
    ):
        if stored != rebuilt:
            answer.add(
                Finding(
                    cause=cause, subject_type="account", subject_id=found.account_id,
                    subject=numbers.in_groups(found.number), currency=found.currency, expected=rebuilt, found=stored,
                    path=f"/ledger/checks/findings/{difference.finding_id}/accept",
                    says=f"Stored as {cause}: {money(stored, found.currency)}. Its transactions say"
                    f" {money(rebuilt, found.currency)}.",
                    todo="Find out what wrote it; then ask a second person to let the rebuilt balance stand.",
                )
            )  # fmt: skip


CHECK = Check(
    "storedBalances", "Stored balances", "Every stored balance is the sum of the account's transactions.", run
)
