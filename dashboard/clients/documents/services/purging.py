"""Documents when the data of their client goes: work ends inside the purge's transaction, files go after its commit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.clients.documents.services.erasing import remove_files, to_erase
from dashboard.clients.documents.store import Store


def erased_from(store: Store) -> Callable[[UUID, Actor], Callable[[], object]]:
    """What the purge calls for documents whose files lie in this store."""

    def of_client(client_id: UUID, by: Actor) -> Callable[[], object]:
        return partial(remove_files, to_erase(client_id, by=by), store=store)

    return of_client
