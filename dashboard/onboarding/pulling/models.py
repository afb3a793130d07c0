"""Questions to Sumsub, runs of the comparison, and what differed. No personal data stand in any of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.onboarding.pulling.vocabulary import Closing, DifferenceState, Field, Outcome, Reason


def _listed(words: type[Reason | Outcome | Field | DifferenceState | Closing]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


class SumsubQuestion(Base):
    """That an applicant is to be asked about, once: one waits at a time, whoever else asks meanwhile.

    Without `applicant_id` it asks for the applicant of `client_id`.
    """

    __tablename__ = "sumsub_question"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    applicant_id: Mapped[str | None]
    client_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client.id"))
    reason: Mapped[str]
    created_at: Mapped[datetime]
    asked_by_kind: Mapped[str]
    asked_by_id: Mapped[UUID | None]
    asked_by_name: Mapped[str]
    #: not before this time
    due_at: Mapped[datetime]
    #: how often it was asked in vain, and why last (a code)
    attempts: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    failure: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    #: what the answer was written down as, where it said something new
    event_id: Mapped[UUID | None]

    __table_args__ = (
        sa.CheckConstraint(f"reason IN ({_listed(Reason)})", name="reason_known"),
        sa.CheckConstraint(f"outcome IN ({_listed(Outcome)})", name="outcome_known"),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended_with_an_outcome"),
        sa.CheckConstraint("applicant_id IS NOT NULL OR client_id IS NOT NULL", name="about_somebody"),
        sa.Index(
            "uq_sumsub_question_applicant", "applicant_id", unique=True,
            postgresql_where=sa.text("ended_at IS NULL AND applicant_id IS NOT NULL"),
        ),
        sa.Index(
            "uq_sumsub_question_client", "client_id", unique=True,
            postgresql_where=sa.text("ended_at IS NULL AND applicant_id IS NULL"),
        ),
        sa.Index("ix_sumsub_question_due", "due_at", "id", postgresql_where=sa.text("ended_at IS NULL")),
        sa.Index("ix_sumsub_question_about", "applicant_id", sa.text("id DESC")),
        sa.Index("ix_sumsub_question_client", "client_id", sa.text("id DESC")),
    )  # fmt: skip


class VerificationComparison(Base):
    """One run over all applicants; it has the identifier of its background work."""

    __tablename__ = "verification_comparison"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    job_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("background_job.id"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    #: looked at; of these: applied from the answer, differing still, and without an answer
    applicants: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    applied: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    differing: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    unanswered: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    #: differences that this run found to be gone
    resolved: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint(
            "applicants >= 0 AND applied >= 0 AND differing >= 0 AND unanswered >= 0 AND resolved >= 0"
            " AND applied + differing + unanswered <= applicants",
            name="parts_of_the_whole",
        ),
    )


class VerificationDifference(Base):
    """What we have and what Sumsub says, where the two differ. It stays as found; only its end is added."""

    __tablename__ = "verification_difference"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    applicant_id: Mapped[str]
    client_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client.id"))
    field: Mapped[str]
    ours: Mapped[str | None]
    theirs: Mapped[str | None]
    #: since when it is known; `seen_at`: when it was last found to stand
    found_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    #: the run that found it; None: a single question
    comparison_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("verification_comparison.id"))
    state: Mapped[str] = mapped_column(server_default="open")
    closing: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    reason: Mapped[str | None]

    __table_args__ = (
        sa.CheckConstraint(f"field IN ({_listed(Field)})", name="field_known"),
        sa.CheckConstraint(f"state IN ({_listed(DifferenceState)})", name="state_known"),
        sa.CheckConstraint(f"closing IN ({_listed(Closing)})", name="closing_known"),
        sa.CheckConstraint("ours IS DISTINCT FROM theirs", name="differs"),
        sa.CheckConstraint(
            "(state = 'resolved') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closing IS NULL)",
            name="resolved_says_how",
        ),
        sa.CheckConstraint(
            "state <> 'accepted' OR (accepted_at IS NOT NULL AND accepted_by IS NOT NULL"
            " AND length(btrim(coalesce(reason, ''))) > 0)",
            name="accepted_by_a_person",
        ),
        sa.Index(
            "uq_verification_difference_standing", "applicant_id", "field", unique=True,
            postgresql_where=sa.text("state <> 'resolved'"),
        ),
        sa.Index("ix_verification_difference_state", "state", sa.text("id DESC")),
        sa.Index("ix_verification_difference_field", "field", "state", sa.text("id DESC")),
        sa.Index("ix_verification_difference_client", "client_id", sa.text("id DESC")),
        sa.Index("ix_verification_difference_run", "comparison_id", sa.text("id DESC")),
    )  # fmt: skip
