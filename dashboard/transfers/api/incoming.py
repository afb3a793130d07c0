"""What providers tell: TS-02, TS-03, TS-15."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.errors import Refused
from dashboard.transfers.api.blueprint import SYSTEM, transfer_operations
from dashboard.transfers.incoming_schemas import (
    IncomingAnswer,
    IncomingBody,
    ProcessBody,
    RequestDto,
    RequestList,
    RequestPath,
    RequestQuery,
    answer_of,
    corrections_of,
    credit_of,
    filter_of,
    request_dto,
)
from dashboard.transfers.queries import requests as queries
from dashboard.transfers.services.incoming import correcting, telling
from dashboard.transfers.vocabulary import RequestState
from dashboard.web.api import documented_errors, listed
from dashboard.web.paging import Position, seal, unseal

#: by what it was told
SOURCE = "api"


@transfer_operations.post(
    "/internal/IncomingRequests", tags=SYSTEM, summary="A provider tells of incoming money (for provider adapters)",
    description="Stored as told, once per provider and reference, and processed at once: the status says what became of"
    " it. The same reference and body again answer the first; another body is 409 `differentBody` and remembered. An"
    " unknown provider is 422 `providerNotFound`. Money between own bank accounts that arrives is 422 `ownMovement`: it"
    " was booked when it left, and telling it again changes nothing.",
    operation_id="tellIncoming", responses={200: IncomingAnswer, **documented_errors(409, 413, 415, 422)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_WRITE)
def tell_incoming(body: IncomingBody) -> dict[str, Any]:
    raw = request.get_json()
    told = telling.tell(credit_of(body, raw), source=SOURCE, message_id=None, by=current_actor())
    return answer_of(told)


@transfer_operations.get(
    "/internal/IncomingRequests", tags=SYSTEM, summary="Provider notifications of incoming money by filters",
    description="Filters combine. Newest first; requests that were there before the first page come exactly once.",
    operation_id="findIncoming", responses={200: RequestList, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def find_incoming(query: RequestQuery) -> dict[str, Any]:
    chosen = filter_of(query)
    asked = query.model_dump(mode="json", exclude_unset=True, exclude={"cursor", "page_size", "include_total"})
    bound = {"list": "TS-02", "asked": asked}
    position = unseal(query.cursor, bound=bound)
    page = queries.find(chosen, size=query.page_size, after=position.key if position else None)
    following = seal(Position(queries.key_of(page.rows[-1])), bound=bound) if page.more and page.rows else None
    total = queries.count(chosen) if query.include_total else None
    return listed([request_dto(row) for row in page.rows], following, total)


@transfer_operations.post(
    "/internal/IncomingRequests/<uuid:requestId>/process", tags=SYSTEM, summary="Process a transfer manually",
    description="Tries again, with corrections where the message lacked something; they stand beside what was sent."
    " What cannot be processed is 422 with the reason's code (`noAmount`, `noProviderAccount`, `possiblyBooked`,"
    " `severalOriginals` …), and the attempt is remembered. One that is processed or linked is 422 `alreadyProcessed`."
    " What was typed goes to a client only up to the amount that one person decides; above, to the desk.",
    operation_id="processIncoming", responses={200: RequestDto, **documented_errors(404, 413, 415, 422)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_WRITE)
def process_incoming(path: RequestPath, body: ProcessBody) -> dict[str, Any]:
    request_id = UUID(str(path.request_id))
    with transaction():
        known = queries.get(request_id)
        corrections = corrections_of(body, known_currency=known.currency)
        done = correcting.process_again(request_id, corrections=corrections, by=current_actor())
        answer = request_dto(done)
    if done.state == RequestState.FAILED:
        # the attempt and what was corrected stay
        raise Refused(done.failure or "", code=done.failure_code, details={"requestId": str(done.id)})
    return answer
