"""What a client's blocks mean for its money: the union of their scopes stands on every account, through the ledger."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from dashboard.clients.models import Client
from dashboard.clients.services.lock import active_blocks
from dashboard.clients.vocabulary import Scope, Status
from dashboard.database import session
from dashboard.ledger.services import accounts


def apply_freeze(client_id: UUID) -> int:
    """Write the freeze that the standing blocks mean; gives how many accounts it touched. The client is locked."""
    client = session().get_one(Client, client_id)
    standing = active_blocks(client_id)
    scopes = {block.scope for block in standing}
    amounts: Counter[str] = Counter()
    for block in standing:
        if block.scope == Scope.AMOUNT and block.currency:
            amounts[block.currency] += block.amount_minor or 0
    return accounts.freeze_owner(
        client_id,
        debits=bool(scopes & {Scope.ALL, Scope.DEBIT}),
        credits=bool(scopes & {Scope.ALL, Scope.CREDIT}),
        blocked_amounts=dict(amounts),
        # no account is opened for who wants to be deleted (GDPR Art. 18)
        closed=(client.status_before_block or client.status) == Status.CLOSED or client.restricted_at is not None,
    )
