"""Amount and fee must be there, beside what is held, what a block keeps, and within the account's limit.

Once they are held they count no more; then what is left must still cover the amounts that blocks keep.
"""

from __future__ import annotations

from dashboard.transfers.services.checks.finding import Case, Finding
from dashboard.transfers.vocabulary import Check, CheckOutcome

REFUSAL = ("insufficientFunds", "The account has not enough available for the amount and the fee.")


def look(case: Case) -> Finding:
    row = case.balance
    room = row.posted - row.held - row.blocked_minor + row.limit_minor
    wanted = 0 if case.held else case.transfer.amount_minor + case.transfer.fee_minor
    detail = {"accountId": str(case.transfer.account_id), "feeMinor": case.transfer.fee_minor, "held": case.held}
    if wanted <= room:
        return Finding(Check.FUNDS, CheckOutcome.PASSED, room, wanted, detail)
    return Finding(Check.FUNDS, CheckOutcome.REFUSED, room, wanted, detail, REFUSAL)
