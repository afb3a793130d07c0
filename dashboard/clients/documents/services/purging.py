"""Documents when the data of their client goes: rows inside the transaction of the purge, files after its commit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.clients.documents.services.erasing import erase, remove_files
from dashboard.clients.documents.store import Store


def erased_from(store: Store) -> Callable[[UUID, Actor], Callable[[], object]]:
    """What the purge calls for documents whose files lie in this store."""

    def of_client(client_id: UUID, by: Actor) -> Callable[[], object]:
        return partial(remove_files, erase(client_id, by=by), store=store)

    return of_client
