"""What happened to transfers, and what they were asked: for many at once, a query each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.transfers.models import ProviderMessage, StatusChange, Submission, TransferCheck
from dashboard.transfers.vocabulary import Check, CheckOutcome

#: messages of one transfer that a page shows
MOST_MESSAGES = 50
_ORDER = {check.value: place for place, check in enumerate(Check)}


def changes_of(transfer_ids: Iterable[UUID]) -> dict[UUID, list[StatusChange]]:
    """Histories by transfer, oldest change first."""
    wanted = set(transfer_ids)
    found: dict[UUID, list[StatusChange]] = {one: [] for one in wanted}
    if wanted:
        for row in session().scalars(
            sa.select(StatusChange)
            .where(StatusChange.transfer_id.in_(wanted))
            .order_by(StatusChange.transfer_id, StatusChange.position)
        ):
            found[row.transfer_id].append(row)
    return found


def checks_of(transfer_ids: Iterable[UUID]) -> dict[UUID, list[TransferCheck]]:
    """The last round of checks by transfer, in the order in which they are asked."""
    wanted = set(transfer_ids)
    found: dict[UUID, list[TransferCheck]] = {one: [] for one in wanted}
    if not wanted:
        return found
    for row in session().scalars(sa.select(TransferCheck).where(TransferCheck.transfer_id.in_(wanted))):
        found[row.transfer_id].append(row)
    for one, rows in found.items():
        last = max((row.round for row in rows), default=0)
        found[one] = sorted((row for row in rows if row.round == last), key=lambda row: _ORDER[row.code])
    return found


def failed(checks: Sequence[TransferCheck]) -> list[TransferCheck]:
    """Those that held a transfer or refused it."""
    return [row for row in checks if row.outcome != CheckOutcome.PASSED]


def messages_of(transfer_id: UUID) -> list[ProviderMessage]:
    """What was said between us and the provider about a transfer, oldest first."""
    return list(
        session().scalars(
            sa.select(ProviderMessage)
            .where(ProviderMessage.transfer_id == transfer_id)
            .order_by(ProviderMessage.id)
            .limit(MOST_MESSAGES)
        )
    )


def submission_of(transfer_id: UUID) -> Submission | None:
    """Its line of the outbox."""
    return session().get(Submission, transfer_id)
