"""Clients as stored.

`client` is narrow on purpose: it is what lists walk over. Personal detail lies in `individual`, `company` and
`related_individual`. `name_key` and `search_text` are folded by `clients.folding`; nothing else writes them.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.clients.vocabulary import HUMAN_DECISION, KYC_OUTCOMES, BlockCode, KycEffect, KycState
from dashboard.database import Base, new_id

_CODES = ", ".join(f"'{code.value}'" for code in BlockCode)
_HUMAN = ", ".join(f"'{code.value}'" for code in sorted(HUMAN_DECISION))
_KYC_STATES = ", ".join(f"'{state.value}'" for state in KycState)
_KYC_OUTCOMES = ", ".join(f"'{state.value}'" for state in sorted(KYC_OUTCOMES))
_KYC_EFFECTS = ", ".join(f"'{effect.value}'" for effect in KycEffect)


class Client(Base):
    __tablename__ = "client"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    type: Mapped[str]
    status: Mapped[str] = mapped_column(default="inactive")
    #: what lifting the last block restores
    status_before_block: Mapped[str | None]
    risk_level: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(sa.Text(collation="C"))
    search_text: Mapped[str]
    #: residence of a person, registration of a company; ISO 3166-1 alpha-2 upper case, or as it came
    country: Mapped[str | None]
    email: Mapped[str | None]
    phone_number: Mapped[str | None]
    #: whose `external_id` it is: unique per partner
    partner: Mapped[str | None]
    external_id: Mapped[str | None]
    onboarding_id: Mapped[UUID | None]
    editor_user_id: Mapped[UUID | None]
    is_default_compliant: Mapped[bool] = mapped_column(default=False)
    #: open flags of severity check and stop
    open_flags: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    #: worst open severity, 0 without one
    worst_flag: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    #: the approved requests that let the last activation and the last lowering of the risk happen
    activation_approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))
    risk_approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))
    #: the decision of an outside verification that let the last activation happen; `client_status_guard` asks for it
    activation_decision_id: Mapped[UUID | None]
    #: grows with each change that an approver must not have missed: profile, risk, flags, new blocks
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    #: when the relationship ended; a trigger writes it, retention counts from it
    closed_at: Mapped[datetime | None]
    #: since when a request for deletion is open: the profile rests; a trigger writes it
    restricted_at: Mapped[datetime | None]
    #: what was personal has been emptied; the purge writes it
    purged_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("type IN ('individual', 'company')", name="type_known"),
        sa.CheckConstraint("status IN ('inactive', 'active', 'blocked', 'closed')", name="status_known"),
        sa.CheckConstraint(
            "(status = 'blocked') = (status_before_block IS NOT NULL)"
            " AND status_before_block IN ('inactive', 'active', 'closed')",
            name="blocked_remembers_status",
        ),
        sa.CheckConstraint("risk_level BETWEEN 0 AND 4", name="risk_known"),
        sa.CheckConstraint("NOT (status = 'active' AND risk_level = 4)", name="prohibited_is_never_active"),
        sa.UniqueConstraint("partner", "external_id", name="uq_client_partner_external_id"),
        sa.Index("ix_client_created", sa.text("created_at DESC"), sa.text("id DESC")),
        sa.Index("ix_client_name", "name_key", "id"),
        sa.Index("ix_client_status_created", "status", sa.text("created_at DESC"), sa.text("id DESC")),
        sa.Index("ix_client_status_name", "status", "name_key", "id"),
        sa.Index("ix_client_risk_name", "risk_level", "name_key", "id"),
        sa.Index("ix_client_risk_created", "risk_level", sa.text("created_at DESC"), sa.text("id DESC")),
        sa.Index("ix_client_country_created", "country", sa.text("created_at DESC"), sa.text("id DESC")),
        # names and countries go together: a walk by name would read most of the table for a small country
        sa.Index("ix_client_country_name", "country", "name_key", "id"),
        sa.Index(
            "ix_client_flagged_created",
            "worst_flag",
            sa.text("created_at DESC"),
            sa.text("id DESC"),
            postgresql_where=sa.text("worst_flag > 0"),
        ),
        sa.Index("ix_client_search", sa.text("trigrams(search_text)"), postgresql_using="gin"),
        # names in messages: by their words, and by the beginnings and ends of those; what is new stands in the index at
        # once, because a list of it beside the index is read through for each look
        sa.Index(
            "ix_client_name_parts",
            sa.text("name_parts(name_key)"),
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
        sa.Index("ix_client_last_word", sa.text("split_part(name_key, ' ', -1)")),
        sa.Index("ix_client_restricted", "restricted_at", postgresql_where=sa.text("restricted_at IS NOT NULL")),
    )


class Individual(Base):
    __tablename__ = "individual"

    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"), primary_key=True)
    first_name: Mapped[str]
    last_name: Mapped[str]
    birth_date: Mapped[date | None]
    citizenship_country: Mapped[str | None]
    residence_country: Mapped[str | None]
    document_type: Mapped[str | None]
    document_number: Mapped[str | None]
    document_issued_by: Mapped[str | None]
    document_issued_country: Mapped[str | None]
    document_issued_date: Mapped[date | None]
    document_expiration_date: Mapped[date | None]
    address: Mapped[dict[str, Any] | None]

    __table_args__ = (
        sa.CheckConstraint(
            "document_type IN ('passport', 'driverLicense', 'idCard', 'other')", name="document_type_known"
        ),
        sa.Index("ix_individual_document_expiration", "document_expiration_date"),
    )


class Company(Base):
    __tablename__ = "company"

    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"), primary_key=True)
    legal_name: Mapped[str]
    company_type: Mapped[str | None]
    registration_number: Mapped[str | None]
    registration_date: Mapped[date | None]
    registration_country: Mapped[str | None]
    tax_residency_country: Mapped[str | None]
    tax_number: Mapped[str | None]
    industry: Mapped[str | None]
    industry_other: Mapped[str | None]
    turnover: Mapped[str | None]
    web_site: Mapped[str | None]
    pay_ins_countries: Mapped[list[str] | None]
    pay_outs_countries: Mapped[list[str] | None]
    is_engaged_gambling_10k: Mapped[bool | None]
    is_foundation: Mapped[bool | None]
    is_publicly_listed: Mapped[bool | None]
    is_relevant_activity: Mapped[bool | None]
    purposes_account_opening: Mapped[list[str] | None]
    purposes_account_opening_other: Mapped[str | None]
    #: documents of the reference that are only ever read and written whole, in its own field names
    business_partners: Mapped[list[dict[str, Any]] | None] = mapped_column(postgresql.JSONB)
    fund_flows: Mapped[dict[str, Any] | None]
    compliance_evaluation: Mapped[dict[str, Any] | None]
    custom_options: Mapped[Any | None] = mapped_column(postgresql.JSONB(none_as_null=True))
    address: Mapped[dict[str, Any] | None]


class RelatedIndividual(Base):
    __tablename__ = "related_individual"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"), index=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger)
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    email: Mapped[str | None]
    is_ubo: Mapped[bool | None]
    is_shareholder: Mapped[bool | None]
    is_director: Mapped[bool | None]
    is_representative: Mapped[bool | None]
    is_pep: Mapped[bool | None]
    residence_country: Mapped[str | None]
    citizenship_country: Mapped[str | None]
    birth_date: Mapped[date | None]
    #: per cent, 0 to 100
    ownership: Mapped[Decimal | None] = mapped_column(sa.Numeric(7, 4))
    percentage_ownership: Mapped[Decimal | None] = mapped_column(sa.Numeric(7, 4))
    document: Mapped[dict[str, Any] | None]
    beneficial_owner_pep_details: Mapped[str | None]
    usa_tax_residency: Mapped[bool | None]
    giin_number: Mapped[str | None]
    residential_address: Mapped[dict[str, Any] | None]
    applicant_id: Mapped[str | None]

    __table_args__ = (
        sa.CheckConstraint("ownership BETWEEN 0 AND 100", name="ownership_is_a_percentage"),
        sa.CheckConstraint("percentage_ownership BETWEEN 0 AND 100", name="percentage_ownership_is_a_percentage"),
    )


class ClientLink(Base):
    """What could tie two clients together (document, phone, e-mail, person), as a 64-bit hash: one index look-up."""

    __tablename__ = "client_link"

    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"), primary_key=True)
    key: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    kind: Mapped[str]

    __table_args__ = (sa.Index("ix_client_link_key", "key"),)


class ClientFlag(Base):
    __tablename__ = "client_flag"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    code: Mapped[str]
    severity: Mapped[int] = mapped_column(sa.SmallInteger)
    #: which field raised it, dotted as in the documents; one open flag per client, code and field
    field: Mapped[str] = mapped_column(default="")
    #: hash of what raised it: a flag that a person settled comes back when the fact is another one
    fact: Mapped[str] = mapped_column(default="", server_default="")
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None]
    closed_by_name: Mapped[str | None]
    closing_reason: Mapped[str | None]
    #: who looks into it, and since when; None: nobody yet
    owner_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    owned_since: Mapped[datetime | None]
    #: the flag that a person had settled before the fact became another one
    reopens_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client_flag.id"))

    __table_args__ = (
        sa.CheckConstraint("severity BETWEEN 1 AND 3", name="severity_known"),
        sa.CheckConstraint("(closed_at IS NULL) = (closing_reason IS NULL)", name="closed_with_a_reason"),
        sa.CheckConstraint("(owner_id IS NULL) = (owned_since IS NULL)", name="owned_since_when_owned"),
        sa.Index(
            "uq_client_flag_open",
            "client_id",
            "code",
            "field",
            unique=True,
            postgresql_where=sa.text("closed_at IS NULL"),
        ),
        sa.Index("ix_client_flag_code", "code", "client_id", postgresql_where=sa.text("closed_at IS NULL")),
        sa.Index("ix_client_flag_owner", "owner_id", "opened_at", "id", postgresql_where=sa.text("closed_at IS NULL")),
        sa.Index("ix_client_flag_opened", "opened_at", "id", postgresql_where=sa.text("closed_at IS NULL")),
        # those that somebody must look at, without walking the many that nobody needs to
        sa.Index(
            "ix_client_flag_to_review",
            "opened_at",
            "id",
            postgresql_where=sa.text("closed_at IS NULL AND severity >= 2"),
        ),
        sa.Index("ix_client_flag_client", "client_id", sa.text("id DESC")),
    )


class ClientBlock(Base):
    __tablename__ = "client_block"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    scope: Mapped[str]
    amount_minor: Mapped[int | None] = mapped_column(sa.BigInteger)
    currency: Mapped[str | None]
    code: Mapped[str]
    legal_reference: Mapped[str | None]
    comment: Mapped[str | None]
    client_text: Mapped[str | None]
    started_at: Mapped[datetime]
    review_date: Mapped[date]
    placed_by_kind: Mapped[str]
    placed_by_id: Mapped[UUID | None]
    placed_by_name: Mapped[str]
    #: the person who stated the reason of a block that was placed without one: from then on people lift it
    stated_by_id: Mapped[UUID | None]
    lifted_at: Mapped[datetime | None]
    lifted_by_kind: Mapped[str | None]
    lifted_by_id: Mapped[UUID | None]
    lifted_by_name: Mapped[str | None]
    lift_approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint("scope IN ('all', 'debit', 'credit', 'amount')", name="scope_known"),
        sa.CheckConstraint(
            "(scope = 'amount') = (amount_minor IS NOT NULL AND currency IS NOT NULL)"
            " AND (amount_minor IS NULL OR amount_minor > 0)",
            name="amount_scope_has_an_amount",
        ),
        sa.CheckConstraint(f"code IN ({_CODES})", name="code_known"),
        sa.CheckConstraint("placed_by_kind IN ('staff', 'token', 'system')", name="placed_by_known"),
        # lifted by two people, or by the very token that placed it where no person must decide
        sa.CheckConstraint(
            "lifted_at IS NULL OR lift_approval_id IS NOT NULL OR"
            f" (lifted_by_kind = 'token' AND placed_by_kind = 'token' AND lifted_by_id = placed_by_id"
            f" AND stated_by_id IS NULL AND code NOT IN ({_HUMAN}))",
            name="lifted_by_two_people",
        ),
        sa.CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by_kind IS NULL) AND (lifted_at IS NOT NULL OR lift_approval_id IS NULL)",
            name="lift_is_complete",
        ),
        # people share their blocks; each token answers for its own
        sa.Index(
            "uq_client_block_active",
            "client_id", "code", "scope", "placed_by_kind",
            sa.text("coalesce(amount_minor, 0)"),
            sa.text("coalesce(currency, '')"),
            unique=True,
            postgresql_where=sa.text("lifted_at IS NULL AND placed_by_kind <> 'token'"),
        ),
        sa.Index(
            "uq_client_block_active_token",
            "client_id", "code", "scope", "placed_by_id",
            sa.text("coalesce(amount_minor, 0)"),
            sa.text("coalesce(currency, '')"),
            unique=True,
            postgresql_where=sa.text("lifted_at IS NULL AND placed_by_kind = 'token' AND stated_by_id IS NULL"),
        ),
        sa.Index("ix_client_block_client", "client_id", sa.text("id DESC")),
    )  # fmt: skip


class ClientNote(Base):
    """Append-only: a wrong note is answered by another note."""

    __tablename__ = "client_note"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    author_id: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"))
    author_name: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint("length(btrim(body)) > 0", name="body_not_empty"),
        sa.Index("ix_client_note_client", "client_id", sa.text("id DESC")),
    )


class ClientVerification(Base):
    """What an outside verification says of a client now, derived from everything it has told (one row per client).

    `state_at` is the provider's time, not ours. Labels and comments are restricted: they say why.
    """

    __tablename__ = "client_verification"

    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"), primary_key=True)
    provider: Mapped[str] = mapped_column(server_default="sumsub")
    applicant_id: Mapped[str]
    state: Mapped[str]
    #: when the provider came to this state, and the stored event that told it
    state_at: Mapped[datetime]
    event_id: Mapped[UUID]
    event_type: Mapped[str]
    level: Mapped[str | None]
    review_status: Mapped[str | None]
    #: of the newest review: GREEN or RED, FINAL or RETRY
    answer: Mapped[str | None]
    reject_type: Mapped[str | None]
    labels: Mapped[list[str]] = mapped_column(server_default="{}")
    #: may be shown to the applicant
    moderation_comment: Mapped[str | None]
    #: must not be shown to the applicant
    client_comment: Mapped[str | None]
    #: completed reviews so far
    attempts: Mapped[int] = mapped_column(server_default="0")
    #: while approved: when, and by which event
    approved_at: Mapped[datetime | None]
    approved_event_id: Mapped[UUID | None]
    #: the applicant's data were last changed there
    data_changed_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]

    __table_args__ = (
        sa.CheckConstraint(f"state IN ({_KYC_STATES})", name="state_known"),
        sa.CheckConstraint(
            "(state = 'approved') = (approved_event_id IS NOT NULL)"
            " AND (approved_at IS NULL) = (approved_event_id IS NULL)",
            name="approved_by_an_event",
        ),
        sa.CheckConstraint("attempts >= 0", name="attempts_counted"),
        sa.Index("ix_client_verification_state", "state", "client_id"),
        sa.Index("ix_client_verification_applicant", "applicant_id"),
    )


class VerificationDecision(Base):
    """An outcome that a provider told, and what it did to the client. Append-only.

    The event lies in a package above: its id is kept without a foreign key; a trigger asks for it where it activates.
    """

    __tablename__ = "verification_decision"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    event_id: Mapped[UUID]
    applicant_id: Mapped[str]
    outcome: Mapped[str]
    level: Mapped[str | None]
    #: the provider's time
    told_at: Mapped[datetime]
    decided_at: Mapped[datetime]
    #: whether it is what counts; False: a newer event stood already
    applied: Mapped[bool]
    effect: Mapped[str]
    #: a sentence where the effect needs one: what stands in the way
    why: Mapped[str | None]

    __table_args__ = (
        sa.CheckConstraint(f"outcome IN ({_KYC_OUTCOMES})", name="outcome_known"),
        sa.CheckConstraint(f"effect IN ({_KYC_EFFECTS})", name="effect_known"),
        sa.CheckConstraint("applied = (effect <> 'outOfDate')", name="applied_or_out_of_date"),
        sa.CheckConstraint("effect <> 'activated' OR outcome = 'approved'", name="activated_by_approval"),
        sa.CheckConstraint("effect <> 'blocked' OR outcome = 'rejected'", name="blocked_by_rejection"),
        sa.CheckConstraint("(effect = 'heldBack') <= (why IS NOT NULL)", name="held_back_says_why"),
        # an event has its effect once, however often it is told or replayed
        sa.Index(
            "uq_verification_decision_effect", "client_id", "event_id", unique=True,
            postgresql_where=sa.text("effect IN ('activated', 'blocked', 'keptInactive')"),
        ),
        sa.Index("ix_verification_decision_client", "client_id", sa.text("id DESC")),
        sa.Index("ix_verification_decision_event", "event_id", "id"),
    )  # fmt: skip


class ClientRiskChange(Base):
    """Each change of a risk. The database writes it, whoever changes the risk (`client_risk_is_told`); append-only."""

    __tablename__ = "client_risk_change"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    #: None: the client began with it
    risk_before: Mapped[int | None] = mapped_column(sa.SmallInteger)
    risk_after: Mapped[int] = mapped_column(sa.SmallInteger)
    changed_at: Mapped[datetime]
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]
    cause: Mapped[str]
    #: restricted
    reason: Mapped[str | None]
    approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint(
            "cause IN ('created', 'changed', 'raised', 'lowered', 'review', 'found', 'unknown')", name="cause_known"
        ),
        sa.CheckConstraint("by_kind IN ('staff', 'token', 'system')", name="by_known"),
        sa.Index("ix_client_risk_change_client", "client_id", sa.text("id DESC")),
    )


#: AMLR Art. 26(2): one year where the risk is higher (not set counts as high), five years for all others
_LAWFUL = "period_months BETWEEN 1 AND CASE WHEN {} IN (1, 2) AND NOT heightened THEN 60 ELSE 12 END"


class ClientReview(Base):
    """A completed periodic review: evidence, append-only. Everything but the dates and risks is restricted."""

    __tablename__ = "client_review"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    #: the review before; each is followed by one at most
    previous_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client_review.id"), unique=True)
    reviewed_at: Mapped[datetime]
    #: the same as a day in the institution's zone
    reviewed_on: Mapped[date]
    reviewed_by: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"))
    reviewed_by_name: Mapped[str]
    #: when it had to be done; None when nothing was planned
    due_on: Mapped[date | None]
    risk_before: Mapped[int] = mapped_column(sa.SmallInteger)
    #: what the reviewer found right; a lower one is asked for and does not stand yet
    risk_assessed: Mapped[int] = mapped_column(sa.SmallInteger)
    #: what stood when the review was completed: the next date follows from it
    risk_after: Mapped[int] = mapped_column(sa.SmallInteger)
    #: somebody politically exposed is among them
    heightened: Mapped[bool]
    outcome: Mapped[str]
    reasons: Mapped[str]
    period_months: Mapped[int] = mapped_column(sa.SmallInteger)
    next_on: Mapped[date]
    lowering_request_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint("outcome IN ('continue', 'conditions', 'end')", name="outcome_known"),
        sa.CheckConstraint("length(btrim(reasons)) > 0", name="reasons_not_empty"),
        sa.CheckConstraint(
            "risk_assessed BETWEEN 1 AND 4 AND risk_assessed <= risk_after"
            " AND (risk_assessed < risk_after) = (lowering_request_id IS NOT NULL)",
            name="lower_risk_is_asked_for",
        ),
        sa.CheckConstraint(_LAWFUL.format("risk_after"), name="period_is_lawful"),
        sa.CheckConstraint(
            "next_on > reviewed_on AND next_on <= (reviewed_on + make_interval(months => period_months))::date",
            name="next_within_period",
        ),
        sa.Index("ix_client_review_client", "client_id", sa.text("id DESC")),
        sa.Index("uq_client_review_first", "client_id", unique=True, postgresql_where=sa.text("previous_id IS NULL")),
    )


class ClientReviewPlan(Base):
    """When a client is reviewed next. The date is computed by the database from what stands beside it, so that nothing
    can put it later than the period allows. Kept by `services.plan`."""

    __tablename__ = "client_review_plan"

    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"), primary_key=True)
    #: the client is active, or was before its blocks: only then is it asked for
    running: Mapped[bool]
    #: closed: it needs none
    ended: Mapped[bool] = mapped_column(default=False)
    #: of the client when this was computed (`client_review_plan_follows_risk`)
    risk_level: Mapped[int] = mapped_column(sa.SmallInteger)
    heightened: Mapped[bool] = mapped_column(default=False)
    #: the day of the last review, of the activation, or of the creation
    period_from: Mapped[date]
    period_months: Mapped[int] = mapped_column(sa.SmallInteger)
    #: the first document that runs out after that day
    expires_on: Mapped[date | None]
    #: an earlier day that the reviewer chose
    chosen_on: Mapped[date | None]
    #: the risk was set to prohibited, and nobody has reviewed the client since
    prohibited_on: Mapped[date | None]
    next_on: Mapped[date | None] = mapped_column(
        sa.Computed(
            "CASE WHEN ended THEN NULL ELSE LEAST((period_from + make_interval(months => period_months))::date,"
            " expires_on, chosen_on, prohibited_on) END",
            persisted=True,
        )
    )
    last_review_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client_review.id"))
    #: the clock of the item in the queue; None: not in the queue
    due_at: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
    restricted_at: Mapped[datetime | None]
    restriction_block_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("client_block.id"))

    __table_args__ = (
        sa.CheckConstraint(_LAWFUL.format("risk_level"), name="period_is_lawful"),
        sa.CheckConstraint(
            "due_at IS NOT NULL OR (escalated_at IS NULL AND restricted_at IS NULL)", name="late_when_due"
        ),
        sa.CheckConstraint("NOT (running AND ended)", name="runs_or_ended"),
        sa.Index("ix_client_review_plan_next", "next_on", "client_id", postgresql_where=sa.text("running")),
        sa.Index(
            "ix_client_review_plan_risk", "risk_level", "next_on", "client_id", postgresql_where=sa.text("running")
        ),
        sa.Index(
            "ix_client_review_plan_due",
            "next_on",
            "client_id",
            "due_at",
            postgresql_where=sa.text("due_at IS NOT NULL"),
        ),
    )


class ClientMark(Base):
    """PEP or sanctions, as somebody says it by a list. Ended, never rewritten. One of sanctions is restricted whole."""

    __tablename__ = "client_mark"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID] = mapped_column(sa.ForeignKey("client.id"))
    kind: Mapped[str]
    #: name of the related individual; None: the client itself. A name, because people are replaced with each change
    about: Mapped[str | None]
    #: the source: which list, which edition of it, and who or what says so
    list_name: Mapped[str]
    list_version: Mapped[str | None]
    said_by: Mapped[str]
    reference: Mapped[str | None]
    comment: Mapped[str | None]
    opened_at: Mapped[datetime]
    opened_by: Mapped[UUID] = mapped_column(sa.ForeignKey("staff_member.id"))
    opened_by_name: Mapped[str]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    ended_by_name: Mapped[str | None]
    ending_reason: Mapped[str | None]
    end_approval_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("approval_request.id"))

    __table_args__ = (
        sa.CheckConstraint("kind IN ('pep', 'sanctions')", name="kind_known"),
        sa.CheckConstraint("length(btrim(list_name)) > 0 AND length(btrim(said_by)) > 0", name="has_a_source"),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ending_reason IS NULL) AND (ended_at IS NULL) = (ended_by IS NULL)"
            " AND (ended_at IS NULL) = (ended_by_name IS NULL) AND (ended_at IS NOT NULL OR end_approval_id IS NULL)",
            name="end_is_complete",
        ),
        sa.CheckConstraint(
            "ended_at IS NULL OR kind <> 'sanctions' OR end_approval_id IS NOT NULL", name="sanctions_end_by_two_people"
        ),
        sa.Index("ix_client_mark_client", "client_id", sa.text("id DESC")),
        sa.Index(
            "uq_client_mark_open",
            "client_id",
            "kind",
            "list_name",
            sa.text("coalesce(about, '')"),
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )
