"""Recipients: TF-03 to TF-08, TS-04, T2-01."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.transfers.api.blueprint import FRONT_OFFICE, INTEGRATION, SYSTEM, transfer_operations
from dashboard.transfers.api.own_transfers import asking_client, rows_before
from dashboard.transfers.dto import recipient_dto
from dashboard.transfers.queries import recipients as queries
from dashboard.transfers.queries.recipients import RecipientFilter
from dashboard.transfers.schemas import (
    ClientRecipientBody,
    RecipientBody,
    RecipientDto,
    RecipientEnvelope,
    RecipientList,
    RecipientPath,
    RecipientQuery,
    RecipientQueryV2,
    VisibilityBody,
)
from dashboard.transfers.services import recipients as services
from dashboard.web.api import documented_errors, listed
from dashboard.web.envelope import enveloped, success
from dashboard.web.paging import Position, seal, unseal

CHANGES = documented_errors(404, 409, 413, 415, 422)
CHECKED = (
    "The account is checked by its form: an IBAN by length and check digits, a UK account by its digits, a BIC by its"
    " form. An unknown BIC is no reason to refuse; bank and BIC of an IBAN are filled in where they are known. The same"
    " account under the same name again answers the existing recipient."
)


def _listed(query: RecipientQueryV2, *, name: str, number: int | None = None) -> dict[str, Any]:
    client_id = asking_client()
    skip = rows_before(number, size=query.page_size, cursor=query.cursor)
    chosen = RecipientFilter(client_id, query.text or "", query.visible, query.country, query.currency)
    asked = query.model_dump(
        mode="json", exclude_unset=True, exclude={"cursor", "page_size", "page_number", "include_total"}
    )
    bound = {"list": name, "client": str(client_id), "asked": asked}
    position = unseal(query.cursor, bound=bound)
    page = queries.find(chosen, size=query.page_size, after=position.key if position else None, skip=skip)
    following = seal(Position(queries.key_of(page.rows[-1])), bound=bound) if page.more and page.rows else None
    total = queries.count(chosen) if query.include_total or number else None
    return listed([recipient_dto(row) for row in page.rows], following, total)


def _added(body: RecipientBody, client_id: UUID | None) -> dict[str, Any]:
    with transaction():
        added = services.add(
            client_id=client_id,
            name=body.name,
            number=body.account_number,
            sort_code=body.sort_code,
            bic=body.bic,
            bank_name=body.bank_name,
            country=body.country,
            address=body.address,
            by=current_actor(),
        )
        return recipient_dto(added)


@transfer_operations.get(
    "/Recipients", tags=FRONT_OFFICE, summary="Recipients by filters", description="Newest first.",
    operation_id="listRecipients", responses={200: RecipientList, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def list_recipients(query: RecipientQuery) -> dict[str, Any]:
    return _listed(query, name="TF-03", number=query.page_number)


@transfer_operations.get(
    "/v2/Recipients", tags=FRONT_OFFICE, summary="Recipients by filters (v2: cursor paging)",
    description="Newest first.",
    operation_id="listRecipientsV2", responses={200: RecipientList, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def list_recipients_v2(query: RecipientQueryV2) -> dict[str, Any]:
    return _listed(query, name="TF-04")


@transfer_operations.post(
    "/Recipients", tags=FRONT_OFFICE, summary="Add a recipient", description=CHECKED,
    operation_id="addRecipient", responses={200: RecipientDto, **CHANGES},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def add_recipient(body: RecipientBody) -> dict[str, Any]:
    return _added(body, asking_client())


@transfer_operations.get(
    "/Recipients/<uuid:recipientId>", tags=FRONT_OFFICE, summary="Recipient details",
    operation_id="readRecipient", responses={200: RecipientDto, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_recipient(path: RecipientPath) -> dict[str, Any]:
    return recipient_dto(queries.get(path.recipient_id, client_id=asking_client()))


@transfer_operations.get(
    "/v2/Recipients/<uuid:recipientId>", tags=FRONT_OFFICE,
    summary="Recipient details (v2)",
    operation_id="readRecipientV2", responses={200: RecipientEnvelope, **documented_errors(404, enveloped=True)},
)  # fmt: skip
@enveloped
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_recipient_v2(path: RecipientPath) -> dict[str, Any]:
    return success(recipient_dto(queries.get(path.recipient_id, client_id=asking_client())))


@transfer_operations.put(
    "/Recipients/<uuid:recipientId>/visibility", tags=FRONT_OFFICE, summary="Show or hide a recipient",
    description="A hidden one stays readable, and may still be paid.",
    operation_id="showRecipient", responses={200: RecipientDto, **CHANGES},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def show_recipient(path: RecipientPath, body: VisibilityBody) -> dict[str, Any]:
    client_id = asking_client()
    with transaction():
        found = services.show(path.recipient_id, visible=body.visible, client_id=client_id, by=current_actor())
        return recipient_dto(found)


@transfer_operations.post(
    "/internal/Recipients", tags=SYSTEM, summary="Add a recipient for a client", description=CHECKED,
    operation_id="addClientRecipient", responses={200: RecipientDto, **CHANGES},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_WRITE)
def add_client_recipient(body: ClientRecipientBody) -> dict[str, Any]:
    return _added(body, body.client_id)


@transfer_operations.post(
    "/internal/integration/Recipients", tags=INTEGRATION, summary="Add a system recipient",
    description=CHECKED, operation_id="addSystemRecipient", responses={200: RecipientDto, **CHANGES},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_WRITE)
def add_system_recipient(body: RecipientBody) -> dict[str, Any]:
    return _added(body, None)
