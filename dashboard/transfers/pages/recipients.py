"""Recipients of a client: to whom it pays, how often and how much so far."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request, url_for

from dashboard.access.guard import requires
from dashboard.access.permissions import Permission
from dashboard.ledger import numbers
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.pages.owned import client_of, part
from dashboard.transfers.queries import recipients as queries
from dashboard.transfers.queries.recipients import RecipientFilter
from dashboard.web.paging import Position, seal, unseal

PAGE = 20
LONGEST_TEXT = 200


@transfers.get("/of/<uuid:client_id>/recipients")
@requires(Permission.TRANSFERS_READ)
def client_recipients(client_id: UUID) -> Response:
    """Newest first; hidden ones are marked."""
    client = client_of(client_id)
    text = request.args.get("text", "").strip()[:LONGEST_TEXT]
    bound = ["recipients", str(client.id), text]
    position = unseal(request.args.get("cursor"), bound=bound)
    page = queries.find(RecipientFilter(client.id, text), size=PAGE, after=position.key if position else None)
    cursor = seal(Position(queries.key_of(page.rows[-1])), bound=bound) if page.more and page.rows else None
    later = None
    if cursor:
        later = url_for("transfers.client_recipients", client_id=client.id, text=text or None, cursor=cursor)
    return part(
        client,
        "recipients",
        "Recipients",
        rows=page.rows,
        paid=queries.paid_to(client.id, [row.account_key for row in page.rows]),
        text=text,
        later=later,
        in_groups=numbers.in_groups,
        started_later=position is not None,
    )
