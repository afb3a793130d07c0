"""Who looks at personal data, and who takes it along: one table of pages and operations, asked after each answer.

The event is written in a short transaction of its own before the answer leaves: no download without its event. What an
app asks about its own client is no look of the house and is not written.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from flask import Flask, Response, g, request

from dashboard.access.actor import Actor
from dashboard.access.permissions import Audience
from dashboard.audit import looking
from dashboard.database import transaction


class Look(NamedTuple):
    """`argument` of the route holds the object's identifier; None for a list."""

    action: str
    object_type: str
    argument: str | None = None


#: arguments of routes that name a client
CLIENT = ("client_id", "clientId", "owner_id")
#: they write their own looks: each document is one
RECORDED_THERE = frozenset({
    "clients.document", "clients.document_page", "clients.download_document", "client_operations.download_document",
    "transfers.download", "transfer_operations.read_document",
})  # fmt: skip
#: files that hold nothing of a client
HOUSE_FILES = frozenset({"audit.verifier"})
_TRANSFER = ("transfer.read", "transfer")
PAGES = {
    "transfers.show": Look(*_TRANSFER, "transfer_id"),
    "transfers.receipt": Look(*_TRANSFER, "transfer_id"),
    "transfers.messages": Look(*_TRANSFER, "transfer_id"),
    "transfers.documents": Look(*_TRANSFER, "transfer_id"),
    "transfers.request_page": Look("incoming_request.read", "incoming_request", "request_id"),
    "transfer_operations.read_outgoing": Look(*_TRANSFER, "transferId"),
    "transfer_operations.read_incoming": Look(*_TRANSFER, "transferId"),
    "transfer_operations.read_exchange": Look(*_TRANSFER, "transferId"),
    "ledger.account": Look("account.read", "account", "account_id"),
    "ledger.payment": Look("payment.read", "payment", "payment_id"),
    "approvals.show": Look("approval.read", "approval_request", "request_id"),
    "events.show": Look("verification_event.read", "sumsub_event", "event_id"),
    "events.applicant": Look("verification_event.read", "sumsub_applicant", "applicant_id"),
    "audit.show": Look("audit_event.read", "audit_event", "event_id"),
    "clients.listing": Look("clients.listed", "client_list"),
    "clients.deletions": Look("clients.listed", "client_list"),
    "clients.flags": Look("clients.listed", "client_list"),
    "client_operations.find_clients": Look("clients.listed", "client_list"),
    "reviews.listing": Look("clients.listed", "client_list"),
    "transfers.listing": Look("transfers.listed", "transfer_list"),
    "transfers.desk": Look("transfers.listed", "transfer_list"),
    "transfers.requests": Look("transfers.listed", "transfer_list"),
    "transfer_operations.list_transfers": Look("transfers.listed", "transfer_list"),
    "ledger.accounts": Look("accounts.listed", "account_list"),
    "ledger.transactions": Look("transactions.listed", "transaction_list"),
    "events.listing": Look("verification_events.listed", "sumsub_event_list"),
}
#: of lists of clients: with one of these it was a search
SEARCHED = ("text", "q")


def _client() -> UUID | None:
    arguments = request.view_args or {}
    found = next((arguments[name] for name in CLIENT if name in arguments), None)
    return found if isinstance(found, UUID) else None


def _look() -> tuple[Look, UUID | None] | None:
    """What was looked at, None where it is nobody's data."""
    endpoint = request.endpoint or ""
    known = PAGES.get(endpoint)
    if known is not None:
        if known.argument is None:
            searched = known.object_type == "client_list" and any(request.args.get(name) for name in SEARCHED)
            return (known._replace(action="clients.searched") if searched else known), None
        found = (request.view_args or {}).get(known.argument)
        return known, found if isinstance(found, UUID) else None
    client = _client()
    return (Look("client.read", "client"), client) if client is not None else None


def _format(response: Response) -> str:
    """csv, xlsx, pdf, json …: the end of the file's name."""
    name = response.headers["Content-Disposition"].partition("filename=")[2].partition(";")[0].strip('" ')
    return name.rpartition(".")[2][:10] or "file"


def _record(response: Response, actor: Actor) -> None:
    endpoint = request.endpoint or ""
    client = _client()
    if response.headers.get("Content-Disposition", "").startswith("attachment"):
        filters = [name for name, value in request.args.items() if value and name != "cursor"]
        objects = [value for value in (request.view_args or {}).values() if isinstance(value, UUID)]
        with transaction():
            looking.exported(
                endpoint, _format(response), filters, by=actor, object_id=objects[0] if objects else None,
                client_id=client,
            )  # fmt: skip
        return
    look = _look()
    if look is not None:
        with transaction():
            looking.look(look[0].action, by=actor, object_type=look[0].object_type, object_id=look[1], client_id=client)


def install(app: Flask) -> None:
    """Write looks and exports after the view, before its answer leaves."""

    @app.after_request
    def record(response: Response) -> Response:
        actor: Actor | None = g.get("actor")
        if (
            actor is not None
            and request.method == "GET"
            and response.status_code == 200
            and actor.role != Audience.FRONTOFFICE.value
            and request.endpoint not in RECORDED_THERE | HOUSE_FILES
        ):
            _record(response, actor)
        return response
