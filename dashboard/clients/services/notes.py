"""Notes of staff. Append-only: a wrong note is answered by another."""

from __future__ import annotations

from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients.models import Client, ClientNote
from dashboard.database import new_id, session
from dashboard.errors import Invalid, NotFound

LONGEST_NOTE = 4000


def add_note(client_id: UUID, *, body: str, by: Actor) -> ClientNote:
    """Add a note. Raises NotFound, Invalid (empty, too long)."""
    text = body.strip()
    if not text:
        raise Invalid.one("body", "Write something first.", "required")
    if len(text) > LONGEST_NOTE:
        raise Invalid.one("body", f"Use at most {LONGEST_NOTE} characters.", "tooLong")
    if session().get(Client, client_id) is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    assert by.staff_id is not None  # notes are written on a page
    note = ClientNote(
        id=new_id(), client_id=client_id, author_id=by.staff_id, author_name=by.name, body=text, created_at=clock.now()
    )
    session().add(note)
    session().flush()
    audit.record(
        "client.note_added",
        by=by,
        object_type="client_note",
        object_id=note.id,
        client_id=client_id,
        restricted={"note": text},
    )
    return note
