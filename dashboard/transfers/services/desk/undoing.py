"""Taking an assignment back, by people or because the bank took the money back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients.services import lock
from dashboard.database import session
from dashboard.errors import Refused
from dashboard.ledger import moving
from dashboard.ledger.models import Account, LedgerTransaction, Payment
from dashboard.ledger.services import orders as checking
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import GONE, AccountType, PaymentState
from dashboard.money import Money
from dashboard.queues import services as queues
from dashboard.transfers.models import Disposition, IncomingRequest, Receipt, Transfer
from dashboard.transfers.services import lifecycle
from dashboard.transfers.services.desk import assigning, limits, positions, receivables, returning
from dashboard.transfers.vocabulary import (
    Cause,
    DispositionKind,
    DispositionState,
    Kind,
    ReceiptState,
    RequestState,
    Status,
)

KIND = "transfers.undo"
RECEIVABLE = "transfers.receivable"

#: what a bank's reversal came to (`reverse_at_bank`)
REVERSED, WAITING = "reversed", "waiting"
#: why a reversal is work for the desk
RECEIVABLE_CAUSE = "receivable"
BANK_REASON = "The bank reversed the credit."


def _assigned(transfer_id: UUID) -> tuple[Transfer, Receipt, Disposition]:
    """What can be undone, locked, its client too. Raises NotFound, Refused `invalidState`."""
    transfer, receipt = positions.locked(transfer_id)
    decision = positions.living(transfer_id)
    if receipt.state != ReceiptState.ASSIGNED or decision is None or decision.kind != DispositionKind.ASSIGN:
        raise Refused(
            f"Only money that was assigned can be taken back; this is {receipt.state}.",
            code="invalidState",
            details={"state": receipt.state, "allowed": [ReceiptState.ASSIGNED.value]},
        )
    assert decision.client_id is not None
    lock.locked(decision.client_id)
    return transfer, receipt, decision


def _reversed(payment_id: UUID, *, parent_id: UUID, purpose: str, reason: str, by: Actor) -> UUID | None:
    """Book the mirror of a payment under the transfer; None where the debtor has not enough, or is closed. A freeze
    does not stop it. Raises what else the ledger refuses."""
    order = replace(payments.mirrored(payment_id, reason=reason[:500]), parent_id=parent_id, purpose=purpose)
    moved = moving.create([order], PaymentState.POSTED, by=by, follows=True, reason=reason[:500])
    if moved.outcomes[0].code in {"insufficientFunds", "debtorClosed"}:
        return None
    checking.raise_refusals(moved.outcomes, {order.id: order})
    return order.id


def _end(
    decision: Disposition, *, payment_id: UUID, reason: str, receivable_minor: int = 0, approval_id: UUID | None = None
) -> None:
    decision.undo_payment_id = payment_id
    decision.undo_approval_id = approval_id
    decision.undo_reason = reason[:500]
    decision.receivable_minor = receivable_minor
    decision.ended_at = clock.now()
    decision.state = DispositionState.UNDONE.value
    session().flush()


def _on_desk_again(
    transfer: Transfer, receipt: Receipt, decision: Disposition, *, reason: str, receivable_minor: int, by: Actor
) -> None:
    positions.open_again(receipt, cause=Cause.UNDONE)
    lifecycle.change_status(
        transfer, Status.UNRECOGNIZED, by=by, code="undone", reason=reason, client_id=None,
        account_id=receipt.suspense_account_id,
    )  # fmt: skip
    positions.tell(
        receipt, "undone", reason, by=by, of=decision.client_id, number=decision.number,
        paymentId=str(decision.undo_payment_id), accountId=str(decision.account_id),
        clientId=str(decision.client_id), receivableMinor=receivable_minor,
    )  # fmt: skip


def undo(transfer_id: UUID, *, reason: str, by: Actor) -> Disposition:
    """Take an assignment back by a reversal; the money is on the desk again, with the same clocks.

    Raises NotFound, Refused `invalidState`, `secondPersonRequired` (above the limit), `spentAlready` (then
    `ask_to_undo`), Invalid, Forbidden.
    """
    by.require(Permission.TRANSFERS_ASSIGN)
    why = positions.text_of(reason, "reason")
    transfer, receipt, decision = _assigned(transfer_id)
    if limits.needs_two(decision.currency, decision.amount_minor):
        raise Refused("So much takes a second person. Ask for it.", code="secondPersonRequired")
    assert decision.payment_id is not None
    payment_id = _reversed(decision.payment_id, parent_id=transfer.id, purpose=f"undo-{decision.number}", reason=why,
                           by=by)  # fmt: skip
    if payment_id is None:
        parts = receivables.split(decision.account_id, decision.amount_minor)  # type: ignore[arg-type]
        raise Refused(
            "The client has spent a part of it. What is missing becomes a claim, and that takes a second person.",
            code="spentAlready",
            details={"missing": Money(parts.receivable_minor, decision.currency).amount},
        )
    approvals.close_as_stale(KIND, transfer_id)
    _end(decision, payment_id=payment_id, reason=why)
    _on_desk_again(transfer, receipt, decision, reason=why, receivable_minor=0, by=by)
    return decision


def ask_to_undo(transfer_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask a second person to take an assignment back. Nothing is reserved: the client may go on spending, and what is
    missing when somebody approves becomes a claim. Raises as `undo`, Conflict `alreadyRequested`."""
    by.require(Permission.TRANSFERS_ASSIGN)
    why = positions.text_of(reason, "reason")
    _, receipt, decision = _assigned(transfer_id)
    assert decision.account_id is not None
    money = Money(decision.amount_minor, decision.currency)
    parts = receivables.split(decision.account_id, decision.amount_minor)
    request = approvals.request(
        KIND,
        object_type="transfer",
        object_id=transfer_id,
        client_id=decision.client_id,
        subject=str(money),
        payload={"dispositionId": str(decision.id), "clientId": str(decision.client_id)},
        before={"money": "on the client's account", **_taken(0, 0, decision.currency)},
        after={
            "money": "on suspense",
            **_taken(parts.from_client_minor, parts.receivable_minor, decision.currency),
        },
        reason=why,
        restricted=False,
        by=by,
    )
    positions.tell(receipt, "note", f"Asked to undo: {why}", by=by, requestId=str(request.id))
    return request


def _taken(from_client_minor: int, receivable_minor: int, currency: str) -> dict[str, str]:
    """What a request says of both parts, before and after."""
    return {
        "taken from the client": str(Money(from_client_minor, currency)),
        "claim against the client": str(Money(receivable_minor, currency)),
    }


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks transfer, receipt and client; never balances, which run on."""
    transfer, receipt = positions.locked(request.object_id)
    lock.locked(UUID(request.payload["clientId"]))
    decision = positions.living(request.object_id)
    return {
        "status": transfer.status,
        "version": receipt.version,
        "decision": [str(decision.id), decision.state] if decision else None,
    }


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved undo: by a reversal where the money is there, else with a claim for the rest."""
    transfer, receipt, decision = _assigned(request.object_id)
    assert decision.payment_id is not None and decision.account_id is not None
    purpose = f"undo-{decision.number}"
    payment_id = _reversed(decision.payment_id, parent_id=transfer.id, purpose=purpose, reason=request.reason, by=by)
    claim = 0
    if payment_id is None:
        payment_id, parts = receivables.take_back(
            parent_id=transfer.id, purpose=purpose, account_id=decision.account_id,
            to_account_id=receipt.suspense_account_id, amount_minor=decision.amount_minor,
            currency=decision.currency, reason=request.reason, by=by,
        )  # fmt: skip
        claim = parts.receivable_minor
    _end(decision, payment_id=payment_id, reason=request.reason, receivable_minor=claim, approval_id=request.id)
    _on_desk_again(transfer, receipt, decision, reason=request.reason, receivable_minor=claim, by=by)


def reverse_at_bank(transfer: Transfer, *, by: Actor) -> str:
    """What it means that the bank took a credit back: `reversed`, or `waiting` where people must decide first.

    The caller has locked the transfer. Facts at the bank pass every freeze and limit of ours, but not a balance: what
    the client has spent is claimed by two people (`ask_for_receivable`), and money that we have sent back already
    is looked at by them.
    """
    house = system("bank reversal") if by.kind != "system" else by
    status = Status(transfer.status)
    if status is Status.REVERSED:
        return REVERSED
    if status is Status.RETURNED:
        _to_people(transfer)
        return WAITING
    receipt = session().get(Receipt, transfer.id, with_for_update={"key_share": True}, populate_existing=True)
    decision = positions.living(transfer.id) if receipt is not None else None
    if receipt is not None and decision is not None and decision.state == DispositionState.WAITING:
        # somebody waits for a second person: there is nothing left to decide
        kind = assigning.KIND if decision.kind == DispositionKind.ASSIGN else returning.KIND
        approvals.close_as_stale(kind, transfer.id)
        decision = None
    if transfer.client_id is not None:
        lock.locked(transfer.client_id)
    undone = None
    if decision is not None:
        assert decision.payment_id is not None
        undone = _reversed(
            decision.payment_id, parent_id=transfer.id, purpose=f"undo-{decision.number}", reason=BANK_REASON, by=house
        )  # fmt: skip
        if undone is None:
            _to_people(transfer)
            return WAITING
    assert transfer.payment_id is not None
    taken = _reversed(transfer.payment_id, parent_id=transfer.id, purpose="bank-reversal", reason=BANK_REASON, by=house)
    if taken is None:
        _to_people(transfer)
        return WAITING
    if decision is not None and undone is not None:
        approvals.close_as_stale(KIND, transfer.id)
        _end(decision, payment_id=undone, reason=BANK_REASON)
    _gone(transfer, receipt, reason=BANK_REASON, by=house)
    return REVERSED


def _gone(transfer: Transfer, receipt: Receipt | None, *, reason: str, by: Actor) -> None:
    if receipt is not None:
        positions.set_state(receipt, ReceiptState.REVERSED, remaining_minor=0)
        session().flush()
        positions.take_off_desk(receipt, by=by)
        positions.tell(receipt, "undone", reason, by=by, atBank=True)
    queues.close_items(positions.QUEUE, object_id=transfer.id, by=by, cause=RECEIVABLE_CAUSE)
    lifecycle.change_status(transfer, Status.REVERSED, by=by, code="reversedAtBank", reason=reason)


def _to_people(transfer: Transfer) -> None:
    queues.open_item(
        positions.QUEUE, cause=RECEIVABLE_CAUSE, object_type="transfer", object_id=transfer.id,
        client_id=transfer.client_id, due_at=clock.calendar().due_after(clock.now(), 1),
    )  # fmt: skip


def _spent(transfer_id: UUID) -> Transfer:
    """A credit on a client's account, locked with its client. Raises NotFound, Refused `invalidState`."""
    transfer = lifecycle.locked(transfer_id, kind=Kind.INCOMING)
    lifecycle.require_status(transfer, Status.COMPLETED)
    assert transfer.client_id is not None
    lock.locked(transfer.client_id)
    return transfer


def _settlement_of(transfer: Transfer) -> UUID:
    """The settlement account that the credit came in by."""
    found = session().scalar(
        sa.select(LedgerTransaction.debtor_account_id)
        .join(Account, Account.id == LedgerTransaction.debtor_account_id)
        .where(LedgerTransaction.payment_id == transfer.payment_id, Account.type == AccountType.SETTLEMENT.value)
        .order_by(LedgerTransaction.position)
        .limit(1)
    )
    if found is None:
        raise Refused("The credit came in by no bank account of ours.", code="noProviderAccount")
    return found


def ask_for_receivable(transfer_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask for what a bank's reversal takes from a client who has spent it: from the account what is there, the rest as
    a claim. Raises NotFound, Refused `invalidState`, Conflict `alreadyRequested`, Invalid, Forbidden."""
    by.require(Permission.TRANSFERS_ASSIGN)
    why = positions.text_of(reason, "reason")
    transfer = _spent(transfer_id)
    if positions.taken_back_by(transfer_id) is None:
        raise Refused("The bank has not taken this credit back.", code="notReversedAtBank")
    parts = receivables.split(transfer.account_id, transfer.amount_minor)
    return approvals.request(
        RECEIVABLE,
        object_type="transfer",
        object_id=transfer_id,
        client_id=transfer.client_id,
        subject=str(Money(transfer.amount_minor, transfer.currency)),
        payload={"clientId": str(transfer.client_id), "accountId": str(transfer.account_id)},
        before={"money": "on the client's account", **_taken(0, 0, transfer.currency)},
        after={
            "money": "back at the bank",
            **_taken(parts.from_client_minor, parts.receivable_minor, transfer.currency),
        },
        reason=why,
        restricted=False,
        by=by,
    )


def receivable_fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks transfer and client."""
    transfer = lifecycle.locked(request.object_id, kind=Kind.INCOMING)
    lock.locked(UUID(request.payload["clientId"]))
    reversed_by = session().scalar(
        sa.select(Payment.id).where(
            Payment.reverses_id == transfer.payment_id, Payment.state.not_in([state.value for state in GONE])
        )
    )
    return {"status": transfer.status, "version": transfer.version, "reversed": reversed_by is not None}


def execute_receivable(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved claim: the bank's account gets what the bank has taken, and the credit is over."""
    transfer = _spent(request.object_id)
    receipt = session().get(Receipt, transfer.id, with_for_update={"key_share": True}, populate_existing=True)
    decision = positions.living(transfer.id) if receipt is not None else None
    payment_id, parts = receivables.take_back(
        parent_id=transfer.id, purpose="bank-reversal", account_id=transfer.account_id,
        to_account_id=_settlement_of(transfer), amount_minor=transfer.amount_minor, currency=transfer.currency,
        reason=request.reason, by=by,
    )  # fmt: skip
    if decision is not None:
        approvals.close_as_stale(KIND, transfer.id)
        _end(decision, payment_id=payment_id, reason=BANK_REASON, receivable_minor=parts.receivable_minor,
             approval_id=request.id)  # fmt: skip
    _gone(transfer, receipt, reason=request.reason, by=by)
    # one telling ends it; others of the same are linked to it when they are taken up again
    session().execute(
        sa.update(IncomingRequest)
        .where(IncomingRequest.id == positions.taken_back_by(transfer.id))
        .values(state=RequestState.PROCESSED.value, processed_at=clock.now())
    )
