"""What an outgoing transfer is asked: one list, one file per check.

`refused` ends it there with the check's code; `review` lets a person look while the money is held. Who asks has locked
the transfer and its client's row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from dashboard import clock
from dashboard.clients.models import Client
from dashboard.database import session
from dashboard.errors import Refused
from dashboard.ledger.models import AccountBalance
from dashboard.transfers.models import Transfer, TransferCheck
from dashboard.transfers.services.checks import (
    account_not_frozen,
    client_active,
    duplicate,
    funds,
    limits,
    payer_data,
    recipient_country,
)
from dashboard.transfers.services.checks.finding import Case, Finding, Stage
from dashboard.transfers.vocabulary import Check, CheckOutcome

__all__ = ["TABLE", "Asked", "ChecksRefused", "Finding", "Stage", "keep", "look", "require", "to_review"]

S = Stage
ALWAYS = frozenset(Stage)
#: before money is held
BEFORE = frozenset({S.ASKED, S.CREATED, S.CONFIRMED})


class Asked(NamedTuple):
    """One line of the list: the rule in words, who looks, and at which stages."""

    code: Check
    rule: str
    look: Callable[[Case], Finding]
    at: frozenset[Stage]


TABLE = (
    Asked(Check.CLIENT_ACTIVE, "The client is active.", client_active.look, ALWAYS),
    Asked(Check.ACCOUNT_NOT_FROZEN, "The account is open and its debits are not stopped.",
          account_not_frozen.look, ALWAYS),
    Asked(Check.FUNDS, "The account has the amount and the fee available.", funds.look, ALWAYS - {S.ASKED}),
    Asked(Check.LIMIT_PER_TRANSFER, "One transfer stays within the limit of the client's risk.",
          limits.per_transfer, BEFORE),
    Asked(Check.LIMIT_PER_DAY, "The day's transfers stay within the limit of the client's risk.",
          limits.per_day, BEFORE),
    Asked(Check.LIMIT_PER_MONTH, "The month's transfers stay within the limit of the client's risk.",
          limits.per_month, BEFORE),
    Asked(Check.RECIPIENT_COUNTRY, "The recipient's country is known and none that is refused or looked at.",
          recipient_country.look, BEFORE | {S.RELEASED}),
    Asked(Check.DUPLICATE, "No transfer like it was confirmed within minutes.", duplicate.look, BEFORE),
    Asked(Check.PAYER_DATA, "The payer's name, and address, document number or date of birth are known.",
          payer_data.look, BEFORE),
)  # fmt: skip


class ChecksRefused(Refused):
    """A check said no; `findings` are all of the round."""

    def __init__(self, findings: Sequence[Finding], refused: Finding) -> None:
        assert refused.refusal is not None
        code, sentence = refused.refusal
        super().__init__(sentence, code=code, details={"check": refused.code.value})
        self.findings = list(findings)


def look(transfer: Transfer, client: Client, *, stage: Stage) -> list[Finding]:
    """Ask every check of the stage; all of them, so that a person sees the whole."""
    balance = session().scalar(
        sa.select(AccountBalance)
        .where(AccountBalance.account_id == transfer.account_id, AccountBalance.slot == 0)
        .execution_options(populate_existing=True)
    )
    assert balance is not None  # a client account has exactly one
    case = Case(transfer, client, balance, stage, clock.now())
    return [asked.look(case) for asked in TABLE if stage in asked.at]


def keep(transfer: Transfer, findings: Sequence[Finding]) -> None:
    """Store a round as it was found."""
    last = session().scalar(sa.select(sa.func.max(TransferCheck.round)).where(TransferCheck.transfer_id == transfer.id))
    moment = clock.now()
    session().add_all(
        TransferCheck(
            transfer_id=transfer.id,
            round=(last or 0) + 1,
            code=finding.code.value,
            outcome=finding.outcome.value,
            limit_minor=finding.limit_minor,
            measured_minor=finding.measured_minor,
            detail=finding.detail,
            at=moment,
        )
        for finding in findings
    )
    session().flush()


def require(findings: Sequence[Finding]) -> None:
    """Raises ChecksRefused for the first check that refuses."""
    for finding in findings:
        if finding.outcome is CheckOutcome.REFUSED:
            raise ChecksRefused(findings, finding)


def to_review(findings: Sequence[Finding]) -> str | None:
    """The code of the first check for which a person looks; None where none does."""
    return next((each.code.value for each in findings if each.outcome is CheckOutcome.REVIEW), None)
