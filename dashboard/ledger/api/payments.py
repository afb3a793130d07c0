"""GL-30 to GL-34 and G2-03 to G2-07: payments; reversal and batches besides."""

from __future__ import annotations

from typing import Any

from dashboard.access.actor import Actor
from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.errors import ApprovalRequired
from dashboard.ledger import parents
from dashboard.ledger.api.blueprint import SYSTEM, ledger_operations
from dashboard.ledger.dto import PaymentDto, PaymentEnvelope, Times, made_dto, payment_dto
from dashboard.ledger.moving import Order
from dashboard.ledger.queries import payments as queries
from dashboard.ledger.schemas import CancelBody, DraftBody, PaymentBody, PaymentPath, ReverseBody, order_of
from dashboard.ledger.services import adjusting, payments
from dashboard.ledger.services.retrying import in_transaction
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.web.api import documented_errors
from dashboard.web.envelope import enveloped, success

MAKE = documented_errors(404, 409, 413, 415, 422)
MAKE_V2 = documented_errors(404, 409, 413, 415, 422, enveloped=True)
STEP = documented_errors(404, 409, 413, 415, 422)
STEP_V2 = documented_errors(404, 409, 413, 415, 422, enveloped=True)

ONE = (
    "Moves one positive amount at once. A parent has one living payment of a purpose: 409 `paymentExists` names it."
    " Refusals: 422 `insufficientFunds`, `currencyMismatch`, `accountFrozen`, `accountClosed`. An adjusting payment"
    " without the scope `payments:adjust` opens a request for approval: 403 `approvalRequired`."
)


def _ask_if_adjusting(order: Order, by: Actor) -> None:
    if order.parent_type is ParentType.ADJUSTING_PAYMENT and not by.may(Permission.PAYMENTS_ADJUST):
        with transaction():
            request = adjusting.ask(order, reason=adjusting.NO_REASON, by=by)
        raise ApprovalRequired(
            "An adjusting payment waits for a second person. No money has moved.",
            details={"requestId": str(request.id)},
        )


def _made(order: Order, to: PaymentState) -> dict[str, Any]:
    by = current_actor()
    if to is PaymentState.POSTED:
        # what is approved is posted, so a draft is not asked for: it is refused
        _ask_if_adjusting(order, by)
    verb = payments.pay if to is PaymentState.POSTED else payments.draft
    moved = in_transaction(lambda: verb(order, by=by))
    numbers = queries.numbers_of(account_id for leg in order.legs for account_id in (leg.debtor_id, leg.creditor_id))
    return made_dto(order, to, Times.of(moved), numbers)


def _read(path: PaymentPath) -> dict[str, Any]:
    return payment_dto(queries.get(path.payment_id))


def _pended(path: PaymentPath) -> dict[str, Any]:
    parents.refuse_if_claimed(path.payment_id)
    with transaction():
        payments.pend(path.payment_id, by=current_actor())
        return _read(path)


def _posted(path: PaymentPath) -> dict[str, Any]:
    parents.refuse_if_claimed(path.payment_id)
    with transaction():
        payments.post(path.payment_id, by=current_actor())
        return _read(path)


def _canceled(path: PaymentPath, body: CancelBody) -> dict[str, Any]:
    parents.refuse_if_claimed(path.payment_id)
    with transaction():
        payments.cancel(path.payment_id, by=current_actor(), reason=body.reason)
        return _read(path)


@ledger_operations.post(
    "/internal/Payments", tags=SYSTEM, summary="Create a payment with a single transaction and move the money at once",
    description=ONE, operation_id="createPayment", responses={200: PaymentDto, **MAKE},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def create_payment(body: PaymentBody) -> dict[str, Any]:
    return _made(order_of(body), PaymentState.POSTED)


@ledger_operations.post(
    "/v2/internal/Payments", tags=SYSTEM, summary="Same as POST /internal/Payments, in the result envelope",
    description=ONE, operation_id="createPaymentV2", responses={200: PaymentEnvelope, **MAKE_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def create_payment_v2(body: PaymentBody) -> dict[str, Any]:
    return success(_made(order_of(body), PaymentState.POSTED))


@ledger_operations.post(
    "/internal/Payments/draft", tags=SYSTEM, summary="Create a payment in draft state; no money moves",
    description="Up to 1,000 transactions that share one state. Accounts and currencies are checked, funds are not.",
    operation_id="draftPayment", responses={200: PaymentDto, **MAKE},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def draft_payment(body: DraftBody) -> dict[str, Any]:
    return _made(order_of(body), PaymentState.DRAFT)


@ledger_operations.post(
    "/v2/internal/Payments/draft", tags=SYSTEM, summary="Same as POST /internal/Payments/draft, in the result envelope",
    operation_id="draftPaymentV2", responses={200: PaymentEnvelope, **MAKE_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def draft_payment_v2(body: DraftBody) -> dict[str, Any]:
    return success(_made(order_of(body), PaymentState.DRAFT))


PEND = "Holds the amount of every withdrawal from a client account. Only a draft is pended: 422 `invalidState`."


@ledger_operations.post(
    "/internal/Payments/<uuid:paymentId>/pend", tags=SYSTEM, summary="Pend a payment; hold funds of withdrawals",
    description=PEND, operation_id="pendPayment", responses={200: PaymentEnvelope, **STEP_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def pend_payment(path: PaymentPath) -> dict[str, Any]:
    return success(_pended(path))


@ledger_operations.post(
    "/v2/internal/Payments/<uuid:paymentId>/pend", tags=SYSTEM, summary="Same as POST /internal/Payments/{id}/pend",
    description=PEND, operation_id="pendPaymentV2", responses={200: PaymentEnvelope, **STEP_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def pend_payment_v2(path: PaymentPath) -> dict[str, Any]:
    return success(_pended(path))


POST = (
    "Withdraws what is held and deposits it; from draft the money moves at once. What was held is posted in spite of"
    " a freeze that came later."
)


@ledger_operations.post(
    "/internal/Payments/<uuid:paymentId>/post", tags=SYSTEM, summary="Post a payment; deposit what is held",
    description=POST, operation_id="postPayment", responses={200: PaymentDto, **STEP},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def post_payment(path: PaymentPath) -> dict[str, Any]:
    return _posted(path)


@ledger_operations.post(
    "/v2/internal/Payments/<uuid:paymentId>/post", tags=SYSTEM, summary="Same as POST /internal/Payments/{id}/post",
    description=POST, operation_id="postPaymentV2", responses={200: PaymentEnvelope, **STEP_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def post_payment_v2(path: PaymentPath) -> dict[str, Any]:
    return success(_posted(path))


CANCEL = "Gives back what is held. A draft or pending payment is canceled; a posted one is reversed instead."


@ledger_operations.post(
    "/internal/Payments/<uuid:paymentId>/cancel", tags=SYSTEM, summary="Cancel a payment; pay back what is held",
    description=CANCEL, operation_id="cancelPayment", responses={200: PaymentDto, **STEP},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def cancel_payment(path: PaymentPath, body: CancelBody) -> dict[str, Any]:
    return _canceled(path, body)


@ledger_operations.post(
    "/v2/internal/Payments/<uuid:paymentId>/cancel", tags=SYSTEM, summary="Same as POST /internal/Payments/{id}/cancel",
    description=CANCEL, operation_id="cancelPaymentV2", responses={200: PaymentEnvelope, **STEP_V2},
)  # fmt: skip
@enveloped
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def cancel_payment_v2(path: PaymentPath, body: CancelBody) -> dict[str, Any]:
    return success(_canceled(path, body))


@ledger_operations.post(
    "/internal/Payments/<uuid:paymentId>/reverse", tags=SYSTEM,
    summary="Reverse a posted payment by an adjusting payment that points at it",
    description="In full, once. Without the scope `payments:adjust` a request for approval is opened: 403"
    " `approvalRequired`. An addition to the documented operations.",
    operation_id="reversePayment", responses={200: PaymentDto, **STEP},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.PAYMENTS_WRITE)
def reverse_payment(path: PaymentPath, body: ReverseBody) -> dict[str, Any]:
    by = current_actor()
    parents.refuse_if_claimed(path.payment_id)
    if not by.may(Permission.PAYMENTS_ADJUST):
        with transaction():
            request = adjusting.ask_to_reverse(path.payment_id, reason=body.reason, by=by)
        raise ApprovalRequired(
            "A reversal waits for a second person. No money has moved.", details={"requestId": str(request.id)}
        )
    with transaction():
        moved = payments.reverse(path.payment_id, reason=body.reason, by=by)
        return payment_dto(queries.get(moved.outcomes[0].payment_id))


@ledger_operations.get(
    "/internal/Payments/<uuid:paymentId>", tags=SYSTEM, summary="Payment by identifier",
    description="An addition to the documented operations.", operation_id="readPayment",
    responses={200: PaymentDto, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.LEDGER_READ)
def read_payment(path: PaymentPath) -> dict[str, Any]:
    return _read(path)
