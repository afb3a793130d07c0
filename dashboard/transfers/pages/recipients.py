"""Recipients of a client: to whom it pays, how often and how much so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from flask import Response, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.ledger import numbers
from dashboard.transfers.models import Recipient
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.pages.owned import client_of, part
from dashboard.transfers.queries import recipients as queries
from dashboard.transfers.queries.recipients import RecipientFilter
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
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


COLUMNS = (
    Column("name", "Name", share=1.4),
    Column("account", "Account"),
    Column("bank", "Bank"),
    Column("country", "Country", share=0.4),
    Column("added", "Added", Kind.MOMENT),
    Column("paid", "Paid so far"),
    Column("shown", "Shown in the app", share=0.6),
    Column("id", "Recipient", share=1.4),
)
#: recipients that an export reads at once
PART = 500


@transfers.get("/of/<uuid:client_id>/recipients/export/<form>")
@downloads(filters=("text",))
@requires(Permission.TRANSFERS_READ)
def export_recipients(client_id: UUID, form: str) -> Response:
    """A client's recipients with what it paid to each so far, as `csv` or `xlsx`."""
    chosen_format, client = Format.of_a_list(form), client_of(client_id)
    text, owner = request.args.get("text", "").strip()[:LONGEST_TEXT], client.id

    def older(last: Recipient | None) -> Sequence[Recipient]:
        edge = queries.key_of(last) if last else None
        return queries.find(RecipientFilter(owner, text), size=PART, after=edge).rows

    def rows() -> Iterator[Row]:
        for found in parts(older):
            paid = queries.paid_to(owner, [row.account_key for row in found])
            for row in found:
                yield {
                    "name": row.name,
                    "account": row.account_key,
                    "bank": row.bank_name or row.bic,
                    "country": row.country,
                    "added": row.created_at,
                    "paid": "; ".join(f"{one.money} in {one.count}" for one in paid.get(row.account_key, [])),
                    "shown": row.visible,
                    "id": row.id,
                }

    about = exports.about(
        "Recipients", by=current_actor().name, facts=[("Client", client.name or "Without a name")],
        filters=[("Name or account", text)] if text else [],
    )  # fmt: skip
    return exports.answer(Listing(about, COLUMNS), rows, chosen_format)
