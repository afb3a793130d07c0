"""Transfers of all kinds for internal systems: TS-05 to TS-07, TS-09, TS-12 to TS-14; references of clients."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.transfers.api.blueprint import SYSTEM, transfer_operations
from dashboard.transfers.dto import reference_dto, transfer_dtos
from dashboard.transfers.queries import transfers as queries
from dashboard.transfers.schemas import (
    KindQuery,
    ReferenceBody,
    ReferenceDto,
    ReferenceList,
    ReferencePath,
    ReferenceQuery,
    TransferDto,
    TransferList,
    TransferPath,
    TransferQuery,
    expected_minor_of,
    filter_of,
)
from dashboard.transfers.services import references
from dashboard.transfers.vocabulary import Kind
from dashboard.web.api import documented_errors, listed
from dashboard.web.paging import Position, seal, unseal

ORDER = "Filters combine. Newest first; transfers that were there before the first page come exactly once."
READ = documented_errors(404)


def _listed(query: KindQuery, *, name: str, kind: Kind | None = None) -> dict[str, Any]:
    chosen = filter_of(query, kind=kind)
    asked = query.model_dump(mode="json", exclude_unset=True, exclude={"cursor", "page_size", "include_total"})
    bound = {"list": name, "asked": asked}
    position = unseal(query.cursor, bound=bound)
    page = queries.find(chosen, size=query.page_size, after=position.key if position else None)
    following = seal(Position(queries.key_of(page.rows[-1])), bound=bound) if page.more and page.rows else None
    total = queries.count(chosen) if query.include_total else None
    return listed(transfer_dtos(page.rows), following, total)


def _read(transfer_id: UUID, kind: Kind) -> dict[str, Any]:
    return transfer_dtos([queries.get(transfer_id, kind=kind)])[0]


@transfer_operations.get(
    "/internal/Transfers", tags=SYSTEM, summary="Transfers of all kinds by filters", description=ORDER,
    operation_id="listTransfers", responses={200: TransferList, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def list_transfers(query: TransferQuery) -> dict[str, Any]:
    return _listed(query, name="TS-05", kind=query.kind)


@transfer_operations.get(
    "/internal/Transfers/outgoing", tags=SYSTEM, summary="Outgoing transfers by filters", description=ORDER,
    operation_id="listOutgoing", responses={200: TransferList, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def list_outgoing(query: KindQuery) -> dict[str, Any]:
    return _listed(query, name="TS-12", kind=Kind.OUTGOING)


@transfer_operations.get(
    "/internal/Transfers/incoming", tags=SYSTEM, summary="Incoming transfers by filters",
    description=f"`status=unrecognized` is the queue. {ORDER}",
    operation_id="listIncoming", responses={200: TransferList, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def list_incoming(query: KindQuery) -> dict[str, Any]:
    return _listed(query, name="TS-13", kind=Kind.INCOMING)


@transfer_operations.get(
    "/internal/Transfers/foreign-exchange", tags=SYSTEM, summary="FX transfers by filters", description=ORDER,
    operation_id="listExchanges", responses={200: TransferList, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def list_exchanges(query: KindQuery) -> dict[str, Any]:
    return _listed(query, name="TS-14", kind=Kind.FOREIGN_EXCHANGE)


@transfer_operations.get(
    "/internal/Transfers/outgoing/<uuid:transferId>", tags=SYSTEM, summary="Outgoing transfer details",
    operation_id="readOutgoing", responses={200: TransferDto, **READ},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def read_outgoing(path: TransferPath) -> dict[str, Any]:
    return _read(path.transfer_id, Kind.OUTGOING)


@transfer_operations.get(
    "/internal/Transfers/incoming/<uuid:transferId>", tags=SYSTEM, summary="Incoming transfer details",
    operation_id="readIncoming", responses={200: TransferDto, **READ},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def read_incoming(path: TransferPath) -> dict[str, Any]:
    return _read(path.transfer_id, Kind.INCOMING)


@transfer_operations.get(
    "/internal/Transfers/foreign-exchange/<uuid:transferId>", tags=SYSTEM, summary="FX transfer details",
    operation_id="readExchange", responses={200: TransferDto, **READ},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def read_exchange(path: TransferPath) -> dict[str, Any]:
    return _read(path.transfer_id, Kind.FOREIGN_EXCHANGE)


@transfer_operations.post(
    "/internal/References", tags=SYSTEM, summary="Give a client a reference for its payers",
    description="A creditor reference of ISO 11649 with its check digits. Money whose remittance text holds it reaches"
    " the account. An addition to the documented operations.",
    operation_id="giveReference", responses={200: ReferenceDto, **documented_errors(404, 409, 413, 415, 422)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_WRITE)
def give_reference(body: ReferenceBody) -> dict[str, Any]:
    with transaction():
        given = references.give(
            client_id=body.client_id,
            account_id=body.account_id,
            expected_minor=expected_minor_of(body),
            expires_on=body.expires_on,
            by=current_actor(),
        )
        return reference_dto(given)


@transfer_operations.get(
    "/internal/References", tags=SYSTEM, summary="References of a client, newest first",
    description="An addition to the documented operations.",
    operation_id="listReferences", responses={200: ReferenceList, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def list_references(query: ReferenceQuery) -> dict[str, Any]:
    bound = {"list": "references", "client": str(query.client_id)}
    position = unseal(query.cursor, bound=bound)
    found = references.of_client(
        query.client_id, size=query.page_size + 1, after=UUID(position.key[0]) if position else None
    )
    rows = found[: query.page_size]
    following = seal(Position([str(rows[-1].id)]), bound=bound) if len(found) > len(rows) else None
    return listed([reference_dto(row) for row in rows], following)


@transfer_operations.post(
    "/internal/References/<uuid:referenceId>/revoke", tags=SYSTEM, summary="Take a reference back",
    description="Money that names it is no longer recognized by it. An addition to the documented operations.",
    operation_id="revokeReference", responses={200: ReferenceDto, **documented_errors(404, 409, 413, 415, 422)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_WRITE)
def revoke_reference(path: ReferencePath) -> dict[str, Any]:
    with transaction():
        return reference_dto(references.revoke(path.reference_id, by=current_actor()))
