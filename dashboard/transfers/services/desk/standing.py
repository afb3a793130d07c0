"""Standing rules: "always assign this payer to this client". Asked by one person, approved by another.

A rule acts on the payer's exact account and nothing else. Amounts above the desk's limit are within it, because two
people have approved the rule. It stands still while its client could not be given the money by a person without a
second look: blocked, closed, credits frozen, high or prohibited risk.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.clients.models import Client
from dashboard.clients.services import lock
from dashboard.clients.vocabulary import Risk
from dashboard.clients.vocabulary import Status as ClientStatus
from dashboard.database import constraint_of, savepoint, session
from dashboard.errors import Conflict, NotFound, Refused
from dashboard.ledger.models import Account
from dashboard.ledger.vocabulary import AccountStatus
from dashboard.transfers.models import Disposition, PayerRule, Transfer
from dashboard.transfers.services.desk import assigning, positions
from dashboard.transfers.vocabulary import Cause, DispositionKind, DispositionState, ReceiptState

KIND = "transfers.payer-rule"


def _stopped(client: Client, account: Account) -> bool:
    """Whether a rule stands still: said without a why, which may be nobody's to know."""
    return (
        client.status != ClientStatus.ACTIVE
        or client.risk_level >= Risk.HIGH
        or account.status != AccountStatus.OPEN
        or assigning.credits_frozen(account.id)
    )


def live_rule(payer_key: str, currency: str) -> PayerRule | None:
    """The rule for a payer that waits or is active, whether it may act now or not."""
    return session().scalar(
        sa.select(PayerRule).where(
            PayerRule.payer_key == payer_key, PayerRule.currency == currency, PayerRule.state != "ended"
        )
    )


def is_stopped(rule: PayerRule) -> bool:
    """Whether an active rule only suggests now. Locks nothing."""
    client, account = session().get(Client, rule.client_id), session().get(Account, rule.account_id)
    return client is None or account is None or _stopped(client, account)


def rule_for(payer_key: str | None, currency: str) -> PayerRule | None:
    """The approved rule that may act on this payer's money now; None where there is none or it stands still."""
    if not payer_key:
        return None
    rule = live_rule(payer_key, currency)
    return rule if rule is not None and rule.state == "active" and not is_stopped(rule) else None


def post_by_rule(transfer: Transfer, rule: PayerRule, *, by: Actor) -> Disposition | None:
    """Let an approved rule assign a receipt that was just opened. None where it does not act: it ended or stands still
    meanwhile, the message names an account that cannot take the money, or people have undone its decision before.
    """
    actor = system(f"rule {rule.id}")
    transfer, receipt = positions.locked(transfer.id)
    client = lock.locked(rule.client_id)
    session().refresh(rule)
    account = session().get_one(Account, rule.account_id, populate_existing=True)
    undone = session().scalar(
        sa.select(Disposition.id).where(
            Disposition.transfer_id == transfer.id, Disposition.state == DispositionState.UNDONE.value
        )
    )
    if (
        rule.state != "active"
        or transfer.counterparty_key != rule.payer_key
        or receipt.currency != rule.currency
        or receipt.cause != Cause.NOT_RECOGNIZED
        or receipt.state != ReceiptState.OPEN
        or undone is not None
        or _stopped(client, account)
    ):
        return None
    return assigning.assign_by_rule(transfer, receipt, rule, account, client, by=actor)


def ask_for_rule(transfer_id: UUID, *, reason: str, by: Actor) -> PayerRule:
    """From an assignment: ask that this payer's money always goes to that account.

    Raises NotFound, Refused `invalidState`, `noPayerAccount`, Conflict `ruleExists`, Invalid, Forbidden.
    """
    by.require(Permission.TRANSFERS_ASSIGN)
    why = positions.text_of(reason, "reason")
    transfer, receipt = positions.locked(transfer_id)
    decision = positions.living(transfer_id)
    if receipt.state != ReceiptState.ASSIGNED or decision is None or decision.kind != DispositionKind.ASSIGN:
        raise Refused(
            f"Assign the money first; it is {receipt.state}.", code="invalidState", details={"state": receipt.state}
        )
    if not transfer.counterparty_key:
        raise Refused("The message tells no account of the payer to know them by.", code="noPayerAccount")
    assert decision.client_id is not None and decision.account_id is not None
    client = lock.locked(decision.client_id)
    rule = PayerRule(
        payer_key=transfer.counterparty_key,
        payer_name=transfer.counterparty_name or "",
        currency=receipt.currency,
        client_id=decision.client_id,
        account_id=decision.account_id,
        state="requested",
        reason=why,
        created_at=clock.now(),
        created_by=by.name,
    )
    try:
        with savepoint():
            session().add(rule)
            session().flush()
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "uq_payer_rule_live":
            raise
        raise Conflict("There is a rule for this payer already, or one is asked for.", code="ruleExists") from None
    approvals.request(
        KIND,
        object_type="payer_rule",
        object_id=rule.id,
        client_id=client.id,
        subject=f"{rule.payer_name or 'this payer'} to {client.name}",
        payload={"transferId": str(transfer_id), "clientId": str(client.id)},
        before={"money of this payer": "comes to the desk"},
        after={"money of this payer": f"goes to {client.name} by itself, whatever the amount"},
        reason=why,
        restricted=False,
        by=by,
    )
    return rule


def _locked_rule(rule_id: UUID) -> PayerRule:
    rule = session().get(PayerRule, rule_id, with_for_update={"key_share": True}, populate_existing=True)
    if rule is None:
        raise NotFound("There is no such rule.", code="ruleNotFound")
    return rule


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the rule and its client."""
    rule = _locked_rule(request.object_id)
    client = lock.locked(rule.client_id)
    account = session().get_one(Account, rule.account_id, populate_existing=True)
    return {
        "rule": rule.state,
        "client": client.status,
        "risk": client.risk_level,
        "account": account.status,
        "creditsFrozen": assigning.credits_frozen(account.id),
    }


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved rule."""
    rule = _locked_rule(request.object_id)
    rule.approval_id = request.id
    rule.state = "active"
    session().flush()
    audit.record("payerRule.active", by=by, object_type="payer_rule", object_id=rule.id, client_id=rule.client_id,
                 before={"state": "requested"}, after={"state": "active"})  # fmt: skip


def closed_without(request: ApprovalRequest, by: Actor) -> None:
    """Nobody approved it: it ends, and another one may be asked for."""
    rule = _locked_rule(request.object_id)
    if rule.state == "requested":
        _finish(rule, reason=f"The request was {request.state}.", by=by)


def end(rule_id: UUID, *, reason: str, by: Actor) -> PayerRule:
    """One person ends a rule, for good. Raises NotFound `ruleNotFound`, Conflict `alreadyEnded`, Invalid, Forbidden."""
    by.require(Permission.TRANSFERS_ASSIGN)
    why = positions.text_of(reason, "reason")
    rule = _locked_rule(rule_id)
    if rule.state == "ended":
        raise Conflict("This rule has ended already.", code="alreadyEnded")
    _finish(rule, reason=why, by=by)
    approvals.close_as_stale(KIND, rule_id)
    return rule


def _finish(rule: PayerRule, *, reason: str, by: Actor) -> None:
    before = rule.state
    rule.state = "ended"
    rule.ended_at = clock.now()
    rule.ended_by = by.name
    session().flush()
    audit.record("payerRule.ended", by=by, object_type="payer_rule", object_id=rule.id, client_id=rule.client_id,
                 before={"state": before}, after={"state": "ended"}, reason=reason)  # fmt: skip
