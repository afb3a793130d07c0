"""The audit: who did what and when, one event, its export, and whether the chain is whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, request, stream_with_context, url_for

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals.names import named
from dashboard.audit import exporting, sealing, searching, verify_audit, verifying
from dashboard.audit.searching import EventFilter, Found, Reach, Reader
from dashboard.background import queries as background
from dashboard.clients import queries as clients
from dashboard.clients import story
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid
from dashboard.home import audit_work
from dashboard.home.audit_query import KINDS, LABELS, AuditQuery, in_words
from dashboard.ledger.forms.transaction_list import FilterError
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing
from dashboard.web.htmx import go, page_or_fragment, wants_fragment
from dashboard.web.json import dumps
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

audit = Blueprint("audit", __name__, url_prefix="/audit")

#: payloads about these are of the house itself: whoever reads the audit may read them
HOUSE = frozenset({
    "api_token", "audit", "background_job", "balance_check", "bank_account", "business_day", "calendar_day",
    "evidence_pack", "export", "fx_margin", "fx_rate", "job", "job_run", "match_rule_set", "match_run", "provider",
    "staff_member", "treasury_day",
})  # fmt: skip
#: what may be known of a client without the right to see reasons; requests and deletions may tell of one
OPEN = (
    *(action for action in story.OPEN_TO_ALL if not action.startswith(("approval.", "deletion."))),
    "client.read", "document.read", "export.made", "transfer.read", "account.read", "payment.read",
)  # fmt: skip
VERIFIER = Path(verify_audit.__file__)
#: type of object: endpoint, its argument, and who may open it
PLACES = {
    "client": ("clients.show", "client_id", Permission.CLIENTS_READ),
    "transfer": ("transfers.show", "transfer_id", Permission.TRANSFERS_READ),
    "account": ("ledger.account", "account_id", Permission.LEDGER_READ),
    "payment": ("ledger.payment", "payment_id", Permission.LEDGER_READ),
    "approval_request": ("approvals.show", "request_id", Permission.APPROVALS_READ),
    "audit_event": ("audit.show", "event_id", Permission.AUDIT_READ),
}
PAYLOAD_STATES = {
    "none": "No more was said",
    "whole": "In full",
    "erased": "Payload erased under retention",
    "withheld": "Not shown to your role",
}

COLUMNS = (
    Column("at", "When", Kind.MOMENT),
    Column("kind", "Kind"),
    Column("who", "Who"),
    Column("role", "Role"),
    Column("address", "Address"),
    Column("action", "Action"),
    Column("type", "Object"),
    Column("object", "Object's identifier"),
    Column("client", "Client's identifier"),
    Column("before", "Before", share=2),
    Column("after", "After", share=2),
    Column("reason", "Reason", share=2),
    Column("restricted", "Restricted", share=2),
    Column("payload", "Payload"),
    Column("request", "Request"),
    Column("event", "Event"),
    Column("sealed", "Seal"),
    Column("position", "Position", Kind.NUMBER),
    Column("hash", "Hash"),
)


def _reader(actor: Actor) -> Reader:
    return Reader(
        of_clients=actor.may(Permission.CLIENTS_READ), restricted=actor.sees_restricted, open_actions=OPEN, house=HOUSE
    )


def _role(role: str) -> str:
    return ROLES[Role(role)].label if role in {one.value for one in Role} else role


def _who(found: Found, reader: Reader) -> str:
    if not reader.sees_name(found.event):
        return "an app of the client"
    return named(found.event.actor_kind, found.event.actor_name)


def _place(found: Found, actor: Actor) -> str | None:
    """Where the object is shown, None where it is not, or not to this reader."""
    place = PLACES.get(found.event.object_type)
    if place is None or found.event.object_id is None or not actor.may(place[2]):
        return None
    arguments: dict[str, Any] = {place[1]: found.event.object_id}
    return url_for(place[0], **arguments)


def _row(found: Found, reader: Reader) -> dict[str, Any]:
    return {
        "event": found.event,
        "who": _who(found, reader),
        "role": _role(found.event.actor_role) if found.event.actor_kind == "staff" else "",
        "action": in_words(found.event.action),
        "type": in_words(found.event.object_type),
        "position": found.seal.position if found.seal else None,
        "erased": found.erased,
    }


def _reads(values: Mapping[str, str], actor: Actor) -> AuditQuery:
    asked = AuditQuery.read(values, reader=_reader(actor))
    # what is kept is something that happens here; the address lets people type anything
    for name, known in (("action", searching.actions()), ("type", searching.object_types())):
        if values.get(name) and values[name] not in known:
            asked.errors.append(FilterError(name, LABELS[name], "Nothing of this kind has happened."))
    return asked


@audit.get("")
@listed(
    "audit", "Audit", reads=_reads, keeps=("kind", "action", "type", "from", "to"), leaves=("who", "object", "client")
)
@requires(Permission.AUDIT_READ)
def index() -> Response:
    """One page of events, newest first; for HTMX the list alone."""
    reader = _reader(current_actor())
    asked = AuditQuery.read(request.args, reader=reader)
    if asked.errors:
        return _answer(asked, reader, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return _answer(asked, reader, status=400, cursor_problem=True)
    found = searching.page(
        asked.chosen,
        reader=reader,
        limit=DEFAULT_PAGE_SIZE + 1,
        after=(datetime.fromisoformat(position.key[0]), UUID(position.key[1])) if position else None,
        backwards=position is not None and position.backwards,
    )
    rows, earlier, later = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, bound=asked.bound,
        key=lambda one: [one.key[0].isoformat(), str(one.key[1])],
    )  # fmt: skip
    base = url_for(".index")
    return _answer(
        asked,
        reader,
        rows=rows,
        earlier=base + asked.query(cursor=earlier) if earlier else None,
        later=base + asked.query(cursor=later) if later else None,
    )


def _answer(
    asked: AuditQuery, reader: Reader, *, status: int = 200, rows: list[Found] | None = None, **context: Any
) -> Response:
    base = url_for(".index")
    shown = rows or []
    named_clients = clients.by_ids(list({one.event.client_id for one in shown if one.event.client_id}))
    response = page_or_fragment(
        "audit/index.html",
        "audit/_list.html",
        status=status,
        asked=asked,
        rows=[_row(one, reader) for one in shown],
        clients=named_clients if reader.of_clients else {},
        kinds=KINDS,
        reader=reader,
        base=base,
        part=wants_fragment(),
        **_verification(),
        **context,
    )
    if wants_fragment() and status == 200 and not asked.cursor:
        # the address without the empty filters that a form sends
        response.headers["HX-Push-Url"] = base + asked.query()
    return response


# --- one event --------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and not any(isinstance(entry, dict | list) for entry in value):
        return ", ".join(_text(entry) for entry in value)
    return dumps(value, sort_keys=True) if isinstance(value, dict | list) else str(value)


def _flat(part: Mapping[str, Any] | None, lead: str = "") -> dict[str, str]:
    """Fields within fields as `address.city`; what is none is not there."""
    found: dict[str, str] = {}
    for name, value in (part or {}).items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{lead}{name}.")
        elif value is not None:
            found[f"{lead}{name}"] = _text(value)
    return found


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Field by field: before, after, and whether it was added, changed, removed or only named."""
    old, new = _flat(before), _flat(after)
    rows = []
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        turn = "same" if was == now else "added" if was is None else "removed" if now is None else "changed"
        rows.append({"name": name, "before": was, "after": now, "turn": turn})
    return rows


@audit.get("/<uuid:event_id>")
@requires(Permission.AUDIT_READ)
def show(event_id: UUID) -> Response:
    """One event with what it changed and its place in the chain."""
    actor = current_actor()
    reader = _reader(actor)
    found = searching.get(event_id, reader=reader)
    payload, state = found.payload, exporting.payload_state(found, reader)
    open_part = payload if payload is not None and reader.sees_payload(found.event) else None
    restricted = payload.restricted if open_part is not None and payload is not None and reader.restricted else None
    client_id = found.event.client_id
    return page_or_fragment(
        "audit/show.html",
        "audit/_event.html",
        row=_row(found, reader),
        seal=found.seal,
        address=found.event.address if reader.sees_name(found.event) else None,
        place=_place(found, actor),
        client=clients.by_ids([client_id]).get(client_id) if client_id and reader.of_clients else None,
        changes=differences(open_part.before, open_part.after) if open_part else [],
        reason=open_part.reason if open_part else None,
        restricted=differences(None, restricted) if restricted else [],
        state=state,
        state_words=PAYLOAD_STATES[state],
    )


# --- exports ----------------------------------------------------------------------------------------------------


@audit.get("/export/<form>")
@downloads("audit", filters=("waiting",))
@requires(Permission.AUDIT_READ)
def export(form: str) -> Response:
    """Exactly what the filters show, all pages of it, as `csv` or `xlsx`, or as `json` with its seals: what is sealed
    by now. The file says how far that is, and how many newer events that fit wait for their seal; `waiting=1` adds
    those, apart."""
    if form not in {"csv", "xlsx", "json"}:
        raise Invalid.one("format", "Choose csv, xlsx or json.", "enum")
    reader = _reader(current_actor())
    asked = AuditQuery.read(request.args, reader=reader)
    if asked.errors:
        return _answer(asked, reader, status=422)
    waiting = request.args.get("waiting") == "1"
    reach = searching.reach(asked.chosen, reader=reader)
    filters, by = asked.in_words(), current_actor().name
    about = exports.about("Audit", filters=filters, by=by, facts=_reached(reach, waiting=waiting))
    if form != "json":
        return exports.answer(
            Listing(about, COLUMNS), lambda: _rows(asked.chosen, reader, reach, waiting=waiting), Format(form)
        )
    said = {
        "title": about.title,
        "institution": about.institution,
        "as_of": verify_audit.moment(about.as_of),
        "zone": about.zone.key,
        "by": about.by,
        "filters": [{"name": label, "value": words} for label, words in about.filters],
    }
    parts = stream_with_context(exporting.chunks(said, asked.chosen, reader=reader, reach=reach, waiting=waiting))
    name = f"audit-{about.as_of.astimezone(about.zone):%Y-%m-%d}.json"
    return Response(
        parts,
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"},
    )


def _reached(reach: Reach, *, waiting: bool) -> list[tuple[str, str]]:
    """How far a CSV reaches, in its head."""
    up_to = f"position {reach.head.position}, {reach.head.at}" if reach.head else "nothing is sealed yet"
    where = "on top, marked as not sealed" if waiting else "not in this file"
    return [("Sealed up to", up_to), ("Waiting for a seal", f"{reach.waiting} that fit, {where}")]


def _json(part: Mapping[str, Any] | None) -> str | None:
    return dumps(part, sort_keys=True) if part else None


def _rows(chosen: EventFilter, reader: Reader, reach: Reach, *, waiting: bool) -> Iterator[Mapping[str, object]]:
    for sealed in (False, True) if waiting else (True,):
        yield from _part(chosen, reader, reach, sealed=sealed)


def _part(chosen: EventFilter, reader: Reader, reach: Reach, *, sealed: bool) -> Iterator[Mapping[str, object]]:
    for found in searching.every(chosen, reader=reader, last=reach.last, sealed=sealed, newest_first=True):
        event, seal = found.event, found.seal if sealed else None
        state = exporting.payload_state(found, reader)
        payload = found.payload if found.payload is not None and reader.sees_payload(event) else None
        yield {
            "at": event.occurred_at,
            "kind": event.actor_kind,
            "who": _who(found, reader),
            "role": event.actor_role,
            "address": event.address if reader.sees_name(event) else None,
            "action": event.action,
            "type": event.object_type,
            "object": event.object_id,
            "client": event.client_id,
            "before": _json(payload.before) if payload else None,
            "after": _json(payload.after) if payload else None,
            "reason": payload.reason if payload else None,
            "restricted": _json(payload.restricted) if payload and reader.restricted else None,
            "payload": PAYLOAD_STATES[state],
            "request": event.request_id,
            "event": event.id,
            "sealed": "sealed" if seal else "NOT SEALED",
            "position": seal.position if seal else None,
            "hash": seal.hash if seal else None,
        }


@audit.get("/verify_audit.py")
@requires(Permission.AUDIT_READ)
def verifier() -> Response:
    """The program that verifies a JSON export on any machine."""
    return Response(
        VERIFIER.read_bytes(),
        content_type="text/x-python; charset=utf-8",
        headers={
            "Content-Disposition": 'attachment; filename="verify_audit.py"',
            "X-Content-Type-Options": "nosniff",
        },
    )


# --- verification -----------------------------------------------------------------------------------------------


def _verification() -> dict[str, Any]:
    """The verification that waits or runs, or the newest one."""
    job = background.latest(audit_work.VERIFY)
    done = job is not None and job.state == "succeeded"
    figures = job.result if job is not None and done else None
    return {
        "job": job,
        "running": job is not None and job.state in background.UNFINISHED,
        "job_by": _asked_by(job) if job is not None else "",
        "outcome": verifying.said_of(figures) if figures else None,
        "broken": figures["broken"] if figures else None,
        "head": sealing.head(),
    }


def _asked_by(job: Any) -> str:
    reader = current_actor().id
    return "you" if reader is not None and reader == job.asked_by_id else named(job.asked_by_kind, job.asked_by_name)


@audit.get("/verification")
@requires(Permission.AUDIT_READ)
def verification() -> Response:
    """How far the verification is, for its bar."""
    return page_or_fragment("audit/verification.html", "audit/_verification.html", **_verification())


@audit.post("/verify")
@requires(Permission.AUDIT_READ)
def verify() -> Any:
    """Have the whole chain verified in the background."""
    try:
        with transaction():
            audit_work.ask(by=current_actor())
    except Conflict as refusal:
        flash(refusal.message, "info")
    return go(url_for(".index"))


__all__ = ["audit", "differences"]
