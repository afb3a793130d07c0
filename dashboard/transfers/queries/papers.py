"""Papers of a transfer or a client, without their content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard.clients.models import Client
from dashboard.database import session
from dashboard.transfers.models import Transfer, TransferDocument


@dataclass(frozen=True)
class PaperView:
    """`client`: whose it is; None for a paper of the house."""

    id: UUID
    transfer_id: UUID
    file_name: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime
    client_id: UUID | None
    client: str | None


_COLUMNS = (
    TransferDocument.id, TransferDocument.transfer_id, TransferDocument.file_name, TransferDocument.media_type,
    sa.func.octet_length(TransferDocument.content), TransferDocument.sha256, TransferDocument.created_at,
    TransferDocument.client_id, Client.name,
)  # fmt: skip


def of_client(client_id: UUID, *, transfer_id: UUID | None, size: int, after: UUID | None) -> list[PaperView]:
    """A client's own, newest first, one more than a page holds where there are more. Not those of a transfer that is
    somebody else's by now."""
    paper = TransferDocument
    where = [paper.client_id == client_id, Transfer.client_id == client_id]
    if transfer_id is not None:
        where.append(paper.transfer_id == transfer_id)
    if after is not None:
        where.append(paper.id < after)
    rows = session().execute(
        sa.select(*_COLUMNS)
        .join(Transfer, Transfer.id == paper.transfer_id)
        .outerjoin(Client, Client.id == paper.client_id)
        .where(*where)
        .order_by(paper.id.desc())
        .limit(size + 1)
    )
    return [PaperView(*row) for row in rows]


def of_transfer(transfer_id: UUID) -> list[PaperView]:
    """Newest first."""
    paper = TransferDocument
    rows = session().execute(
        sa.select(*_COLUMNS)
        .outerjoin(Client, Client.id == paper.client_id)
        .where(paper.transfer_id == transfer_id)
        .order_by(paper.id.desc())
    )
    return [PaperView(*row) for row in rows]
