"""PEP and sanctions marks: opened by one person with their source, ended with a reason. One of sanctions is restricted
whole, blocks the client at once, and is ended by two people.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.clients.models import Client, ClientMark, RelatedIndividual
from dashboard.clients.services.block import block
from dashboard.clients.services.lock import active_blocks, locked
from dashboard.clients.services.plan import follow
from dashboard.clients.vocabulary import BlockCode, MarkKind, Scope, Status
from dashboard.database import constraint_of, new_id, savepoint, session
from dashboard.errors import Conflict, Invalid, NotFound

KIND = "client.end-sanctions-mark"
LONGEST_SOURCE = 200
LONGEST_COMMENT = 2000


def _line(value: str | None, field: str, *, required: str | None = None, longest: int = LONGEST_SOURCE) -> str | None:
    text = (value or "").strip()
    if not text and required:
        raise Invalid.one(field, required, "required")
    if len(text) > longest:
        raise Invalid.one(field, f"Use at most {longest} characters.", "tooLong")
    return text or None


def sanctions_mark_stands(client_id: UUID) -> bool:
    """Whether an open sanctions mark stands on the client or somebody of it. Restricted knowledge."""
    open_one = sa.select(ClientMark.id).where(
        ClientMark.client_id == client_id, ClientMark.kind == MarkKind.SANCTIONS.value, ClientMark.ended_at.is_(None)
    )
    return bool(session().scalar(sa.select(open_one.exists())))


def names_of_people(client_id: UUID) -> list[str]:
    """Related individuals by name, in their order: whom a mark can be about."""
    rows = session().execute(
        sa.select(RelatedIndividual.first_name, RelatedIndividual.last_name)
        .where(RelatedIndividual.client_id == client_id)
        .order_by(RelatedIndividual.position)
    )
    names = (" ".join(filter(None, row)).strip() for row in rows)
    return list(dict.fromkeys(name for name in names if name))


def open_mark(
    client_id: UUID,
    *,
    kind: MarkKind,
    list_name: str,
    said_by: str,
    list_version: str | None = None,
    reference: str | None = None,
    about: str | None = None,
    comment: str | None = None,
    by: Actor,
) -> ClientMark:
    """Mark a client, or one of its related individuals by name (`about`).

    A sanctions mark places a full block at once, whatever the client's state, in the name of the person who marks: what
    others see, also of an activation that is refused, is a block like any other. Raises NotFound, Invalid (source
    missing, nobody of that name), Conflict (the same mark stands), Forbidden.
    """
    by.require(Permission.CLIENTS_REVIEW)
    if kind is MarkKind.SANCTIONS:
        by.require(Permission.CLIENTS_READ_RESTRICTED)
        by.require(Permission.CLIENTS_BLOCK)
    assert by.staff_id is not None  # marks are opened on a page
    client = locked(client_id)
    person = _line(about, "about")
    if person is not None and person not in names_of_people(client_id):
        raise Invalid.one("about", "Choose the client itself or one of its related individuals.", "choice")
    mark = ClientMark(
        id=new_id(),
        client_id=client_id,
        kind=kind.value,
        about=person,
        list_name=_line(list_name, "listName", required="Say which list or source it is."),
        list_version=_line(list_version, "listVersion"),
        said_by=_line(said_by, "saidBy", required="Say who or what says so."),
        reference=_line(reference, "reference"),
        comment=_line(comment, "comment", longest=LONGEST_COMMENT),
        opened_at=clock.now(),
        opened_by=by.staff_id,
        opened_by_name=by.name,
    )
    try:
        with savepoint():
            session().add(mark)
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "uq_client_mark_open":
            raise
        raise Conflict("This mark stands already: the same list about the same person.", code="alreadyMarked") from None
    client.version += 1
    client.updated_at = clock.now()
    session().flush()
    _tell("client.pep_marked" if kind is MarkKind.PEP else "client.sanctions_marked", mark, by=by)
    if kind is MarkKind.SANCTIONS:
        _block(client, by=by)
    else:
        follow(client, by=by)
    return mark


def _block(client: Client, *, by: Actor) -> None:
    """Nothing is active while a sanctions mark stands. Money neither leaves nor reaches the client."""
    if Status.CLOSED in {client.status, client.status_before_block}:
        return
    if any(one.code == BlockCode.SANCTIONS and one.scope == Scope.ALL for one in active_blocks(client.id)):
        return
    block(client.id, scope=Scope.ALL, code=BlockCode.SANCTIONS, comment="A sanctions mark was opened.", by=by)


def _tell(action: str, mark: ClientMark, *, by: Actor, reason: str | None = None) -> None:
    """Of a PEP mark only who is meant and by which list is for everybody; of a sanctions mark nothing is."""
    source = {"about": mark.about, "list": mark.list_name}
    words = {
        "edition": mark.list_version, "said_by": mark.said_by, "reference": mark.reference, "comment": mark.comment,
        "reason": reason,
    }  # fmt: skip
    is_open = mark.kind == MarkKind.PEP
    audit.record(
        action,
        by=by,
        object_type="client_mark",
        object_id=mark.id,
        client_id=mark.client_id,
        after=source if is_open else None,
        restricted={key: value for key, value in ({} if is_open else source | {"kind": mark.kind}).items() if value}
        | {key: value for key, value in words.items() if value},
    )


def mark_of(client_id: UUID, mark_id: UUID, *, actor: Actor) -> ClientMark:
    """One mark of this client. Raises NotFound, also for one that this reader may not know of."""
    mark = session().get(ClientMark, mark_id, populate_existing=True)
    hidden = mark is not None and mark.kind == MarkKind.SANCTIONS and not actor.sees_restricted
    if mark is None or mark.client_id != client_id or hidden:
        raise NotFound("There is no such mark.")
    return mark


def _locked_mark(mark_id: UUID) -> tuple[Client, ClientMark]:
    stored = session().get(ClientMark, mark_id)
    if stored is None:
        raise NotFound("There is no such mark.")
    client = locked(stored.client_id)
    session().refresh(stored)
    return client, stored


def _end(client: Client, mark: ClientMark, *, reason: str, by: Actor, request: ApprovalRequest | None) -> None:
    if mark.ended_at is not None:
        raise Conflict(f"This mark was ended meanwhile by {mark.ended_by_name}.", code="ended")
    mark.ended_at = clock.now()
    mark.ended_by, mark.ended_by_name = by.staff_id, by.name
    mark.ending_reason = reason
    mark.end_approval_id = request.id if request else None
    client.version += 1
    client.updated_at = clock.now()
    session().flush()
    _tell(
        "client.pep_ended" if mark.kind == MarkKind.PEP else "client.sanctions_mark_ended", mark, by=by, reason=reason
    )


def end_mark(mark_id: UUID, *, reason: str, by: Actor) -> ClientMark:
    """End a PEP mark: one person, with a reason. Raises NotFound, Conflict, Invalid; a sanctions mark takes two."""
    by.require(Permission.CLIENTS_REVIEW)
    client, mark = _locked_mark(mark_id)
    if mark.kind != MarkKind.PEP:
        raise NotFound("There is no such mark.")
    text = _line(reason, "reason", required="Say why it ends.", longest=LONGEST_COMMENT)
    assert text is not None
    _end(client, mark, reason=text, by=by, request=None)
    follow(client, by=by)
    return mark


def ask_to_end_mark(mark_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask to end a sanctions mark; another person decides. Raises NotFound, Conflict (ended, or asked), Invalid."""
    by.require(Permission.CLIENTS_READ_RESTRICTED)
    client, mark = _locked_mark(mark_id)
    if mark.kind != MarkKind.SANCTIONS:
        raise Invalid.one("kind", "A PEP mark is ended by one person.", "kind")
    if mark.ended_at is not None:
        raise Conflict(f"This mark was ended meanwhile by {mark.ended_by_name}.", code="ended")
    return approvals.request(
        KIND,
        object_type="client_mark",
        object_id=mark.id,
        client_id=client.id,
        subject=client.name,
        payload={"mark_id": str(mark.id)},
        before={"mark": "stands"},
        after={"mark": "ended"},
        reason=reason,
        restricted=True,
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the client; what must not have changed since the request."""
    client, mark = _locked_mark(request.object_id)
    return {"version": client.version, "ended": mark.ended_at is not None}


def end_sanctions_mark(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request. The block that came with the mark stays: it is lifted on its own."""
    client, mark = _locked_mark(request.object_id)
    _end(client, mark, reason=request.reason, by=by, request=request)
