"""Lists of clients, flags and deletion requests as files: what the page shows to this person, all pages of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, current_app, request

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import countries, deletion, queries, retention, search
from dashboard.clients.badges import severity_badge, status_badge
from dashboard.clients.deletion_models import DeletionRequest
from dashboard.clients.flagged import FlagRow, find_open
from dashboard.clients.forms.listing import FLAG_CHOICES, RISKS, STATUSES, TYPES, ListQuery
from dashboard.clients.models import Client
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.flags import WHOSE
from dashboard.clients.retention import CHANNEL_LABELS, Channel, DeletionState
from dashboard.clients.vocabulary import Risk, Severity
from dashboard.errors import Invalid, NotFound
from dashboard.settings import Settings
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts

#: rows of lists that are read by the keys of their rows
PART = 1_000

CLIENTS = (
    Column("name", "Client", share=2),
    Column("type", "Type", share=0.6),
    Column("country", "Country", share=0.4),
    Column("status", "Status"),
    Column("risk", "Risk", share=0.6),
    Column("open", "Open flags", Kind.NUMBER),
    Column("created", "Created", Kind.MOMENT),
    Column("id", "Identifier", share=1.4),
)
FLAGS = (
    Column("severity", "Severity", share=0.6),
    Column("flag", "Flag"),
    Column("client", "Client", share=2),
    Column("since", "Since", Kind.MOMENT),
    Column("owner", "Owner"),
    Column("client_id", "Client's identifier", share=1.4),
)
DELETIONS = (
    Column("client", "Client", share=2),
    Column("received", "Received", Kind.DATE),
    Column("due", "Answer due", Kind.DATE),
    Column("channel", "Asked"),
    Column("from", "Deleted from", Kind.DATE),
    Column("client_id", "Client's identifier", share=1.4),
)


def _in_words(asked: ListQuery) -> list[tuple[str, str]]:
    labels = {
        "text": "Text", "status": "Status", "type": "Type", "risk": "Risk", "country": "Country", "flag": "Flag",
        "created_from": "Created from", "created_to": "Created to",
    }  # fmt: skip
    known: dict[str, dict[str, str]] = {
        "status": dict(STATUSES), "type": dict(TYPES), "risk": dict(RISKS), "flag": dict(FLAG_CHOICES),
        "country": dict(countries.names()),
    }  # fmt: skip
    return [(labels[name], known.get(name, {}).get(value, value)) for name, value in asked.values.items()]


@clients.get("/export/<form>")
@downloads("clients")
@requires(Permission.CLIENTS_READ)
def export(form: str) -> Response:
    """The list of clients with its filters and in its order."""
    chosen_format = Format.of_a_list(form)
    sees = current_actor().sees_restricted
    asked = ListQuery.read(request.args, sees_restricted=sees)
    if asked.errors:
        raise Invalid.one(asked.errors[0].name, f"{asked.errors[0].label}: {asked.errors[0].message}", "enum")
    settings: Settings = current_app.extensions["countinghouse.settings"]
    about = exports.about("Clients", filters=_in_words(asked), by=current_actor().name)

    def rows() -> Iterator[Row]:
        for part in search.every(asked.chosen, order=asked.order, zone=settings.zone):
            freezes = queries.freezes(part)
            flags = queries.flag_counts(part, sees_restricted=sees)
            for client in part:
                yield {
                    "name": client.name or "Without a name",
                    "type": "Person" if client.type == "individual" else "Company",
                    "country": client.country,
                    "status": status_badge(client, freezes.get(client.id)).word,
                    "risk": Risk(client.risk_level).label,
                    "open": flags[client.id],
                    "created": client.created_at,
                    "id": client.id,
                }

    return exports.answer(Listing(about, CLIENTS), rows, chosen_format)


@clients.get("/flags/export/<form>")
@downloads("client-flags")
@requires(Permission.CLIENTS_REVIEW)
def export_flags(form: str) -> Response:
    """Open flags with the filters of their list."""
    chosen_format = Format.of_a_list(form)
    actor = current_actor()
    owner = request.args.get("owner", "me")
    if owner not in WHOSE:
        raise NotFound(f"“{owner[:40]}” is none of the choices: me, none or any.")
    least = Severity.INFO if request.args.get("severity") == "all" else Severity.CHECK
    filters = [("Whose", WHOSE[owner])] if owner != "any" else []
    filters += [("Severity", "those that somebody must look at")] if least is not Severity.INFO else []

    def after(last: FlagRow | None) -> list[FlagRow]:
        return find_open(
            owner=owner, reader_id=actor.id, sees_restricted=actor.sees_restricted, least=least, size=PART,
            after=last.key if last else None,
        ).rows  # fmt: skip

    def rows() -> Iterator[Row]:
        for part in parts(after):
            for one in part:
                yield {
                    "severity": severity_badge(one.flag.severity).word,
                    "flag": one.label,
                    "client": one.client_name or "Without a name",
                    "since": one.flag.opened_at,
                    "owner": one.owner or "nobody",
                    "client_id": one.flag.client_id,
                }

    about = exports.about("Open flags", filters=filters, by=actor.name)
    return exports.answer(Listing(about, FLAGS), rows, chosen_format)


@clients.get("/deletions/export/<form>")
@downloads("client-deletions")
@requires(Permission.CLIENTS_ERASE)
def export_deletions(form: str) -> Response:
    """Requests for deletion of one state; who was deleted is no longer known, so of those there is no list."""
    chosen_format = Format.of_a_list(form)
    state = request.args.get("state", DeletionState.REQUESTED.value)
    if state not in set(DeletionState):
        raise NotFound("There is no such state of a request.")
    purged = state == DeletionState.PURGED

    def after(last: tuple[DeletionRequest, Client] | None) -> list[tuple[DeletionRequest, Client]]:
        return deletion.listing(state, before=(last[0].received_on, last[0].id) if last else None, limit=PART)

    def rows() -> Iterator[Row]:
        for part in () if purged else parts(after):
            for one, client in part:
                yield _deletion(one, client)

    about = exports.about(
        "Deletion requests", filters=[("State", retention.STATE_LABELS[DeletionState(state)])], by=current_actor().name
    )
    return exports.answer(Listing(about, DELETIONS), rows, chosen_format)


def _deletion(one: DeletionRequest, client: Client) -> dict[str, Any]:
    return {
        "client": client.name,
        "received": one.received_on,
        "due": retention.answer_due(one.received_on) if one.state == DeletionState.REQUESTED else None,
        "channel": CHANNEL_LABELS[Channel(one.channel)],
        "from": one.purge_from,
        "client_id": client.id,
    }
