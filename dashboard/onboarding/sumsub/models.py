"""Events as they came, and the applicants they are about."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.onboarding.sumsub.vocabulary import EventEffect, Refusal, Source, Verdict


def _listed(words: type[Source | Verdict | Refusal | EventEffect]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


class SumsubEvent(Base):
    """One message as it came. What it says is read from the body once, at the door, and never changes.

    `ordered_at`, `ordered_rank` and `meaning` order the events of an applicant, whatever order they arrived in.
    """

    __tablename__ = "sumsub_event"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    received_at: Mapped[datetime]
    source: Mapped[str]
    verdict: Mapped[str]
    refusal: Mapped[str | None]
    #: SHA-256 of the whole body, hex
    digest: Mapped[str]
    #: SHA-256 of what the body says, whatever its spacing and order of fields
    meaning: Mapped[str | None]
    #: the whole body; of a refused one only its beginning; NULL after its person was erased
    body: Mapped[bytes | None] = mapped_column(postgresql.BYTEA)
    size: Mapped[int]
    #: how often the same body came, and when it came last
    deliveries: Mapped[int] = mapped_column(server_default="1")
    delivered_at: Mapped[datetime]
    #: which of the configured secrets signed it, 0 for the first
    secret_number: Mapped[int | None] = mapped_column(sa.SmallInteger)
    #: what the reader had to make allowance for
    allowances: Mapped[list[str]] = mapped_column(server_default="{}")

    type: Mapped[str | None]
    applicant_id: Mapped[str | None]
    #: our client's id, a UUID in its one spelling
    external_user_id: Mapped[str | None]
    correlation_id: Mapped[str | None]
    level: Mapped[str | None]
    review_status: Mapped[str | None]
    answer: Mapped[str | None]
    reject_type: Mapped[str | None]
    sandbox: Mapped[bool | None]
    #: when it happened there; the time of receipt where the message does not say
    told_at: Mapped[datetime | None]
    ordered_at: Mapped[datetime | None]
    ordered_rank: Mapped[int | None] = mapped_column(sa.SmallInteger)

    processed_at: Mapped[datetime | None]
    effect: Mapped[str | None]
    client_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client.id"))

    __table_args__ = (
        sa.CheckConstraint(f"source IN ({_listed(Source)})", name="source_known"),
        sa.CheckConstraint(f"verdict IN ({_listed(Verdict)})", name="verdict_known"),
        sa.CheckConstraint(
            f"(verdict = 'refused') = (refusal IS NOT NULL) AND refusal IN ({_listed(Refusal)})", name="refusal_known"
        ),
        sa.CheckConstraint(f"effect IN ({_listed(EventEffect)})", name="effect_known"),
        sa.CheckConstraint("(processed_at IS NULL) = (effect IS NULL)", name="processed_with_an_effect"),
        sa.CheckConstraint("verdict = 'accepted' OR (effect IS NULL AND type IS NULL)", name="refused_is_never_read"),
        sa.CheckConstraint(
            "verdict = 'refused' OR effect = 'unreadable'"
            " OR (told_at IS NOT NULL AND ordered_at IS NOT NULL AND ordered_rank IS NOT NULL"
            " AND meaning IS NOT NULL)",
            name="accepted_has_a_place",
        ),
        # told again it is the same event; what a stranger sends never stands in its way, and what was signed with the
        # webhook's secret not in that of an answer that we asked for
        sa.Index(
            "uq_sumsub_event_digest", sa.text("(source = 'pull')"), "digest", unique=True,
            postgresql_where=sa.text("verdict = 'accepted'"),
        ),
        sa.Index(
            "uq_sumsub_event_refused", "digest", unique=True, postgresql_where=sa.text("verdict = 'refused'")
        ),
        sa.Index(
            "ix_sumsub_event_waiting", "applicant_id", "id",
            postgresql_where=sa.text("verdict = 'accepted' AND processed_at IS NULL"),
        ),
        sa.Index(
            "ix_sumsub_event_refused_at", "received_at", postgresql_where=sa.text("verdict = 'refused'")
        ),
        sa.Index("ix_sumsub_event_applicant", "applicant_id", "ordered_at", "ordered_rank", "meaning"),
        # few of them, and none that every message pays for where a rare one is looked for
        sa.Index(
            "ix_sumsub_event_client", "client_id", sa.text("id DESC"), postgresql_where=sa.text("client_id IS NOT NULL")
        ),
        sa.Index("ix_sumsub_event_external_user", sa.text("lower(external_user_id)"),
                 postgresql_where=sa.text("external_user_id IS NOT NULL")),
        sa.Index("ix_sumsub_event_type", "type", sa.text("id DESC")),
        sa.Index(
            "ix_sumsub_event_effect", "effect", sa.text("id DESC"),
            postgresql_where=sa.text("effect IS NOT NULL AND effect NOT IN ('applied', 'noted')"),
        ),
        sa.Index("ix_sumsub_event_correlation", "correlation_id"),
        sa.Index(
            "ix_sumsub_event_answer", "answer", sa.text("id DESC"), postgresql_where=sa.text("answer IS NOT NULL")
        ),
        sa.Index("ix_sumsub_event_other_source", sa.text("id DESC"), postgresql_where=sa.text("source <> 'webhook'")),
    )  # fmt: skip


class SumsubApplicant(Base):
    """Whom events are about. Its row is the lock under which the applicant's events are processed, one at a time."""

    __tablename__ = "sumsub_applicant"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    applicant_id: Mapped[str] = mapped_column(unique=True)
    external_user_id: Mapped[str | None]
    #: the client that the external user id names, once it is here
    client_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client.id"))
    state: Mapped[str | None]
    level: Mapped[str | None]
    #: Sumsub's times of the oldest and the newest event that tells of its state
    first_told_at: Mapped[datetime | None]
    last_told_at: Mapped[datetime | None]
    last_received_at: Mapped[datetime | None]
    #: when we last asked Sumsub about it
    asked_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default="0")
    #: processing failed: not before this time again
    try_again_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        sa.Index("ix_sumsub_applicant_client", "client_id"),
        sa.Index(
            "ix_sumsub_applicant_without_client", "external_user_id",
            postgresql_where=sa.text("client_id IS NULL AND external_user_id IS NOT NULL"),
        ),
        sa.Index("ix_sumsub_applicant_asked", "asked_at", "id"),
        # whose turn is Sumsub's, the longest silent first; and whose events could not be processed
        sa.Index(
            "ix_sumsub_applicant_silent", "last_received_at", postgresql_where=sa.text("state IN ('pending', 'onHold')")
        ),
        sa.Index("ix_sumsub_applicant_failing", "failures", postgresql_where=sa.text("failures > 0")),
    )  # fmt: skip
