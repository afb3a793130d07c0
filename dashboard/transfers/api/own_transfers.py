"""A client's own transfers: TF-09 to TF-12, TF-14, TF-16, TF-18 to TF-20, TF-24."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.errors import Invalid, NotFound
from dashboard.transfers.api.blueprint import FRONT_OFFICE, transfer_operations
from dashboard.transfers.dto import transfer_dtos
from dashboard.transfers.queries import transfers as queries
from dashboard.transfers.schemas import (
    FARTHEST,
    OwnTransferQuery,
    OwnTransferQueryV2,
    TransferDto,
    TransferEnvelope,
    TransferList,
    TransferPath,
    filter_of,
)
from dashboard.transfers.vocabulary import Kind
from dashboard.web.api import documented_errors, listed
from dashboard.web.envelope import enveloped, success
from dashboard.web.paging import Position, seal, unseal

OWN = (
    "Of the client's own accounts only, newest first. Money that came in is shown once it is on the account. While the"
    " house looks at a transfer it reads `confirmed`."
)
READ = documented_errors(404)
READ_V2 = documented_errors(404, enveloped=True)


def asking_client() -> UUID:
    """The client that the token speaks for. Raises NotFound for a token of none."""
    client_id = current_actor().client_id
    if client_id is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    return client_id


def rows_before(number: int | None, *, size: int, cursor: str | None) -> int:
    """How many rows come before a page number (v1). Raises Invalid."""
    if number and cursor:
        raise Invalid.one("pageNumber", "Give a page number or a cursor, not both.", "notAllowed")
    skip = ((number or 1) - 1) * size
    if skip >= FARTHEST:
        raise Invalid.one("pageNumber", f"Page numbers reach {FARTHEST:,} rows; go on with nextCursor.", "range")
    return skip


def _listed(query: OwnTransferQueryV2, *, name: str, number: int | None = None) -> dict[str, Any]:
    client_id = asking_client()
    skip = rows_before(number, size=query.page_size, cursor=query.cursor)
    chosen = filter_of(query, own=client_id)
    asked = query.model_dump(
        mode="json", exclude_unset=True, exclude={"cursor", "page_size", "page_number", "include_total"}
    )
    bound = {"list": name, "client": str(client_id), "asked": asked}
    position = unseal(query.cursor, bound=bound)
    page = queries.find(chosen, size=query.page_size, after=position.key if position else None, skip=skip)
    following = seal(Position(queries.key_of(page.rows[-1])), bound=bound) if page.more and page.rows else None
    total = queries.count(chosen) if query.include_total or number else None
    return listed(transfer_dtos(page.rows, own=True), following, total)


def own_transfer(transfer_id: UUID, kind: Kind | None = None) -> dict[str, Any]:
    """As its client reads it. Raises NotFound, alike for another client's, another kind's and what is not told."""
    found = queries.get(transfer_id, kind=kind, client_id=asking_client(), told_to_clients=True)
    return transfer_dtos([found], own=True)[0]


@transfer_operations.get(
    "/Transfers", tags=FRONT_OFFICE, summary="Own transfers by filters", description=OWN,
    operation_id="listOwnTransfers", responses={200: TransferList, **READ},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def list_own_transfers(query: OwnTransferQuery) -> dict[str, Any]:
    return _listed(query, name="TF-09", number=query.page_number)


@transfer_operations.get(
    "/v2/Transfers", tags=FRONT_OFFICE, summary="Own transfers by filters (v2: cursor paging)", description=OWN,
    operation_id="listOwnTransfersV2", responses={200: TransferList, **READ},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def list_own_transfers_v2(query: OwnTransferQueryV2) -> dict[str, Any]:
    return _listed(query, name="TF-10")


@transfer_operations.get(
    "/Transfers/<uuid:transferId>", tags=FRONT_OFFICE, summary="Transfer details",
    operation_id="readOwnTransfer", responses={200: TransferDto, **READ},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_own_transfer(path: TransferPath) -> dict[str, Any]:
    return own_transfer(path.transfer_id)


@transfer_operations.get(
    "/v2/Transfers/<uuid:transferId>", tags=FRONT_OFFICE,
    summary="Transfer details (v2)",
    operation_id="readOwnTransferV2", responses={200: TransferEnvelope, **READ_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_own_transfer_v2(path: TransferPath) -> dict[str, Any]:
    return success(own_transfer(path.transfer_id))


@transfer_operations.get(
    "/Transfers/outgoing/<uuid:transferId>", tags=FRONT_OFFICE, summary="Outgoing transfer details",
    operation_id="readOwnOutgoing", responses={200: TransferDto, **READ},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_own_outgoing(path: TransferPath) -> dict[str, Any]:
    return own_transfer(path.transfer_id, Kind.OUTGOING)


@transfer_operations.get(
    "/v2/Transfers/outgoing/<uuid:transferId>", tags=FRONT_OFFICE,
    summary="Outgoing transfer details (v2)",
    operation_id="readOwnOutgoingV2", responses={200: TransferEnvelope, **READ_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_own_outgoing_v2(path: TransferPath) -> dict[str, Any]:
    return success(own_transfer(path.transfer_id, Kind.OUTGOING))


@transfer_operations.get(
    "/Transfers/incoming/<uuid:transferId>", tags=FRONT_OFFICE, summary="Incoming transfer details",
    operation_id="readOwnIncoming", responses={200: TransferDto, **READ},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_own_incoming(path: TransferPath) -> dict[str, Any]:
    return own_transfer(path.transfer_id, Kind.INCOMING)


@transfer_operations.get(
    "/v2/Transfers/incoming/<uuid:transferId>", tags=FRONT_OFFICE,
    summary="Incoming transfer details (v2)",
    operation_id="readOwnIncomingV2", responses={200: TransferEnvelope, **READ_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_own_incoming_v2(path: TransferPath) -> dict[str, Any]:
    return success(own_transfer(path.transfer_id, Kind.INCOMING))


@transfer_operations.get(
    "/Transfers/foreign-exchange/<uuid:transferId>", tags=FRONT_OFFICE, summary="FX transfer details",
    operation_id="readOwnExchange", responses={200: TransferDto, **READ},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_own_exchange(path: TransferPath) -> dict[str, Any]:
    return own_transfer(path.transfer_id, Kind.FOREIGN_EXCHANGE)


@transfer_operations.get(
    "/v2/Transfers/foreign-exchange/<uuid:transferId>", tags=FRONT_OFFICE,
    summary="FX transfer details (v2)",
    operation_id="readOwnExchangeV2", responses={200: TransferEnvelope, **READ_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_own_exchange_v2(path: TransferPath) -> dict[str, Any]:
    return success(own_transfer(path.transfer_id, Kind.FOREIGN_EXCHANGE))
