"""What a client has of transfers: the last of them and references for its payers, loaded by address into the client's
page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Response, flash, url_for
from werkzeug.wrappers import Response as AnyResponse

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries as clients
from dashboard.clients.models import Client
from dashboard.clients.vocabulary import TURNOVER_LABELS, Turnover
from dashboard.database import transaction
from dashboard.errors import NotFound
from dashboard.ledger.queries.parties import parties
from dashboard.money import Money
from dashboard.transfers.badges import kind_words, money_of, status_badge
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.pages.listing import bought
from dashboard.transfers.queries import transfers as queries
from dashboard.transfers.services import references as services
from dashboard.transfers.vocabulary import KIND_LABELS, Kind
from dashboard.web.htmx import go, page_or_fragment

MOST_TRANSFERS = 20
TURNOVER_DAYS = 90
MOST_REFERENCES = 50


def client_of(client_id: UUID) -> Client:
    """Raises NotFound."""
    found = clients.by_ids([client_id]).get(client_id)
    if found is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    return found


def part(client: Client, name: str, label: str, **context: Any) -> Response:
    """A part of the client's page, or for those without scripts a page of its own."""
    return page_or_fragment(
        "transfers/of_client.html",
        f"transfers/_{name}.html",
        client=client,
        label=label,
        part=f"transfers/_{name}.html",
        **context,
    )


@transfers.get("/of/<uuid:client_id>/transfers")
@requires(Permission.TRANSFERS_READ)
def client_transfers(client_id: UUID) -> Response:
    """The last transfers of a client."""
    client = client_of(client_id)
    rows = queries.latest_of_client(client.id, MOST_TRANSFERS)
    return part(
        client,
        "of_client",
        "Last transfers",
        rows=rows,
        sides=parties(row.account_id for row in rows),
        badges={row.status: status_badge(row.status) for row in rows},
        money=money_of,
        words=kind_words,
        bought=bought,
    )


@transfers.get("/of/<uuid:client_id>/turnover")
@requires(Permission.TRANSFERS_READ)
def client_turnover(client_id: UUID) -> Response:
    """What a client moved in the last 90 days, beside what it declared."""
    client = client_of(client_id)
    company = clients.company_of(client)
    declared = company.turnover if company else None
    known = declared in set(Turnover)
    return part(
        client,
        "turnover",
        f"Turnover of {TURNOVER_DAYS} days",
        days=TURNOVER_DAYS,
        rows=[
            (KIND_LABELS[Kind(turn.kind)], turn.count, Money(turn.amount_minor, turn.currency))
            for turn in queries.turnover(client.id, clock.now() - timedelta(days=TURNOVER_DAYS))
        ],
        declared=TURNOVER_LABELS[Turnover(declared)] if declared and known else declared,
        planned=(company.fund_flows or {}) if company else {},
    )


@transfers.get("/of/<uuid:client_id>/references")
@requires(Permission.TRANSFERS_READ)
def client_references(client_id: UUID) -> Response:
    """References that the client was given for its payers."""
    client = client_of(client_id)
    rows = services.of_client(client.id, size=MOST_REFERENCES)
    return part(
        client,
        "references",
        "References for payers",
        rows=[(row, Money(row.expected_minor, row.currency) if row.expected_minor else None) for row in rows],
        sides=parties(row.account_id for row in rows),
        may_revoke=current_actor().may(Permission.TRANSFERS_REVIEW),
    )


@transfers.post("/of/<uuid:client_id>/references/<uuid:reference_id>/revoke")
@requires(Permission.TRANSFERS_REVIEW)
def revoke_reference(client_id: UUID, reference_id: UUID) -> AnyResponse:
    """Take a reference back."""
    with transaction():
        services.revoke(reference_id, client_id=client_id, by=current_actor())
    flash("The reference leads nowhere from now on.", "ok")
    return go(url_for("clients.show", client_id=client_id, tab="transfers"))
