"""Only an active client sends money. What a block stops, the account's freeze and its blocked amount say."""

from __future__ import annotations

from dashboard.clients.vocabulary import Status
from dashboard.transfers.services.checks.finding import Case, Finding
from dashboard.transfers.vocabulary import Check, CheckOutcome

REFUSAL = ("clientNotActive", "The client cannot make transfers now.")


def look(case: Case) -> Finding:
    # a block may stop credits only, or keep an amount: whoever is active beneath it may send the rest
    standing = case.client.status_before_block or case.client.status
    detail = {"status": case.client.status}
    if standing == Status.ACTIVE:
        return Finding(Check.CLIENT_ACTIVE, CheckOutcome.PASSED, detail=detail)
    return Finding(Check.CLIENT_ACTIVE, CheckOutcome.REFUSED, detail=detail, refusal=REFUSAL)
