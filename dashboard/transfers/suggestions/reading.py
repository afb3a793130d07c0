"""Finding candidates for one receipt."""

from __future__ import annotations

from uuid import UUID

from dashboard.transfers.suggestions.gathering import gather
from dashboard.transfers.suggestions.saying import Suggestions
from dashboard.transfers.suggestions.told import read_receipt
from dashboard.transfers.suggestions.weighing import weigh


def candidates(transfer_id: UUID) -> Suggestions:
    """The three accounts that most speaks for. Raises NotFound `transferNotFound`."""
    told = read_receipt(transfer_id)
    best, looked_at = weigh(told, gather(told))
    return Suggestions(transfer_id, best, looked_at)
