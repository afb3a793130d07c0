"""Banks and payment providers: files and messages as they came, and the outbox of what is to be sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.transfers.models.transfers import one_of
from dashboard.transfers.vocabulary import SubmissionState


class Provider(Base):
    """`kind`: files or sandbox. `settings` hold no secrets: those come from the environment."""

    __tablename__ = "provider"

    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=sa.text("'{}'"))
    created_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint("kind IN ('files', 'sandbox')", name="kind_known"),
        sa.CheckConstraint("key ~ '^[a-z][a-z0-9-]{0,49}$'", name="key_is_word"),
    )


class ProviderFile(Base):
    """A file that a provider gave or was given; each content is processed once."""

    __tablename__ = "provider_file"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str] = mapped_column(sa.ForeignKey("provider.key"))
    direction: Mapped[str]
    name: Mapped[str]
    #: pain.001.001.09, pain.002, camt.054, camt.053 … as found
    format: Mapped[str | None]
    message_id: Mapped[str | None]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(sa.BigInteger)
    state: Mapped[str] = mapped_column(server_default="reading")
    #: why it failed, in words
    reason: Mapped[str | None]
    entries: Mapped[int] = mapped_column(server_default="0")
    #: entries that could not be taken, each with place and reason
    failures: Mapped[dict[str, Any]] = mapped_column(server_default=sa.text("'{}'"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("direction IN ('in', 'out')", name="direction_known"),
        sa.CheckConstraint("state IN ('reading', 'done', 'failed')", name="state_known"),
        sa.Index("uq_provider_file_content", "provider", "direction", "sha256", unique=True,
                 postgresql_where=sa.text("state <> 'failed'")),
        sa.Index("ix_provider_file_newest", "provider", "direction", sa.text("id DESC")),
    )  # fmt: skip


class ProviderMessage(Base):
    """What was said, word for word. Evidence: never changed."""

    __tablename__ = "provider_message"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str] = mapped_column(sa.ForeignKey("provider.key"))
    direction: Mapped[str]
    #: camt.054, pain.002, callback, submission, answer …
    kind: Mapped[str]
    #: end-to-end id or provider reference it is about
    reference: Mapped[str | None]
    transfer_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("transfer.id"))
    file_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("provider_file.id"))
    media_type: Mapped[str]
    body: Mapped[str]
    #: digest of a callback, so that the same one told twice is known; None where repetition is normal
    digest: Mapped[str | None]
    at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint("direction IN ('in', 'out')", name="direction_known"),
        sa.Index("uq_provider_message_digest", "provider", "digest", unique=True,
                 postgresql_where=sa.text("digest IS NOT NULL")),
        sa.Index("ix_provider_message_transfer", "transfer_id", "id",
                 postgresql_where=sa.text("transfer_id IS NOT NULL")),
        sa.Index("ix_provider_message_reference", "reference", "id",
                 postgresql_where=sa.text("reference IS NOT NULL")),
        sa.Index("ix_provider_message_newest", "provider", "direction", sa.text("id DESC")),
    )  # fmt: skip


class Submission(Base):
    """One line of the outbox, written in the transaction that lets a transfer go. A worker holds it by a lease."""

    __tablename__ = "submission"

    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("transfer.id"), primary_key=True)
    provider: Mapped[str] = mapped_column(sa.ForeignKey("provider.key"))
    state: Mapped[str] = mapped_column(server_default=SubmissionState.WAITING.value)
    #: it may have reached the provider: from here on only the provider says what became of it
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_at: Mapped[datetime]
    lease: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    file_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("provider_file.id"))
    sent_at: Mapped[datetime | None]
    #: type and code of the last failure, no personal data
    last_error: Mapped[str | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint(one_of("state", SubmissionState), name="state_known"),
        sa.CheckConstraint("(state = 'sending') = (lease IS NOT NULL)", name="sending_has_lease"),
        sa.Index("ix_submission_due", "provider", "next_at", "transfer_id",
                 postgresql_where=sa.text("state IN ('waiting', 'sending', 'sent', 'unknown')")),
    )  # fmt: skip
