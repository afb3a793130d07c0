"""Verifying the chain in the database: every seal against its event, payload and the hash before, then the kept heads,
then what should be sealed and is not. It ends at the first broken record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.audit import heads as kept_heads
from dashboard.audit import sealing
from dashboard.audit.models import AuditActorSalt, AuditEvent, AuditPayload, AuditSeal, audit_unsealed
from dashboard.audit.verify_audit import (
    GENESIS,
    PARTS,
    Broken,
    Head,
    chain_hash,
    moment,
    wrong_with_payload,
    wrong_with_record,
)
from dashboard.database import session, transaction

#: positions of one transaction
BATCH = 2_000
#: looking for events without a seal reads both tables whole
LONGEST_LOOK = "15min"

#: of these clients, those whose data were deleted after their retention; a higher domain knows
_purged: Callable[[set[UUID]], set[UUID]] = lambda clients: set()  # noqa: E731


def learn_purged(purged: Callable[[set[UUID]], set[UUID]]) -> None:
    """Called by app.py."""
    global _purged  # noqa: PLW0603
    _purged = purged


@dataclass(frozen=True)
class Outcome:
    """`sealed`: positions that were looked at; `erased`: payloads emptied under retention; `waiting`: not sealed yet;
    `heads`: kept heads that were compared. `head`, `head_hash`: the end of the chain. `broken`: the first record that
    does not fit, as position, event and sentence."""

    sealed: int
    erased: int
    waiting: int
    heads: int
    head: int
    head_hash: str | None
    broken: dict[str, Any] | None = None

    def as_figures(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def spelled(event: AuditEvent, salt: str | None) -> dict[str, Any]:
    """An event as its digest spells it; `salt` is that of the actor's name, where it lies apart."""

    def text(value: UUID | None) -> str | None:
        return None if value is None else str(value)

    return {
        "id": str(event.id),
        "occurred_at": moment(event.occurred_at),
        "actor_kind": event.actor_kind,
        "actor_id": text(event.actor_id),
        "actor_name": event.actor_name,
        "actor_role": event.actor_role,
        "address": event.address,
        "actor_salt": salt,
        "request_id": event.request_id,
        "action": event.action,
        "object_type": event.object_type,
        "object_id": text(event.object_id),
        "client_id": text(event.client_id),
        "payload_digest": event.payload_digest,
    }


def parts_of(payload: AuditPayload | None) -> dict[str, Any] | None:
    """The parts that the digest of a payload covers."""
    return None if payload is None else {part: getattr(payload, part) for part in PARTS}


#: a seal, its event, the event's payload, the salt of the actor's name; what is missing is None
_Row = tuple[AuditSeal, AuditEvent | None, AuditPayload | None, str | None]


class _Walk:
    """Along the chain, remembering what comes next."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self.position, self.hash = 0, GENESIS
        self.erased = 0
        self.ahead = sorted(heads, key=lambda head: head.position)

    def step(
        self, seal: AuditSeal, event: AuditEvent | None, payload: AuditPayload | None, salt: str | None
    ) -> Broken | None:
        """Look at one seal; None when it fits."""
        following = self.position + 1
        if seal.position != following:
            return Broken(following, "the seal of this position is missing")
        self.position = following
        before, self.hash = self.hash, seal.hash
        if event is None:
            return Broken(following, "unknown event: the sealed record is gone", str(seal.event_id))
        said = spelled(event, salt)
        wrong = wrong_with_record(
            said,
            digest=seal.digest, sealed_at=moment(seal.sealed_at), actor=seal.actor_digest,
        )  # fmt: skip
        if wrong is None and chain_hash(before, following, seal.digest) != seal.hash:
            wrong = "the hash does not follow from the records before it"
        if wrong is None:
            wrong = wrong_with_payload(event.payload_digest, payload.salt if payload else None, parts_of(payload))
        if wrong is None:
            while self.ahead and self.ahead[0].position <= following:
                head = self.ahead.pop(0)
                if head.position == following and head.hash != seal.hash:
                    wrong = f"the chain leads to another hash than the head that was kept on {head.at}"
        return Broken(following, wrong, str(event.id)) if wrong else None


def _batch(after: int, most: int) -> list[_Row]:
    """The next seals with what they are about: one statement, so one moment."""
    found = session().execute(
        sa.select(AuditSeal, AuditEvent, AuditPayload, AuditActorSalt.salt)
        .outerjoin(AuditEvent, AuditEvent.id == AuditSeal.event_id)
        .outerjoin(AuditPayload, AuditPayload.event_id == AuditSeal.event_id)
        .outerjoin(AuditActorSalt, AuditActorSalt.event_id == AuditSeal.event_id)
        .where(AuditSeal.position > after)
        .order_by(AuditSeal.position)
        .limit(most)
        .execution_options(populate_existing=True)
    )
    rows: list[_Row] = [(row[0], row[1], row[2], row[3]) for row in found]
    for row in rows:
        for entity in row[:3]:
            if entity is not None and entity in session():
                session().expunge(entity)
    return rows


def _erased_without_purge(rows: Sequence[_Row]) -> tuple[Broken | None, int]:
    """The first record that was emptied though nobody's data were deleted; how many payloads are rightly empty."""
    empty = [
        (seal, event)
        for seal, event, payload, salt in rows
        if event is not None and (salt == "" or (payload is not None and payload.salt == ""))
    ]
    if not empty:
        return None, 0
    gone = _purged({event.client_id for _, event in empty if event.client_id is not None})
    for seal, event in empty:
        if event.client_id not in gone:
            return Broken(seal.position, "the record was emptied, though its retention is not over", str(event.id)), 0
    return None, sum(payload is not None and payload.salt == "" for _, _, payload, _ in rows)


def _never_sealed() -> Broken | None:
    """An event that has no seal and does not wait for one, or one that waited and is gone."""
    session().execute(sa.text(f"SET LOCAL statement_timeout = '{LONGEST_LOOK}'"))
    lost = session().scalar(
        sa.select(AuditEvent.id)
        .where(
            ~sa.exists().where(AuditSeal.event_id == AuditEvent.id, AuditSeal.position > 0),
            ~sa.exists().where(audit_unsealed.c.event_id == AuditEvent.id),
        )
        .order_by(AuditEvent.id)
        .limit(1)
    )
    if lost is not None:
        return Broken(None, "an event without a seal that waits for none: its seal was removed, or it came another way",
                      str(lost))  # fmt: skip
    gone = session().scalar(
        sa.select(audit_unsealed.c.event_id)
        .where(~sa.exists().where(AuditEvent.id == audit_unsealed.c.event_id))
        .order_by(audit_unsealed.c.event_id)
        .limit(1)
    )
    return Broken(None, "unknown event: a record that waited for its seal is gone", str(gone)) if gone else None


def verify(
    heads: Sequence[Head] = (),
    *,
    where: str | None = None,
    keep: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Verify everything that is sealed by now. `heads` are those of the file `where` (heads.place), which is compared
    with what the audit says was written into it; None compares one way only. `keep(done, total)` is called within each
    transaction, last."""
    with transaction():
        end, waits = sealing.head(), sealing.waiting()
    total = end.position if end else 0
    walk, broken = _Walk(heads), None
    while broken is None and walk.position < total:
        with transaction():
            rows = _batch(walk.position, min(BATCH, total - walk.position))
            if not rows:
                broken = Broken(walk.position + 1, "the seal of this position is missing")
            for seal, event, payload, salt in rows:
                broken = walk.step(seal, event, payload, salt)
                if broken is not None:
                    break
            emptied, erased = _erased_without_purge(rows)
            walk.erased += erased
            if emptied is not None and (broken is None or (broken.position or 0) > (emptied.position or 0)):
                broken = emptied
            if keep is not None:
                keep(walk.position, total)
    if broken is None and walk.ahead:
        head = walk.ahead[0]
        broken = Broken(
            total + 1, f"missing: the head that was kept on {head.at} had reached position {head.position}"
        )  # fmt: skip
    if broken is None:
        with transaction():
            broken = _never_sealed()
            if broken is None and where is not None:
                broken = kept_heads.missing(heads, kept_heads.told(), where=where)
            if keep is not None:
                keep(total, total)
    return Outcome(
        sealed=walk.position,
        erased=walk.erased,
        waiting=waits,
        heads=len(heads) - len(walk.ahead),
        head=total,
        head_hash=end.hash if end else None,
        broken={"position": broken.position, "event": broken.event, "sentence": broken.sentence()} if broken else None,
    )


def said_of(figures: Mapping[str, Any]) -> str:
    """The outcome in one sentence."""
    if figures["broken"]:
        return f"Broken. First broken record: {figures['broken']['sentence']}"
    erased = f", {figures['erased']:,} payloads erased under retention" if figures["erased"] else ""
    waits = f" {figures['waiting']:,} waited for a seal." if figures["waiting"] else ""
    return f"Whole: {figures['sealed']:,} sealed records fit{erased}; {figures['heads']} kept heads compared.{waits}"
