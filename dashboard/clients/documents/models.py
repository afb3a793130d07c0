"""Documents as stored, and the decisions about them."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.clients.documents.vocabulary import DocumentCategory, DocumentKind, DocumentRejection, DocumentState
from dashboard.database import Base, new_id


def _listed(values: type[DocumentCategory | DocumentKind | DocumentRejection | DocumentState]) -> str:
    return ", ".join(f"'{value.value}'" for value in values)


class ClientDocument(Base):
    """One file of one client. Only state, category, expiry and retention ever change, each by a decision or a purge."""

    __tablename__ = "client_document"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    #: of the content, in lower-case hex: also the file's name in the store
    sha256: Mapped[str]
    #: bytes
    size: Mapped[int]
    media_type: Mapped[str]
    #: pages of a PDF; 1 for a picture
    pages: Mapped[int] = mapped_column(sa.SmallInteger)
    #: as shown; None once erased
    file_name: Mapped[str | None]
    category: Mapped[str]
    #: of an identity document: `links.document_key` of the one in the profile when this was uploaded
    profile_key: Mapped[int | None] = mapped_column(sa.BigInteger)
    #: last day on which it counts; None: does not expire
    expires_on: Mapped[date | None]
    state: Mapped[str] = mapped_column(default=DocumentState.TO_REVIEW.value)
    #: the decision that gave it its state
    decision_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client_document_decision.id", use_alter=True))
    uploaded_by_kind: Mapped[str]
    uploaded_by_id: Mapped[UUID | None]
    uploaded_by_name: Mapped[str]
    created_at: Mapped[datetime]
    #: last day of the retention period; None while the relationship lasts
    keep_until: Mapped[date | None]
    erased_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_hex"),
        sa.CheckConstraint("size > 0", name="size_positive"),
        sa.CheckConstraint("pages > 0", name="pages_positive"),
        sa.CheckConstraint(f"media_type IN ({_listed(DocumentKind)})", name="media_type_known"),
        sa.CheckConstraint(f"category IN ({_listed(DocumentCategory)})", name="category_known"),
        sa.CheckConstraint(f"state IN ({_listed(DocumentState)})", name="state_known"),
        sa.CheckConstraint("(state = 'toReview') = (decision_id IS NULL)", name="state_is_decided"),
        sa.CheckConstraint("state <> 'expired' OR expires_on IS NOT NULL", name="expired_has_a_date"),
        sa.CheckConstraint("(erased_at IS NULL) = (file_name IS NOT NULL)", name="erased_has_no_name"),
        sa.CheckConstraint("uploaded_by_kind IN ('staff', 'token', 'system')", name="uploaded_by_known"),
        sa.Index("ix_client_document_client", "client_id", sa.text("id DESC")),
        sa.Index("ix_client_document_sha256", "sha256"),
        sa.Index("ix_client_document_expires", "expires_on", "id", postgresql_where=sa.text("state = 'accepted'")),
        sa.Index("ix_client_document_to_review", "client_id", postgresql_where=sa.text("state = 'toReview'")),
        # the same file twice is one document; after a withdrawal it may come again
        sa.Index(
            "uq_client_document_content",
            "client_id",
            "sha256",
            unique=True,
            postgresql_where=sa.text("state <> 'withdrawn' AND erased_at IS NULL"),
        ),
    )


class ClientDocumentDecision(Base):
    """Append-only: a wrong decision is answered by another. A purge empties the comment and nothing else."""

    __tablename__ = "client_document_decision"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    document_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client_document.id"))
    #: the state that it gave
    decision: Mapped[str]
    #: of a rejection; may be told to the client
    reason_code: Mapped[str | None]
    #: restricted
    comment: Mapped[str | None]
    category: Mapped[str]
    expires_on: Mapped[date | None]
    decided_by_kind: Mapped[str]
    decided_by_id: Mapped[UUID | None]
    decided_by_name: Mapped[str]
    decided_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("decision IN ('accepted', 'rejected', 'expired', 'withdrawn')", name="decision_known"),
        sa.CheckConstraint("(decision = 'rejected') = (reason_code IS NOT NULL)", name="rejected_with_a_reason"),
        sa.CheckConstraint(f"reason_code IN ({_listed(DocumentRejection)})", name="reason_known"),
        sa.CheckConstraint(
            "decision <> 'withdrawn' OR erased_at IS NOT NULL OR length(btrim(coalesce(comment, ''))) > 0",
            name="withdrawn_with_a_reason",
        ),
        sa.CheckConstraint("decision <> 'expired' OR decided_by_kind = 'system'", name="expired_by_the_day"),
        sa.CheckConstraint("decided_by_kind IN ('staff', 'token', 'system')", name="decided_by_known"),
        sa.CheckConstraint("erased_at IS NULL OR comment IS NULL", name="erased_has_no_comment"),
        sa.Index("ix_client_document_decision_document", "document_id", "id"),
    )
