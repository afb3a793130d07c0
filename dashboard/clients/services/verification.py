"""What an outside verification (KYC) says of a client, and what follows from it.

The only code that activates a client by KYC, and the only one that blocks a client because KYC failed for good. GREEN
never lifts a block. Whoever calls it has put the provider's events into their order already: `Told` is what all of
them together say now, so that the order in which they arrived makes no difference to the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.approvals import services as approvals
from dashboard.audit import services as audit
from dashboard.clients.calendar import calendar
from dashboard.clients.models import Client, ClientVerification, VerificationDecision
from dashboard.clients.services.activate import KIND as BY_HAND
from dashboard.clients.services.activate import activation_obstacle
from dashboard.clients.services.block import block
from dashboard.clients.services.lock import active_blocks, locked
from dashboard.clients.services.upkeep import after_change, refresh_flags, refresh_queues
from dashboard.clients.vocabulary import KYC_LABELS, KYC_OUTCOMES, BlockCode, KycEffect, KycState, Scope, Status
from dashboard.database import new_id, session

#: what a person reads as the comment of the block; restricted like every comment of a block
BLOCK_COMMENT = "Verification rejected for good (RED FINAL)"
#: effects that an event has once and never again
ONCE = frozenset({KycEffect.ACTIVATED, KycEffect.BLOCKED, KycEffect.KEPT_INACTIVE})


@dataclass(frozen=True)
class Outcome:
    """An answer with consequences. `at` is the provider's time. `unconfirmed`: an approval that waits for a second
    word, and meanwhile takes nothing back."""

    event_id: UUID
    state: KycState
    at: datetime
    level: str | None = None
    unconfirmed: bool = False


@dataclass(frozen=True)
class Told:
    """What everything that a provider told of an applicant says now.

    `at`, `event_id` and `event_type`: the event that led to this state, at the provider's time. `outcome`: the answer
    behind a state of `KYC_OUTCOMES`; it may be older than the event (approved, deactivated, activated again).
    `approved_event_id` of an approval is `outcome.event_id`. `labels`, `client_comment`, `moderation_comment` belong
    to the newest review and are restricted.
    """

    applicant_id: str
    state: KycState
    at: datetime
    event_id: UUID
    event_type: str
    outcome: Outcome | None
    level: str | None = None
    review_status: str | None = None
    answer: str | None = None
    reject_type: str | None = None
    labels: tuple[str, ...] = ()
    moderation_comment: str | None = None
    client_comment: str | None = None
    attempts: int = 0
    data_changed_at: datetime | None = None
    provider: str = "sumsub"
    #: why an approval opens nothing yet, in words; the provider must say it once more
    unconfirmed: str | None = None


def record(
    client_id: UUID, *, told: Told, passed: Sequence[Outcome] = (), late: Sequence[Outcome] = (), by: Actor
) -> KycEffect | None:
    """Take over what a provider says now; gives what its outcome did to the client, None where it had done it before.

    `passed`: outcomes in their turn that something newer, told together with them, follows. None of them opens
    anything; RED FINAL blocks an active client all the same, unless a confirmed approval follows. `late`: outcomes that
    came after newer ones had been taken over; they are kept and told, and change nothing. Doing it twice with the same
    is the effect of once. An approval that was held back is tried again. Raises NotFound.
    """
    client = locked(client_id)
    for outcome in late:
        _keep_late(client, outcome, told, by=by)
    turned = _store(client, told)
    session().flush()
    if turned:
        client.version += 1
        refresh_flags(client, by=by, cause="verification")
    for number, outcome in enumerate(passed):
        approved = [
            not each.unconfirmed for each in passed[number + 1 :] if each.state is KycState.APPROVED
        ]  # fmt: skip
        cleared = any(approved) or (told.state is KycState.APPROVED and told.unconfirmed is None)
        _pass(client, outcome, told, cleared=cleared, by=by)
    effect = _follow(client, told, by=by)
    if turned and effect is None:
        _tell(client, told, None, None, by=by)
    if turned:
        refresh_queues(client, by=by)
        client.updated_at = clock.now()
    session().flush()
    return effect


def verification_of(client_id: UUID) -> ClientVerification | None:
    """What is known of a client's verification; None before anything was told."""
    return session().get(ClientVerification, client_id)


def _store(client: Client, told: Told) -> bool:
    """Write the state down; gives whether it, or the event that it rests on, is another one than before."""
    stored = session().get(ClientVerification, client.id, populate_existing=True)
    if stored is None:
        stored = ClientVerification(client_id=client.id)
        session().add(stored)
    turned = (stored.state, stored.event_id) != (told.state.value, told.event_id)
    approved = told.outcome if told.state is KycState.APPROVED else None
    stored.provider, stored.applicant_id = told.provider, told.applicant_id
    stored.state, stored.state_at = told.state.value, told.at
    stored.event_id, stored.event_type = told.event_id, told.event_type
    stored.level, stored.review_status = told.level, told.review_status
    stored.answer, stored.reject_type = told.answer, told.reject_type
    stored.labels = list(told.labels)
    stored.moderation_comment, stored.client_comment = told.moderation_comment, told.client_comment
    stored.attempts, stored.data_changed_at = told.attempts, told.data_changed_at
    stored.approved_at = approved.at if approved else None
    stored.approved_event_id = approved.event_id if approved else None
    stored.updated_at = clock.now()
    return turned


def _decisions(client_id: UUID, event_id: UUID) -> list[VerificationDecision]:
    return list(
        session().scalars(
            sa.select(VerificationDecision)
            .where(VerificationDecision.client_id == client_id, VerificationDecision.event_id == event_id)
            .order_by(VerificationDecision.id)
        )
    )


def _keep_late(client: Client, outcome: Outcome, told: Told, *, by: Actor) -> None:
    if _decisions(client.id, outcome.event_id):
        return
    _decide(client, outcome, told.applicant_id, KycEffect.OUT_OF_DATE, None)
    audit.record(
        "verification.out_of_date",
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        after={"event": str(outcome.event_id), "told": outcome.at.isoformat()},
        restricted={"outcome": outcome.state.value},
    )


def _pass(client: Client, outcome: Outcome, told: Told, *, cleared: bool, by: Actor) -> None:
    if _decisions(client.id, outcome.event_id):
        return
    active = (client.status_before_block or client.status) == Status.ACTIVE
    final = outcome.state is KycState.REJECTED and active and not cleared
    effect = _rejected(client, told) if final else KycEffect.NOTHING
    _decide(client, outcome, told.applicant_id, effect, None)
    audit.record(
        f"verification.{_ACTIONS[outcome.state]}",
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        after={
            "event": str(outcome.event_id),
            "told": outcome.at.isoformat(),
            "verification": KYC_LABELS[outcome.state],
            "level": outcome.level,
            "effect": effect.value,
        },
    )


def _decide(client: Client, outcome: Outcome, applicant_id: str, effect: KycEffect, why: str | None) -> UUID:
    decision = VerificationDecision(
        id=new_id(),
        client_id=client.id,
        event_id=outcome.event_id,
        applicant_id=applicant_id,
        outcome=outcome.state.value,
        level=outcome.level,
        told_at=outcome.at,
        decided_at=clock.now(),
        applied=effect is not KycEffect.OUT_OF_DATE,
        effect=effect.value,
        why=why,
    )
    session().add(decision)
    session().flush()
    return decision.id


def _follow(client: Client, told: Told, *, by: Actor) -> KycEffect | None:
    """Let the outcome have its effect, once."""
    outcome = told.outcome
    if outcome is None or told.state not in KYC_OUTCOMES:
        return None
    before = [each for each in _decisions(client.id, outcome.event_id) if each.applied]
    last = before[-1] if before else None
    # an approval that had no effect (held back, or deactivated there at once) may have it later; nothing else may
    if last is not None and (told.state is not KycState.APPROVED or last.effect in ONCE):
        return None
    if told.state is KycState.APPROVED:
        effect, why = _approved(client, told)
    elif told.state is KycState.REJECTED:
        effect, why = _rejected(client, told), None
    else:
        effect, why = KycEffect.NOTHING, None
    if last is not None and (last.effect, last.why) == (effect.value, why):
        return None
    decision_id = _decide(client, outcome, told.applicant_id, effect, why)
    if effect is KycEffect.ACTIVATED:
        _activate(client, outcome, decision_id, by=by)
    else:
        _tell(client, told, effect, why, by=by)
    return effect


def _approved(client: Client, told: Told) -> tuple[KycEffect, str | None]:
    if (client.status_before_block or client.status) in {Status.ACTIVE, Status.CLOSED}:
        return KycEffect.NOTHING, None
    obstacle = activation_obstacle(client) or told.unconfirmed
    return (KycEffect.HELD_BACK, obstacle) if obstacle else (KycEffect.ACTIVATED, None)


def _activate(client: Client, outcome: Outcome, decision_id: UUID, *, by: Actor) -> None:
    client.status = Status.ACTIVE.value
    client.activation_decision_id = decision_id
    client.version += 1
    session().flush()
    audit.record(
        "client.activated",
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        before={"status": Status.INACTIVE.value},
        after={
            "status": client.status,
            "event": str(outcome.event_id),
            "told": outcome.at.isoformat(),
            "level": outcome.level,
        },
    )
    at = outcome.at.astimezone(calendar().zone)
    approvals.close_as_stale(
        BY_HAND,
        client.id,
        reason=f"Not needed any more: Sumsub GREEN of {at.day} {at:%b %H:%M} activated the client.",
    )
    after_change(client, by=by, profile=False)


def _rejected(client: Client, told: Told) -> KycEffect:
    own = client.status_before_block or client.status
    if own == Status.INACTIVE:
        return KycEffect.KEPT_INACTIVE
    if own == Status.CLOSED:
        return KycEffect.NOTHING
    stands = any(
        each.code == BlockCode.KYC_FAILED and each.scope == Scope.DEBIT and each.placed_by_kind == "system"
        for each in active_blocks(client.id)
    )
    if stands:
        return KycEffect.NOTHING
    labels = f": {', '.join(told.labels)}" if told.labels else ""
    # by the house and not by the provider's name: who placed a block is told to everybody, and would tell why
    block(
        client.id, scope=Scope.DEBIT, code=BlockCode.KYC_FAILED, comment=f"{BLOCK_COMMENT}{labels}"[:2000], by=system()
    )
    return KycEffect.BLOCKED


def _tell(client: Client, told: Told, effect: KycEffect | None, why: str | None, *, by: Actor) -> None:
    """One line in the client's history: what was said, at the provider's time, and what it did."""
    audit.record(
        f"verification.{_ACTIONS[told.state]}",
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        after={
            "event": str(told.event_id),
            "told": told.at.isoformat(),
            "verification": KYC_LABELS[told.state],
            "level": told.level,
            **({"effect": effect.value} if effect else {}),
            **({"why": why} if why else {}),
        },
        restricted={
            "labels": ", ".join(told.labels) or None,
            "moderationComment": told.moderation_comment,
            "clientComment": told.client_comment,
        }
        if told.state in {KycState.RETRY, KycState.REJECTED}
        else None,
    )


_ACTIONS = {
    KycState.NOT_STARTED: "not_started",
    KycState.PENDING: "pending",
    KycState.ON_HOLD: "on_hold",
    KycState.RETRY: "retry",
    KycState.REJECTED: "rejected",
    KycState.APPROVED: "approved",
    KycState.WITHDRAWN: "withdrawn",
}
