"""Sending unrecognized money back to where it came from, and what becomes of that on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.errors import Invalid, NotFound, Refused
from dashboard.ledger.numbers import in_groups
from dashboard.money import Money
from dashboard.transfers import suggestions
from dashboard.transfers.models import Disposition, Provider, Receipt, Transfer
from dashboard.transfers.providers.registry import returns_by_reference
from dashboard.transfers.services import lifecycle
from dashboard.transfers.services.desk import assigning, lateness, limits, positions, screening
from dashboard.transfers.services.outgoing import sending_back
from dashboard.transfers.vocabulary import DispositionKind, DispositionState, ReceiptState, Status

KIND = "transfers.return"
FEE_BEARERS = ("payer", "house")


@dataclass(frozen=True, repr=False)
class Destination:
    """Where the message says the money came from. Without an account the provider takes its own credit back."""

    name: str
    account: str | None
    bic: str | None


def destination(transfer: Transfer) -> Destination:
    """The payer's account as the message told it; nobody types one.

    Without an account the provider's reference stands for it, where the provider takes money back that way. Raises
    Refused `returnNotPossible`.
    """
    name = transfer.counterparty_name or "Payer"
    if transfer.counterparty_account:
        return Destination(name, transfer.counterparty_account, transfer.counterparty_bic)
    provider = session().get(Provider, transfer.provider) if transfer.provider else None
    if transfer.provider_reference and provider is not None and returns_by_reference(provider.kind):
        return Destination(name, None, None)
    raise Refused(
        "The message tells no account of the payer, and this provider does not take money back by its reference."
        " Ask the provider to call it back.",
        code="returnNotPossible",
        details={"provider": transfer.provider},
    )


def _checked(receipt: Receipt, fee_minor: int, fee_bearer: str | None) -> str | None:
    if fee_minor < 0 or fee_minor >= receipt.amount_minor:
        raise Invalid.one("fee", "The fee is less than the money and not negative.", "range")
    if fee_bearer is not None and fee_bearer not in FEE_BEARERS:
        raise Invalid.one("feeBearer", "Choose payer or house.", "enum")
    if fee_minor and fee_bearer is None:
        raise Invalid.one("feeBearer", "Say who bears the fee.", "required")
    return fee_bearer if fee_minor else None


def _decision(receipt: Receipt, *, fee_minor: int, fee_bearer: str | None, comment: str, by: Actor) -> Disposition:
    shown = suggestions.candidates(receipt.transfer_id)
    searched = screening.require_clear(receipt.transfer_id)
    return Disposition(
        transfer_id=receipt.transfer_id,
        number=positions.next_number(receipt.transfer_id),
        kind=DispositionKind.RETURN.value,
        state=DispositionState.WAITING.value,
        currency=receipt.currency,
        amount_minor=receipt.remaining_minor,
        fee_minor=fee_minor,
        fee_bearer=fee_bearer,
        comment=comment,
        shown=shown.as_json() | {"screening": str(searched.id)},
        rules_version=shown.rules_version,
        made_at=clock.now(),
        made_by_kind=by.kind,
        made_by_id=by.id,
        made_by_name=by.name,
    )


def _hand_over(transfer: Transfer, receipt: Receipt, decision: Disposition, *, by: Actor) -> Transfer:
    """Give the money to the outbox. What the payer bears is kept back; what the house bears is told, not taken."""
    screening.require_clear(receipt.transfer_id)
    to = destination(transfer)
    kept_back = decision.fee_minor if decision.fee_bearer == "payer" else 0
    told = transfer.provider_reference or transfer.end_to_end_id or str(transfer.id)
    back = sending_back.send_back(
        transfer,
        amount_minor=decision.amount_minor - kept_back,
        fee_minor=kept_back,
        suspense_account_id=receipt.suspense_account_id,
        creditor_name=to.name,
        creditor_account=to.account,
        creditor_bic=to.bic,
        remittance=f"Return of {told}",
        by=by,
    )
    moment = clock.now()
    decision.return_transfer_id = back.id
    decision.payment_id = back.payment_id
    decision.state = DispositionState.POSTED.value
    decision.posted_at = moment
    session().add(decision)
    session().flush()
    positions.set_state(receipt, ReceiptState.RETURNED, remaining_minor=0, settled_at=moment)
    session().flush()
    lifecycle.change_status(transfer, Status.RETURNED, by=by, code="returned", reason=decision.comment)
    positions.take_off_desk(receipt, by=by)
    positions.tell(
        receipt, "decision", decision.comment or "Sent back", by=by, decision="return", number=decision.number,
        state="posted", returnTransferId=str(back.id), feeMinor=decision.fee_minor, feeBearer=decision.fee_bearer,
    )  # fmt: skip
    return back


def send_back(
    transfer_id: UUID,
    *,
    fee_minor: int,
    fee_bearer: str | None,
    comment: str,
    late_reason: str | None = None,
    by: Actor,
) -> Disposition:
    """Send the whole receipt back to its payer.

    Raises NotFound, Conflict `alreadyRequested`, Refused `invalidState`, `screeningRequired`, `screeningHit`,
    `returnNotPossible`, `secondPersonRequired` (then `ask_to_send_back`), `lateReasonRequired`, Invalid, Forbidden.
    """
    by.require(Permission.TRANSFERS_ASSIGN)
    transfer, receipt = positions.locked(transfer_id)
    positions.require_open(receipt)
    bearer = _checked(receipt, fee_minor, fee_bearer)
    said = positions.text_of(comment, "comment")
    screening.require_clear(transfer_id)
    destination(transfer)
    if limits.needs_two(receipt.currency, receipt.amount_minor):
        raise Refused("So much takes a second person. Ask for it.", code="secondPersonRequired")
    lateness.account_for(receipt, late_reason, by=by)
    decision = _decision(receipt, fee_minor=fee_minor, fee_bearer=bearer, comment=said, by=by)
    _hand_over(transfer, receipt, decision, by=by)
    return decision


def ask_to_send_back(
    transfer_id: UUID,
    *,
    fee_minor: int,
    fee_bearer: str | None,
    comment: str,
    late_reason: str | None = None,
    by: Actor,
) -> ApprovalRequest:
    """Ask a second person to send it back; the amount is reserved meanwhile. Raises as `send_back`."""
    by.require(Permission.TRANSFERS_ASSIGN)
    transfer, receipt = positions.locked(transfer_id)
    positions.require_open(receipt)
    bearer = _checked(receipt, fee_minor, fee_bearer)
    said = positions.text_of(comment, "comment")
    to = destination(transfer)
    lateness.account_for(receipt, late_reason, by=by)
    decision = _decision(receipt, fee_minor=fee_minor, fee_bearer=bearer, comment=said, by=by)
    session().add(decision)
    session().flush()
    positions.set_state(receipt, ReceiptState.WAITING, remaining_minor=0)
    session().flush()
    money = Money(decision.amount_minor, decision.currency)
    request = approvals.request(
        KIND,
        object_type="transfer",
        object_id=transfer_id,
        client_id=None,
        subject=f"{money} to {to.name}",
        payload={"dispositionId": str(decision.id), "screeningId": decision.shown["screening"]},
        before={"account": "suspense"},
        after={"account": in_groups(to.account) if to.account
               else f"by the provider's reference {transfer.provider_reference}",
               **({"fee": f"{Money(fee_minor, decision.currency)}, borne by the {bearer}"} if bearer else {})},
        reason=said,
        restricted=False,
        by=by,
    )  # fmt: skip
    decision.approval_id = request.id
    session().flush()
    positions.tell(receipt, "decision", said, by=by, decision="return", number=decision.number, state="waiting",
                   requestId=str(request.id))  # fmt: skip
    return request


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks transfer and receipt; a new search of the payer makes the request stale."""
    _, receipt = positions.locked(request.object_id)
    searched = screening.latest(request.object_id)
    return {
        "receipt": receipt.state,
        "version": receipt.version,
        "screening": [str(searched.id), searched.result] if searched else None,
    }


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved return."""
    transfer, receipt = positions.locked(request.object_id)
    decision = positions.living(request.object_id)
    assert decision is not None  # the fingerprint saw it waiting
    lateness.account_for(receipt, None, by=by, otherwise="It was asked for in time and waited for a second person.")
    _hand_over(transfer, receipt, decision, by=by)


closed_without = assigning.closed_without


def _of(return_transfer_id: UUID) -> tuple[Transfer, Receipt, Disposition]:
    """The receipt behind a return, locked. Raises NotFound `returnNotFound`."""
    found = session().execute(
        sa.select(Disposition.id, Disposition.transfer_id).where(Disposition.return_transfer_id == return_transfer_id)
    ).one_or_none()  # fmt: skip
    if found is None:
        raise NotFound("This transfer returns nothing of the desk.", code="returnNotFound")
    transfer, receipt = positions.locked(found.transfer_id)
    decision = session().get_one(Disposition, found.id, populate_existing=True)
    return transfer, receipt, decision


def return_completed(return_transfer_id: UUID, *, by: Actor) -> None:
    """The bank has carried the return out. Telling twice changes nothing. Raises NotFound `returnNotFound`."""
    _, receipt, decision = _of(return_transfer_id)
    if decision.state != DispositionState.POSTED or decision.ended_at is not None:
        return
    decision.ended_at = clock.now()
    session().flush()
    positions.tell(receipt, "decision", "The bank has carried out the return.", by=by, decision="return",
                   number=decision.number, state="completed", returnTransferId=str(return_transfer_id))  # fmt: skip


def return_failed(return_transfer_id: UUID, *, code: str | None, by: Actor) -> None:
    """The bank refused the return, or the money came back: the ledger has released or credited it before. The receipt
    is open again, by the same clocks. Telling twice changes nothing. Raises NotFound `returnNotFound`."""
    transfer, receipt, decision = _of(return_transfer_id)
    if decision.state != DispositionState.POSTED:
        return
    decision.state = DispositionState.FAILED.value
    decision.ended_at = clock.now()
    session().flush()
    positions.open_again(receipt)
    lifecycle.change_status(transfer, Status.UNRECOGNIZED, by=by, code=code or "returnFailed",
                            reason="The bank did not carry out the return.")  # fmt: skip
    positions.tell(
        receipt, "decision", "The bank did not carry out the return.", by=by, decision="return",
        number=decision.number, state="failed", code=code, returnTransferId=str(return_transfer_id),
    )  # fmt: skip
