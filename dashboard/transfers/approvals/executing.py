"""Executing a transfer by hand takes two people."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Detail, Kind, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.ledger.models import Account
from dashboard.ledger.numbers import in_groups
from dashboard.money import Money
from dashboard.transfers.models import Transfer
from dashboard.transfers.services.outgoing import executing, held

_SAID = {executing.ByHand.EXECUTED: "Executed", executing.ByHand.REJECTED: "Rejected"}


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """Amount, both accounts and what the provider said, for a whole list in one query."""
    rows = session().execute(
        sa.select(Transfer, Account.number)
        .join(Account, Account.id == Transfer.account_id)
        .where(Transfer.id.in_({request.object_id for request in requests}))
    )
    known = {transfer.id: (transfer, number) for transfer, number in rows}
    found = {}
    for request in requests:
        transfer, number = known[request.object_id]
        answer = executing.answer_of(request.payload)
        amount = str(Money(transfer.amount_minor, transfer.currency))
        to = in_groups(transfer.counterparty_account or "")
        evidence = answer.provider_reference or answer.reason_code or ""
        label = "Provider's reference" if answer.outcome is executing.ByHand.EXECUTED else "Reason code"
        found[request.id] = Detail(
            short=f"{_SAID[answer.outcome]} by hand · {amount}",
            lines=(
                Line("Amount", (amount,)),
                Line("From account", (in_groups(number),)),
                Line("To", (" ".join(part for part in (transfer.counterparty_name, to) if part),)),
                Line("The provider says", (_SAID[answer.outcome],)),
                Line(label, (evidence,)),
                Line("Comment", (answer.comment,)),
            ),
            links=(Link("The transfer", f"/transfers/{transfer.id}"),),
        )
    return found


def closed(request: ApprovalRequest) -> str | None:
    """What made a request stale; None where the usual sentence is right."""
    if request.state != "stale":
        return None
    return "This request has gone stale: the transfer changed meanwhile. Nothing was done by it."


KINDS: tuple[Kind, ...] = (
    Kind(
        key=held.EXECUTE,
        label="Execute by hand",
        permission=Permission.TRANSFERS_EXECUTE,
        fingerprint=executing.fingerprint,
        execute=executing.decided,
        done="Executed by hand:",
        noun="Execution",
        details=details,
        closed=closed,
    ),
)
