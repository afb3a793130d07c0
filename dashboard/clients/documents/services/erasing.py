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
from dashboard.database import constraint_of, session, transaction
from dashboard.errors import Refused
from dashboard.queues import services as queues

_WHY_NOT = {
    "client_document_kept_while_active": "The relationship lasts: its documents are kept.",
    "client_document_kept_for_retention": "The retention period of the documents is not over.",
}


def erase(client_id: UUID, *, by: Actor) -> list[str]:
    """Empty everything personal in the documents of a client, and give the SHA-256 of each file that may go.

    Names, links to the profile and comments are emptied; ids, checksums, states and times stay as evidence. The files
    themselves go after the commit: call `remove_files` with the answer then (one that dies in between is finished by
    the sweep). Withdrawn documents are erased alike. A second call finds nothing and answers an empty list.

    For the purge at the end of retention. Raises NotFound; Refused `keptWhileActive` while the client is active (or
    blocked while active), Refused `keptForRetention` while a `keep_until` lies ahead. The database refuses both too.
    """
    client = locked(client_id)
    open_ones = session().scalars(
        sa.select(ClientDocument.id).where(ClientDocument.client_id == client_id, ClientDocument.erased_at.is_(None))
    ).all()  # fmt: skip
    try:
        with session().begin_nested():
            hashes = list(session().scalars(sa.text("SELECT erase_client_documents(:client)"), {"client": client.id}))
    except sa.exc.IntegrityError as error:
        name = constraint_of(error) or ""
        if name not in _WHY_NOT:
            raise
        code = "keptWhileActive" if name.endswith("active") else "keptForRetention"
        raise Refused(_WHY_NOT[name], code=code) from error
    session().expire_all()
    for document_id in open_ones:
        queues.close_items("documents", object_id=document_id, by=by)
        audit.record(
            "document.erased", by=by, object_type="client_document", object_id=document_id, client_id=client_id
        )
    return sorted(set(hashes))


def remove_files(hashes: Sequence[str], *, store: Store) -> int:
    """Remove files that no document needs any more, each in a transaction of its own; gives how many."""
    gone = 0
    for sha256 in hashes:
        with transaction():
            gone += store.remove_unused([sha256])
    return gone


def relationship_ended(client_id: UUID, *, keep_until: date | None) -> int:
    """Say until when the documents of a client are kept, once its relationship is over; None takes it back.

    Gives how many documents it concerns. For whoever closes a client.
    """
    locked(client_id)
    changed = session().execute(
        sa.update(ClientDocument)
        .where(ClientDocument.client_id == client_id, ClientDocument.erased_at.is_(None))
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
