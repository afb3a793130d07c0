"""Papers of a transfer, without their content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard.clients.models import Client
from dashboard.database import session
from dashboard.transfers.models import TransferDocument


@dataclass(frozen=True)
class PaperView:
    """`client`: whose it is; None for a paper of the house."""

    id: UUID
    file_name: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime
    client_id: UUID | None
    client: str | None


def of_transfer(transfer_id: UUID) -> list[PaperView]:
    """Newest first."""
    paper = TransferDocument
    rows = session().execute(
        sa.select(
            paper.id, paper.file_name, paper.media_type, sa.func.octet_length(paper.content), paper.sha256,
            paper.created_at, paper.client_id, Client.name,
        )
        .outerjoin(Client, Client.id == paper.client_id)
        .where(paper.transfer_id == transfer_id)
        .order_by(paper.id.desc())
    )  # fmt: skip
    return [PaperView(*row) for row in rows]
