"""Finding a client and holding its row while a verb works on it."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard.clients.models import Client, ClientBlock
from dashboard.database import session
from dashboard.errors import NotFound


def locked(client_id: UUID) -> Client:
    """The client, locked until the transaction ends (not against foreign keys). Raises NotFound."""
    client = session().scalar(
        sa.select(Client)
        .where(Client.id == client_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if client is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    if client.purged_at is not None:
        raise NotFound("The data of this client has been deleted.", code="clientPurged")
    return client


def active_blocks(client_id: UUID) -> list[ClientBlock]:
    """Blocks that stand now, oldest first, as they are under the lock."""
    return list(
        session().scalars(
            sa.select(ClientBlock)
            .where(ClientBlock.client_id == client_id, ClientBlock.lifted_at.is_(None))
            .order_by(ClientBlock.id)
            .execution_options(populate_existing=True)
        )
    )
