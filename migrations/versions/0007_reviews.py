"""Periodic reviews, the history of risk, marks (PEP, sanctions) and the owners of flags."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dashboard import settings
from migrations.guards import append_only, grant, never_deleted

revision = "0007"
down_revision = "0006"

#: a row for each change of a risk, whoever makes it; who and why the verbs say in a setting of their transaction
RISK_IS_TOLD = """
CREATE FUNCTION client_risk_is_told() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    said jsonb := nullif(current_setting('countinghouse.risk_change', true), '')::jsonb;
BEGIN
    IF said ->> 'client' IS DISTINCT FROM NEW.id::text THEN
        said := NULL;
    END IF;
    INSERT INTO client_risk_change (client_id, risk_before, risk_after, changed_at, by_kind, by_id, by_name, cause,
        reason, approval_id)
    VALUES (NEW.id, OLD.risk_level, NEW.risk_level, coalesce((said ->> 'at')::timestamptz, clock_timestamp()),
        coalesce(said ->> 'kind', 'system'), (said ->> 'id')::uuid, coalesce(said ->> 'name', session_user),
        coalesce(said ->> 'cause', 'unknown'), said ->> 'reason',
        CASE WHEN NEW.risk_level < OLD.risk_level THEN NEW.risk_approval_id END);
    -- what was said is said of one change
    PERFORM set_config('countinghouse.risk_change', '', true);
    RETURN NULL;
END $$;
CREATE TRIGGER client_risk_is_told AFTER UPDATE OF risk_level ON client
    FOR EACH ROW WHEN (OLD.risk_level IS DISTINCT FROM NEW.risk_level) EXECUTE FUNCTION client_risk_is_told();

CREATE FUNCTION client_risk_begins() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    said jsonb := nullif(current_setting('countinghouse.risk_change', true), '')::jsonb;
BEGIN
    INSERT INTO client_risk_change (client_id, risk_after, changed_at, by_kind, by_id, by_name, cause)
    SELECT f.id, f.risk_level, f.created_at,
        CASE WHEN own THEN said ->> 'kind' ELSE 'system' END, CASE WHEN own THEN (said ->> 'id')::uuid END,
        CASE WHEN own THEN said ->> 'name' ELSE session_user END, CASE WHEN own THEN 'created' ELSE 'unknown' END
    FROM fresh f CROSS JOIN LATERAL (SELECT said ->> 'client' IS NOT DISTINCT FROM f.id::text AS own) o;
    PERFORM set_config('countinghouse.risk_change', '', true);
    RETURN NULL;
END $$;
CREATE TRIGGER client_risk_begins AFTER INSERT ON client
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION client_risk_begins();
REVOKE EXECUTE ON FUNCTION client_risk_is_told(), client_risk_begins() FROM PUBLIC;
"""

#: the history of clients that were there before it: from the evidence, and where that says nothing, as they stand
TELL_RISK_HISTORY = """
CREATE FUNCTION tell_risk_history() RETURNS void LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO client_risk_change (client_id, risk_before, risk_after, changed_at, by_kind, by_id, by_name, cause,
        reason)
    SELECT e.client_id, b.level, a.level, e.occurred_at, e.actor_kind, e.actor_id, e.actor_name,
        CASE e.action WHEN 'client.created' THEN 'created' WHEN 'client.risk_lowered' THEN 'lowered' ELSE 'changed' END,
        p.restricted ->> 'reason'
    FROM audit_event e
    JOIN audit_payload p ON p.event_id = e.id
    JOIN (VALUES ('Not set', 0), ('Low', 1), ('Medium', 2), ('High', 3), ('Prohibited', 4)) a(label, level)
        ON a.label = p.after ->> 'risk'
    LEFT JOIN (VALUES ('Not set', 0), ('Low', 1), ('Medium', 2), ('High', 3), ('Prohibited', 4)) b(label, level)
        ON b.label = p.before ->> 'risk'
    WHERE e.action IN ('client.created', 'client.changed', 'client.risk_lowered', 'client.risk_raised')
        AND NOT EXISTS (SELECT 1 FROM client_risk_change h WHERE h.client_id = e.client_id)
        AND EXISTS (SELECT 1 FROM client c WHERE c.id = e.client_id)
    ORDER BY e.id;
    INSERT INTO client_risk_change (client_id, risk_after, changed_at, by_kind, by_name, cause)
    SELECT c.id, c.risk_level, c.created_at, 'system', 'system', 'found' FROM client c
    WHERE NOT EXISTS (SELECT 1 FROM client_risk_change h WHERE h.client_id = c.id)
    ORDER BY c.id;
$$;
"""

#: a plan for each client that has none, at most so many (NULL: all). Months by risk; days in the institution's zone
PLAN_REVIEWS = """
CREATE FUNCTION plan_reviews(low int, medium int, high int, zone text, most int DEFAULT NULL) RETURNS bigint
    LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
    WITH fresh AS (
        INSERT INTO client_review_plan (client_id, running, ended, risk_level, heightened, period_from, period_months,
            expires_on)
        SELECT c.id, c.running, c.ended, c.risk_level, p.heightened, f.day,
            least(CASE WHEN p.heightened THEN high END,
                CASE c.risk_level WHEN 1 THEN low WHEN 2 THEN medium ELSE high END),
            x.day
        FROM (
            SELECT k.id, k.risk_level, k.created_at, k.status = 'closed' OR k.status_before_block IS NOT DISTINCT FROM 'closed' AS ended,
                'active' IN (k.status, coalesce(k.status_before_block, '')) AS running
            FROM client k
            WHERE NOT EXISTS (SELECT 1 FROM client_review_plan r WHERE r.client_id = k.id)
            LIMIT most
        ) c
        CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT 1 FROM related_individual i WHERE i.client_id = c.id AND i.is_pep)
                OR EXISTS (SELECT 1 FROM client_mark m WHERE m.client_id = c.id AND m.kind = 'pep' AND m.ended_at IS NULL)
        ) p(heightened)
        LEFT JOIN LATERAL (
            SELECT max(e.occurred_at) AS at FROM audit_event e
            WHERE c.running AND e.client_id = c.id AND e.action = 'client.activated'
        ) a ON true
        CROSS JOIN LATERAL (SELECT (coalesce(a.at, c.created_at) AT TIME ZONE zone)::date) f(day)
        LEFT JOIN LATERAL (
            SELECT min(d.day) FROM (
                SELECT i.document_expiration_date FROM individual i WHERE i.client_id = c.id
                UNION ALL
                SELECT (i.document ->> 'expirationDate')::date FROM related_individual i WHERE i.client_id = c.id
            ) d(day) WHERE d.day > f.day
        ) x(day) ON true
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM fresh;
$$;
"""

#: what protects people, a second time
REVIEW_GUARDS = """
CREATE FUNCTION client_review_tells_what_stands() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c client;
BEGIN
    SELECT * INTO c FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    IF c.risk_level IS DISTINCT FROM NEW.risk_after THEN
        RAISE EXCEPTION 'a review is completed with the risk that stands'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_review_tells_what_stands';
    END IF;
    IF 'closed' IN (c.status, coalesce(c.status_before_block, '')) THEN
        RAISE EXCEPTION 'a closed client needs no review'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_review_of_closed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_review_tells_what_stands BEFORE INSERT ON client_review
    FOR EACH ROW EXECUTE FUNCTION client_review_tells_what_stands();

CREATE FUNCTION client_review_plan_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- the period begins anew with the activation, or with a review that people have completed
    IF NEW.period_from > OLD.period_from AND NOT (NEW.running AND NOT OLD.running) AND NOT EXISTS (
        SELECT 1 FROM client_review r
        WHERE r.id = NEW.last_review_id AND r.client_id = NEW.client_id AND r.reviewed_on = NEW.period_from
          AND r.id IS DISTINCT FROM OLD.last_review_id
    ) THEN
        RAISE EXCEPTION 'the next review moves by a review alone'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_review_plan_needs_review';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_review_plan_guard BEFORE UPDATE OF period_from, client_id ON client_review_plan
    FOR EACH ROW EXECUTE FUNCTION client_review_plan_guard();

CREATE FUNCTION client_review_plan_follows_risk() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM client c JOIN client_review_plan p ON p.client_id = c.id
        WHERE c.id = NEW.id AND p.risk_level <> c.risk_level
    ) THEN
        RAISE EXCEPTION 'the next review follows the risk'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_review_plan_follows_risk';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER client_review_plan_follows_risk AFTER UPDATE OF risk_level ON client
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION client_review_plan_follows_risk();
"""

#: a mark is ended, never rewritten; one of sanctions by two people, and nothing activates while it stands
MARK_GUARDS = """
CREATE FUNCTION client_mark_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL
       OR (NEW.id, NEW.client_id, NEW.kind, NEW.list_name, NEW.said_by, NEW.opened_at, NEW.opened_by, NEW.opened_by_name)
          IS DISTINCT FROM
          (OLD.id, OLD.client_id, OLD.kind, OLD.list_name, OLD.said_by, OLD.opened_at, OLD.opened_by, OLD.opened_by_name)
       OR NEW.about IS DISTINCT FROM OLD.about OR NEW.list_version IS DISTINCT FROM OLD.list_version
       OR NEW.reference IS DISTINCT FROM OLD.reference OR NEW.comment IS DISTINCT FROM OLD.comment THEN
        RAISE EXCEPTION 'a mark is ended, never rewritten'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_mark_is_as_opened';
    END IF;
    IF NEW.ended_at IS NOT NULL AND NEW.kind = 'sanctions' AND NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.end_approval_id AND r.state = 'approved' AND r.kind = 'client.end-sanctions-mark'
          AND r.object_id = NEW.id AND r.closed_at >= transaction_timestamp() - interval '1 minute'
    ) THEN
        RAISE EXCEPTION 'ending a sanctions mark needs two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_mark_end_needs_approval';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_mark_guard BEFORE UPDATE ON client_mark FOR EACH ROW EXECUTE FUNCTION client_mark_guard();
CREATE TRIGGER client_mark_begins_open BEFORE INSERT ON client_mark
    FOR EACH ROW WHEN (NEW.ended_at IS NOT NULL) EXECUTE FUNCTION begins_at_the_beginning();
-- a mark and a change of status wait for one another, whoever writes them
CREATE TRIGGER client_mark_locks_client BEFORE INSERT ON client_mark
    FOR EACH ROW EXECUTE FUNCTION client_block_locks_client();

CREATE FUNCTION client_sanctions_mark_stands() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM client_mark m WHERE m.client_id = NEW.id AND m.kind = 'sanctions' AND m.ended_at IS NULL)
    THEN
        RAISE EXCEPTION 'nothing activates while a sanctions mark stands'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_sanctions_mark_stands';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_sanctions_mark_stands BEFORE UPDATE OF status ON client
    FOR EACH ROW WHEN (NEW.status = 'active' AND OLD.status <> 'active')
    EXECUTE FUNCTION client_sanctions_mark_stands();

CREATE FUNCTION client_mark_blocks() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM client_mark m JOIN client c ON c.id = m.client_id
        WHERE m.id = NEW.id AND m.ended_at IS NULL AND 'closed' NOT IN (c.status, coalesce(c.status_before_block, ''))
          AND NOT EXISTS (SELECT 1 FROM client_block b WHERE b.client_id = c.id AND b.lifted_at IS NULL
              AND b.code = 'SANCTIONS' AND b.scope = 'all')
    ) THEN
        RAISE EXCEPTION 'a client with a sanctions mark is blocked at once'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_sanctions_mark_blocks';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER client_sanctions_mark_blocks AFTER INSERT ON client_mark
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'sanctions') EXECUTE FUNCTION client_mark_blocks();

CREATE FUNCTION client_block_stands_while_marked() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM client_mark m
               WHERE m.client_id = NEW.client_id AND m.kind = 'sanctions' AND m.ended_at IS NULL) THEN
        RAISE EXCEPTION 'this block stands while the mark stands'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_block_stands_while_marked';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_block_stands_while_marked BEFORE UPDATE OF lifted_at ON client_block
    FOR EACH ROW WHEN (OLD.lifted_at IS NULL AND NEW.lifted_at IS NOT NULL AND NEW.code = 'SANCTIONS')
    EXECUTE FUNCTION client_block_stands_while_marked();
"""

PERIOD_IS_LAWFUL = "period_months BETWEEN 1 AND CASE WHEN risk_level IN (1, 2) AND NOT heightened THEN 60 ELSE 12 END"
NEXT_ON = (
    "CASE WHEN ended THEN NULL ELSE LEAST((period_from + make_interval(months => period_months))::date,"
    " expires_on, chosen_on, prohibited_on) END"
)


def _tables() -> None:
    op.create_table(
        "client_risk_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("risk_before", sa.SmallInteger(), nullable=True),
        sa.Column("risk_after", sa.SmallInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "cause IN ('created', 'changed', 'raised', 'lowered', 'review', 'found', 'unknown')",
            name=op.f("ck_client_risk_change_cause_known"),
        ),
        sa.CheckConstraint("by_kind IN ('staff', 'token', 'system')", name=op.f("ck_client_risk_change_by_known")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_risk_change_client_id")),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approval_request.id"], name=op.f("fk_client_risk_change_approval_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_risk_change")),
    )
    op.create_index(
        "ix_client_risk_change_client", "client_risk_change", ["client_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_table(
        "client_review",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("previous_id", sa.UUID(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reviewed_on", sa.Date(), nullable=False),
        sa.Column("reviewed_by", sa.UUID(), nullable=False),
        sa.Column("reviewed_by_name", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("risk_before", sa.SmallInteger(), nullable=False),
        sa.Column("risk_assessed", sa.SmallInteger(), nullable=False),
        sa.Column("risk_after", sa.SmallInteger(), nullable=False),
        sa.Column("heightened", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("period_months", sa.SmallInteger(), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=False),
        sa.Column("lowering_request_id", sa.UUID(), nullable=True),
        sa.CheckConstraint("outcome IN ('continue', 'conditions', 'end')", name=op.f("ck_client_review_outcome_known")),
        sa.CheckConstraint("length(btrim(reasons)) > 0", name=op.f("ck_client_review_reasons_not_empty")),
        sa.CheckConstraint(
            "risk_assessed BETWEEN 1 AND 4 AND risk_assessed <= risk_after"
            " AND (risk_assessed < risk_after) = (lowering_request_id IS NOT NULL)",
            name=op.f("ck_client_review_lower_risk_is_asked_for"),
        ),
        sa.CheckConstraint(
            PERIOD_IS_LAWFUL.replace("risk_level", "risk_after"), name=op.f("ck_client_review_period_is_lawful")
        ),
        sa.CheckConstraint(
            "next_on > reviewed_on AND next_on <= (reviewed_on + make_interval(months => period_months))::date",
            name=op.f("ck_client_review_next_within_period"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_review_client_id")),
        sa.ForeignKeyConstraint(["previous_id"], ["client_review.id"], name=op.f("fk_client_review_previous_id")),
        sa.ForeignKeyConstraint(["reviewed_by"], ["staff_member.id"], name=op.f("fk_client_review_reviewed_by")),
        sa.ForeignKeyConstraint(
            ["lowering_request_id"], ["approval_request.id"], name=op.f("fk_client_review_lowering_request_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_review")),
        sa.UniqueConstraint("previous_id", name=op.f("uq_client_review_previous_id")),
    )
    op.create_index(
        "ix_client_review_client", "client_review", ["client_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "uq_client_review_first", "client_review", ["client_id"], unique=True,
        postgresql_where=sa.text("previous_id IS NULL"),
    )  # fmt: skip
    op.create_table(
        "client_review_plan",
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("risk_level", sa.SmallInteger(), nullable=False),
        sa.Column("heightened", sa.Boolean(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_months", sa.SmallInteger(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("chosen_on", sa.Date(), nullable=True),
        sa.Column("prohibited_on", sa.Date(), nullable=True),
        sa.Column("next_on", sa.Date(), sa.Computed(NEXT_ON, persisted=True), nullable=True),
        sa.Column("last_review_id", sa.UUID(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restricted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restriction_block_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(PERIOD_IS_LAWFUL, name=op.f("ck_client_review_plan_period_is_lawful")),
        sa.CheckConstraint(
            "due_at IS NOT NULL OR (escalated_at IS NULL AND restricted_at IS NULL)",
            name=op.f("ck_client_review_plan_late_when_due"),
        ),
        sa.CheckConstraint("NOT (running AND ended)", name=op.f("ck_client_review_plan_runs_or_ended")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_review_plan_client_id")),
        sa.ForeignKeyConstraint(
            ["last_review_id"], ["client_review.id"], name=op.f("fk_client_review_plan_last_review_id")
        ),
        sa.ForeignKeyConstraint(
            ["restriction_block_id"], ["client_block.id"], name=op.f("fk_client_review_plan_restriction_block_id")
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client_review_plan")),
    )
    op.create_table(
        "client_mark",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("list_version", sa.Text(), nullable=True),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.UUID(), nullable=False),
        sa.Column("opened_by_name", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.UUID(), nullable=True),
        sa.Column("ended_by_name", sa.Text(), nullable=True),
        sa.Column("ending_reason", sa.Text(), nullable=True),
        sa.Column("end_approval_id", sa.UUID(), nullable=True),
        sa.CheckConstraint("kind IN ('pep', 'sanctions')", name=op.f("ck_client_mark_kind_known")),
        sa.CheckConstraint(
            "length(btrim(list_name)) > 0 AND length(btrim(said_by)) > 0", name=op.f("ck_client_mark_has_a_source")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ending_reason IS NULL) AND (ended_at IS NULL) = (ended_by IS NULL)"
            " AND (ended_at IS NULL) = (ended_by_name IS NULL) AND (ended_at IS NOT NULL OR end_approval_id IS NULL)",
            name=op.f("ck_client_mark_end_is_complete"),
        ),
        sa.CheckConstraint(
            "ended_at IS NULL OR kind <> 'sanctions' OR end_approval_id IS NOT NULL",
            name=op.f("ck_client_mark_sanctions_end_by_two_people"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_mark_client_id")),
        sa.ForeignKeyConstraint(["opened_by"], ["staff_member.id"], name=op.f("fk_client_mark_opened_by")),
        sa.ForeignKeyConstraint(["ended_by"], ["staff_member.id"], name=op.f("fk_client_mark_ended_by")),
        sa.ForeignKeyConstraint(
            ["end_approval_id"], ["approval_request.id"], name=op.f("fk_client_mark_end_approval_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_mark")),
    )
    op.create_index("ix_client_mark_client", "client_mark", ["client_id", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "uq_client_mark_open",
        "client_mark",
        ["client_id", "kind", "list_name", sa.literal_column("coalesce(about, '')")],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column("client_flag", sa.Column("owner_id", sa.UUID(), nullable=True))
    op.add_column("client_flag", sa.Column("owned_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("client_flag", sa.Column("reopens_id", sa.UUID(), nullable=True))
    op.create_foreign_key(op.f("fk_client_flag_owner_id"), "client_flag", "staff_member", ["owner_id"], ["id"])
    op.create_foreign_key(op.f("fk_client_flag_reopens_id"), "client_flag", "client_flag", ["reopens_id"], ["id"])
    op.create_check_constraint(
        op.f("ck_client_flag_owned_since_when_owned"), "client_flag", "(owner_id IS NULL) = (owned_since IS NULL)"
    )
    op.create_index(
        "ix_client_flag_owner", "client_flag", ["owner_id", "opened_at", "id"], unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_client_flag_opened", "client_flag", ["opened_at", "id"], unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_client_flag_to_review", "client_flag", ["opened_at", "id"], unique=False,
        postgresql_where=sa.text("closed_at IS NULL AND severity >= 2"),
    )  # fmt: skip
    op.create_index("ix_client_flag_client", "client_flag", ["client_id", sa.literal_column("id DESC")], unique=False)


def _indexes_of_plans() -> None:
    """After the rows of clients that are there already."""
    op.create_index(
        "ix_client_review_plan_next", "client_review_plan", ["next_on", "client_id"], unique=False,
        postgresql_where=sa.text("running"),
    )  # fmt: skip
    op.create_index(
        "ix_client_review_plan_risk", "client_review_plan", ["risk_level", "next_on", "client_id"], unique=False,
        postgresql_where=sa.text("running"),
    )  # fmt: skip
    op.create_index(
        "ix_client_review_plan_due", "client_review_plan", ["next_on", "client_id", "due_at"], unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )  # fmt: skip


def upgrade() -> None:
    _tables()
    for statement in (TELL_RISK_HISTORY, PLAN_REVIEWS):
        op.execute(statement)
    # the clients of before: one statement each, however many they are; nothing enters a queue here
    op.execute("SET LOCAL statement_timeout = 0")
    op.execute("SELECT tell_risk_history()")
    chosen = settings.load()
    op.execute(
        sa.text("SELECT plan_reviews(:low, :medium, :high, :zone)").bindparams(
            low=chosen.review_months_low,
            medium=chosen.review_months_medium,
            high=chosen.review_months_high,
            zone=chosen.institution_zone,
        )
    )
    _indexes_of_plans()
    for statement in (RISK_IS_TOLD, REVIEW_GUARDS, MARK_GUARDS):
        op.execute(statement)
    append_only("client_risk_change")
    append_only("client_review")
    never_deleted("client_mark")
    never_deleted("client_review_plan")
    grant("SELECT", ("client_risk_change",))
    grant("SELECT, INSERT", ("client_review",))
    grant("SELECT, INSERT, UPDATE", ("client_review_plan", "client_mark"))
