"""A client makes, confirms and cancels outgoing transfers: TF-01, TF-13, TF-15, TF-17, TF-22, TF-23, TF-25."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from flask import current_app

from dashboard import notifier
from dashboard.access.actor import Actor
from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.errors import DomainError, Refused
from dashboard.ledger import owners
from dashboard.ledger.schemas import minor_units
from dashboard.ledger.services import one_time_passwords
from dashboard.ledger.services.one_time_passwords import Issued, Subject
from dashboard.transfers.api.blueprint import FRONT_OFFICE, transfer_operations
from dashboard.transfers.api.own_transfers import asking_client
from dashboard.transfers.dto import told_as, transfer_dto
from dashboard.transfers.outgoing_schemas import (
    CanceledEnvelope,
    CanceledTransferDto,
    CancelTransferBody,
    CodeBody,
    MadeTransferDto,
    NewCodeBody,
    OutgoingBody,
    SentCodeDto,
    TypeDto,
    TypeQuery,
)
from dashboard.transfers.queries import outgoing as queries
from dashboard.transfers.schemas import TransferDto, TransferEnvelope, TransferPath
from dashboard.transfers.services.outgoing import cancel, codes, confirm, create, rails
from dashboard.web.api import documented_errors
from dashboard.web.envelope import enveloped, success
from dashboard.web.json import iso_utc

STEP = documented_errors(404, 409, 413, 415, 422)
STEP_V2 = documented_errors(404, 409, 413, 415, 422, enveloped=True)
WHY_NOT = (
    " Refusals: 422 `accountClosed`, `currencyMismatch`, `sameAccount`, `recipientUnavailable`, `clientNotActive`,"
    " `accountFrozen`, `insufficientFunds`, `countryRefused`, `noProvider`."
)


@contextmanager
def told_to_client() -> Iterator[None]:
    """A client reads of a state what it may know: that the house looks at a transfer is not its to know."""
    try:
        yield
    except Refused as refused:
        told_safely(refused)
        raise


def told_safely(refused: DomainError) -> DomainError:
    """The refusal in the words for clients."""
    if refused.code == "invalidState" and "status" in refused.details:
        status = told_as(str(refused.details["status"]))
        refused.details = {"status": status}
        refused.message = f"A transfer that is {status} does not allow this."
        refused.args = (refused.message,)
    elif refused.details.get("check"):
        refused.details = {}
    return refused


def send_code(subject: Subject, *, client_id: UUID, by: Actor) -> Issued:
    """Make a code and send it. Raises Refused `noAddress`, TooManySends, DeliveryFailed."""
    # in a transaction of its own, also where the request's is held open for an Idempotency-Key: a message leaves the
    # house only for a code that stands, and no lock waits for a mail server
    with current_app.app_context(), transaction():
        issued = codes.issue(subject, client_id=client_id)
    notifier.current().send(issued.message)
    with transaction():
        one_time_passwords.delivered(issued.id, by=by)
    return issued


def code_for_new(subject: Subject, *, client_id: UUID, by: Actor) -> dict[str, Any]:
    """The transfer stands, whether a message could be sent or not: another one can be asked for."""
    try:
        issued = send_code(subject, client_id=client_id, by=by)
    except DomainError as error:
        return {"sent": False, "expiresAt": None, "code": error.code}
    return {"sent": True, "expiresAt": iso_utc(issued.expires_at), "code": None}


@transfer_operations.post(
    "/Transfers/outgoing", tags=FRONT_OFFICE, summary="Create an outgoing transfer",
    description="It waits for the code that is sent to the client, and holds nothing until then. Needs an e-mail"
    " address: else 422 `noAddress`. Where the message could not be sent the transfer stands all the same: ask with"
    " POST /Confirmations." + WHY_NOT,
    operation_id="createOwnOutgoing", responses={200: MadeTransferDto, **STEP},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def create_own_outgoing(body: OutgoingBody) -> dict[str, Any]:
    client_id, by = asking_client(), current_actor()
    amount = minor_units(body.amount, body.currency, field="amount")
    if not owners.directory().email(client_id):
        raise one_time_passwords.no_address()
    with told_to_client(), transaction():
        made = create.create(
            client_id=client_id,
            account_id=body.account_id,
            recipient_id=body.recipient_id,
            amount_minor=amount,
            currency=body.currency,
            remittance=body.remittance_information,
            by=by,
        )
        subject = codes.subject_of(made)
    confirmation = code_for_new(subject, client_id=client_id, by=by)
    return transfer_dto(made.id, own=True) | {"confirmation": confirmation}


@transfer_operations.post(
    "/Confirmations", tags=FRONT_OFFICE, summary="Generate a new confirmation code for a transfer",
    description="Six digits to the client's e-mail address, with amount and recipient; good for 5 minutes and 5 tries."
    " A code sent before no longer counts. 429 with `Retry-After` after 5 in 15 minutes; 503 `deliveryFailed`."
    " Refusals: 422 `invalidState`, `confirmationExpired`, `noAddress`.",
    operation_id="sendConfirmationCode",
    responses={200: SentCodeDto, **documented_errors(404, 409, 413, 415, 422, 429, 503)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def send_confirmation_code(body: NewCodeBody) -> dict[str, Any]:
    client_id = asking_client()
    with told_to_client(), transaction():
        subject = codes.to_confirm(body.transfer_id, client_id=client_id)
    issued = send_code(subject, client_id=client_id, by=current_actor())
    return {"transferId": str(body.transfer_id), "expiresAt": iso_utc(issued.expires_at)}


def _confirmed(path: TransferPath, body: CodeBody) -> dict[str, Any]:
    with told_to_client(), transaction():
        outcome = confirm.confirm(path.transfer_id, body.code, client_id=asking_client(), by=current_actor())
    # the try is counted and stays so
    if isinstance(outcome, DomainError):
        raise told_safely(outcome)
    return transfer_dto(path.transfer_id, own=True)


CONFIRM = (
    "Holds amount and fee; an internal transfer is completed at once. Refusals: 422 `wrongCode` (`triesLeft` tells how"
    " many are left), `noTriesLeft`, `codeExpired`, `confirmationExpired`, `invalidState`, and what stands against the"
    " transfer now; then nothing is held and the code stays good."
)


@transfer_operations.put(
    "/Transfers/outgoing/<uuid:transferId>/confirm", tags=FRONT_OFFICE,
    summary="Confirm an outgoing transfer with its code", description=CONFIRM, operation_id="confirmOutgoing",
    responses={200: TransferDto, **STEP},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def confirm_outgoing(path: TransferPath, body: CodeBody) -> dict[str, Any]:
    return _confirmed(path, body)


@transfer_operations.put(
    "/v2/Transfers/outgoing/<uuid:transferId>/confirm", tags=FRONT_OFFICE,
    summary="Confirm an outgoing transfer (v2)", description=CONFIRM, operation_id="confirmOutgoingV2",
    responses={200: TransferEnvelope, **STEP_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def confirm_outgoing_v2(path: TransferPath, body: CodeBody) -> dict[str, Any]:
    return success(_confirmed(path, body))


def _canceled(path: TransferPath, body: CancelTransferBody) -> dict[str, Any]:
    with told_to_client(), transaction():
        cancel.cancel(path.transfer_id, reason=body.reason, client_id=asking_client(), by=current_actor())
    asked = queries.recall_requested_at(path.transfer_id)
    return transfer_dto(path.transfer_id, own=True) | {"recallRequested": iso_utc(asked) if asked else None}


CANCEL = (
    "Gives back what is held. Once the bank may have it, canceling only asks for it back: the status stays, and"
    " `recallRequested` tells when it was asked. A finished transfer: 422 `invalidState`."
)


@transfer_operations.put(
    "/Transfers/outgoing/<uuid:transferId>/cancel", tags=FRONT_OFFICE, summary="Cancel an outgoing transfer",
    description=CANCEL, operation_id="cancelOutgoing", responses={200: CanceledTransferDto, **STEP},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def cancel_outgoing(path: TransferPath, body: CancelTransferBody) -> dict[str, Any]:
    return _canceled(path, body)


@transfer_operations.put(
    "/v2/Transfers/outgoing/<uuid:transferId>/cancel", tags=FRONT_OFFICE, summary="Cancel an outgoing transfer (v2)",
    description=CANCEL, operation_id="cancelOutgoingV2", responses={200: CanceledEnvelope, **STEP_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def cancel_outgoing_v2(path: TransferPath, body: CancelTransferBody) -> dict[str, Any]:
    return success(_canceled(path, body))


@transfer_operations.get(
    "/Transfers/type", tags=FRONT_OFFICE, summary="Transfer type for a recipient account and currency",
    description="`internal` for accounts of this institution; `sepaInstant` or `sepa` for euros to an IBAN of the SEPA;"
    " `fasterPayments` for pounds to the United Kingdom; else `swift`.",
    operation_id="readTransferType", responses={200: TypeDto, **documented_errors()},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_transfer_type(query: TypeQuery) -> dict[str, Any]:
    key = rails.key_of(query.recipient_account)
    return {"type": rails.rails_for(key, query.currency).type, "recipientAccount": key, "currency": query.currency}
