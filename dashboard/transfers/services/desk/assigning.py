"""Assigning unrecognized money to a client's account: by one person within the limit, by two above it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients.models import Client
from dashboard.clients.services import lock
from dashboard.database import session
from dashboard.errors import NotFound, Refused
from dashboard.ledger.models import Account, AccountBalance
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.numbers import in_groups
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import AccountStatus, AccountType, ParentType
from dashboard.money import Money
from dashboard.transfers import suggestions
from dashboard.transfers.models import Disposition, PayerRule, Receipt, Transfer
from dashboard.transfers.services import lifecycle
from dashboard.transfers.services.desk import lateness, limits, positions
from dashboard.transfers.vocabulary import DispositionKind, DispositionState, ReceiptState, Status

KIND = "transfers.assign"
NO_REASON = "Asked by API, without a reason."


def may_act(by: Actor) -> None:
    """Raises Forbidden."""
    if by.kind == "staff":
        by.require(Permission.TRANSFERS_ASSIGN)
    elif by.kind == "token":
        by.require(Permission.TRANSFERS_WRITE)


def alone(by: Actor, receipt: Receipt) -> bool:
    """Whether this actor assigns so much without a second person."""
    return not limits.needs_two(receipt.currency, receipt.amount_minor) or (
        by.kind == "token" and by.may(Permission.TRANSFERS_ASSIGN)
    )


def credits_frozen(account_id: UUID) -> bool:
    """Whether an account takes no money now. The ledger asks again under its own locks."""
    return bool(
        session().scalar(
            sa.select(sa.func.bool_or(AccountBalance.credits_frozen)).where(AccountBalance.account_id == account_id)
        )
    )


def target(receipt: Receipt, account_id: UUID) -> tuple[Account, Client]:
    """The account that shall have the money, and its client, locked.

    Raises NotFound `accountNotFound`, Refused `currencyMismatch`, `accountClosed`, `accountFrozen`: neutral, because
    why an account is frozen is not everybody's to know.
    """
    account = session().scalar(
        sa.select(Account)
        .where(Account.id == account_id, Account.type == AccountType.CLIENT.value)
        .execution_options(populate_existing=True)
    )
    if account is None or account.owner_id is None:
        raise NotFound("There is no such client account.", code="accountNotFound")
    client = lock.locked(account.owner_id)
    if account.currency != receipt.currency:
        raise Refused(
            f"The account is in {account.currency.upper()}, the money in {receipt.currency.upper()}.",
            code="currencyMismatch",
            details={"accountId": str(account_id)},
        )
    # the client's lock may have been waited for
    session().refresh(account)
    if account.status != AccountStatus.OPEN:
        raise Refused("The account is closed.", code="accountClosed", details={"accountId": str(account_id)})
    if credits_frozen(account_id):
        raise Refused("This account takes no money at present.", code="accountFrozen",
                      details={"accountId": str(account_id)})  # fmt: skip
    return account, client


def _decision(
    receipt: Receipt, account: Account, client: Client, *, comment: str | None, rule: PayerRule | None, by: Actor
) -> Disposition:
    shown = suggestions.candidates(receipt.transfer_id)
    return Disposition(
        transfer_id=receipt.transfer_id,
        number=positions.next_number(receipt.transfer_id),
        kind=DispositionKind.ASSIGN.value,
        state=DispositionState.WAITING.value,
        currency=receipt.currency,
        amount_minor=receipt.remaining_minor,
        client_id=client.id,
        account_id=account.id,
        comment=comment,
        rule_id=rule.id if rule else None,
        shown=shown.as_json(),
        rules_version=shown.rules_version,
        made_at=clock.now(),
        made_by_kind=by.kind,
        made_by_id=by.id,
        made_by_name=by.name,
    )


def _pay(transfer: Transfer, receipt: Receipt, decision: Disposition, *, by: Actor) -> None:
    """Move the money and take receipt and transfer along. Raises what the ledger refuses."""
    assert decision.account_id is not None
    if decision.amount_minor > receipt.amount_minor:
        raise Refused("Not so much is left of this money.", code="nothingRemains")
    order = Order(
        parent_type=ParentType.TRANSFER,
        parent_id=transfer.id,
        purpose=f"disposition-{decision.number}",
        legs=[Leg(receipt.suspense_account_id, decision.account_id, decision.amount_minor, receipt.currency,
                  transfer.remittance[:500] if transfer.remittance else None)],
    )  # fmt: skip
    payments.pay(order, by=by)
    moment = clock.now()
    decision.payment_id = order.id
    decision.state = DispositionState.POSTED.value
    decision.posted_at = moment
    session().add(decision)
    session().flush()
    positions.set_state(receipt, ReceiptState.ASSIGNED, remaining_minor=0, settled_at=moment)
    session().flush()
    lifecycle.change_status(
        transfer, Status.COMPLETED, by=by, code="assigned", reason=decision.comment,
        client_id=decision.client_id, account_id=decision.account_id,
    )  # fmt: skip
    positions.take_off_desk(receipt, by=by)
    positions.tell(
        receipt, "decision", decision.comment or "Assigned", by=by, decision="assign", number=decision.number,
        state="posted",
        accountId=str(decision.account_id), clientId=str(decision.client_id), paymentId=str(order.id),
    )  # fmt: skip


def _comment(comment: str | None) -> str | None:
    return positions.text_of(comment, "comment") if comment and comment.strip() else None


def assign(
    transfer_id: UUID, *, account_id: UUID, comment: str | None, late_reason: str | None = None, by: Actor
) -> Disposition:
    """Pay the whole receipt to a client's account.

    Raises NotFound `transferNotFound`, `receiptNotFound`, `accountNotFound`, Conflict `alreadyRequested`, Refused
    `invalidState`, `secondPersonRequired` (then `ask_to_assign`), `lateReasonRequired`, `currencyMismatch`,
    `accountClosed`, `accountFrozen`, Invalid, Forbidden.
    """
    may_act(by)
    transfer, receipt = positions.locked(transfer_id)
    positions.require_open(receipt)
    account, client = target(receipt, account_id)
    said = _comment(comment)
    if not alone(by, receipt):
        raise Refused("So much takes a second person. Ask for it.", code="secondPersonRequired")
    lateness.account_for(receipt, late_reason, by=by)
    decision = _decision(receipt, account, client, comment=said, rule=None, by=by)
    _pay(transfer, receipt, decision, by=by)
    return decision


def assign_by_rule(
    transfer: Transfer, receipt: Receipt, rule: PayerRule, account: Account, client: Client, *, by: Actor
) -> Disposition:
    """What an approved rule does with money whose rows are locked (`standing.post_by_rule`)."""
    lateness.account_for(receipt, None, by=by, otherwise="The bank told of it late; the rule acted at once.")
    decision = _decision(receipt, account, client, comment=f"By rule: {rule.reason}"[:500], rule=rule, by=by)
    _pay(transfer, receipt, decision, by=by)
    return decision


def ask_to_assign(
    transfer_id: UUID, *, account_id: UUID, comment: str | None, late_reason: str | None = None, by: Actor
) -> ApprovalRequest:
    """Ask a second person to assign it; the amount is reserved meanwhile, and the clocks run on.

    Raises as `assign`; Invalid where a person says no reason.
    """
    may_act(by)
    _, receipt = positions.locked(transfer_id)
    positions.require_open(receipt)
    account, client = target(receipt, account_id)
    reason = positions.text_of(comment or (NO_REASON if by.kind == "token" else None), "comment")
    lateness.account_for(receipt, late_reason, by=by)
    decision = _decision(receipt, account, client, comment=reason, rule=None, by=by)
    session().add(decision)
    session().flush()
    positions.set_state(receipt, ReceiptState.WAITING, remaining_minor=0)
    session().flush()
    money = Money(decision.amount_minor, decision.currency)
    request = approvals.request(
        KIND,
        object_type="transfer",
        object_id=transfer_id,
        client_id=client.id,
        subject=f"{money} to {client.name}",
        payload={"dispositionId": str(decision.id), "accountId": str(account.id), "clientId": str(client.id)},
        before={"account": "suspense"},
        after={"account": in_groups(account.number)},
        reason=reason,
        restricted=False,
        by=by,
    )
    decision.approval_id = request.id
    session().flush()
    positions.tell(
        receipt, "decision", reason, by=by, decision="assign", number=decision.number, state="waiting",
        accountId=str(account.id), clientId=str(client.id), requestId=str(request.id),
    )  # fmt: skip
    return request


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks transfer, receipt and client; what must not have changed since somebody asked."""
    _, receipt = positions.locked(request.object_id)
    client = lock.locked(UUID(request.payload["clientId"]))
    account_id = UUID(request.payload["accountId"])
    return {
        "receipt": receipt.state,
        "version": receipt.version,
        "account": session().scalar(sa.select(Account.status).where(Account.id == account_id)),
        "client": client.status,
        "creditsFrozen": credits_frozen(account_id),
    }


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved assignment."""
    transfer, receipt = positions.locked(request.object_id)
    decision = positions.living(request.object_id)
    assert decision is not None and decision.account_id is not None  # the fingerprint saw it waiting
    target(receipt, decision.account_id)
    lateness.account_for(receipt, None, by=by, otherwise="It was asked for in time and waited for a second person.")
    _pay(transfer, receipt, decision, by=by)


def closed_without(request: ApprovalRequest, by: Actor) -> None:
    """Rejected, withdrawn, expired or stale: the reserved amount is free again."""
    _, receipt = positions.locked(request.object_id)
    decision = positions.living(request.object_id)
    if decision is None or decision.approval_id != request.id or decision.state != DispositionState.WAITING:
        return
    decision.state = DispositionState.DROPPED.value
    decision.ended_at = clock.now()
    session().flush()
    positions.open_again(receipt)
    positions.tell(receipt, "decision", f"The request was {request.state}; nothing was paid.", by=by,
                   decision=decision.kind, number=decision.number, state="dropped")  # fmt: skip
