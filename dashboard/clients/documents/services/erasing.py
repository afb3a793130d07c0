"""The end of documents: emptied rows, removed files, and what is left over of uploads that died."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.store import Store
from dashboard.clients.services.lock import locked
from dashboard.database import session, transaction
from dashboard.queues import services as queues


def to_erase(client_id: UUID, *, by: Actor) -> list[str]:
    """End the work on a client's documents, and give the SHA-256 of each file that may go once they are emptied.

    Called by the purge alone, in its transaction: `purge_client` empties names, links to the profile and comments, and
    nothing else can; ids, checksums, states and times stay as evidence. The files themselves go after the commit: call
    `remove_files` with the answer then (one that dies in between is finished by the sweep, and a file that a document
    still names stays). Withdrawn documents go alike. A second call finds nothing. Raises NotFound.
    """
    locked(client_id)
    leaving = session().execute(
        sa.select(ClientDocument.id, ClientDocument.sha256).where(
            ClientDocument.client_id == client_id, ClientDocument.erased_at.is_(None)
        )
    ).all()  # fmt: skip
    for document_id, _ in leaving:
        queues.close_items("documents", object_id=document_id, by=by)
        audit.record(
            "document.erased", by=by, object_type="client_document", object_id=document_id, client_id=client_id
        )
    return sorted({sha256 for _, sha256 in leaving})


def remove_files(hashes: Sequence[str], *, store: Store) -> int:
    """Remove files that no document needs any more, each in a transaction of its own; gives how many."""
    gone = 0
    for sha256 in hashes:
        with transaction():
            gone += store.remove_unused([sha256])
    return gone


def relationship_ended(client_id: UUID, *, keep_until: date) -> int:
    """Say until when the documents of a client are kept, once its relationship is over; never shorter than said before.

    Gives how many documents it concerns. For whoever closes a client.
    """
    locked(client_id)
    changed = session().execute(
        sa.update(ClientDocument)
        .where(
            ClientDocument.client_id == client_id,
            ClientDocument.erased_at.is_(None),
            sa.func.coalesce(ClientDocument.keep_until < keep_until, sa.true()),
        )
        .values(keep_until=keep_until)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]


def sweep(store: Store) -> dict[str, int]:
    """Remove half-written uploads, and files that no document names: the upload died before its commit."""
    removed = 0
    for named in store.stored():
        if not named:
            continue
        known = set(
            session().scalars(
                sa.select(ClientDocument.sha256).where(
                    ClientDocument.sha256.in_(named), ClientDocument.erased_at.is_(None)
                )
            )
        )
        removed += remove_files([name for name in named if name not in known], store=store)
    return {"half_written": store.forgotten(), "without_a_row": removed}
