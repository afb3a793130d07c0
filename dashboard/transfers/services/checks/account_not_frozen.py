"""No money leaves an account whose debits are stopped."""

from __future__ import annotations

from dashboard.transfers.services.checks.finding import Case, Finding
from dashboard.transfers.vocabulary import Check, CheckOutcome

CLOSED = ("accountClosed", "The account is closed.")
FROZEN = ("accountFrozen", "The debtor account is frozen for debits.")


def look(case: Case) -> Finding:
    detail = {"accountId": str(case.transfer.account_id)}
    if case.balance.closed:
        return Finding(Check.ACCOUNT_NOT_FROZEN, CheckOutcome.REFUSED, detail=detail, refusal=CLOSED)
    if case.balance.debits_frozen:
        return Finding(Check.ACCOUNT_NOT_FROZEN, CheckOutcome.REFUSED, detail=detail, refusal=FROZEN)
    return Finding(Check.ACCOUNT_NOT_FROZEN, CheckOutcome.PASSED, detail=detail)
