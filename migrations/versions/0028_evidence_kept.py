"""Evidence knows since when it waits for its seal, its times are ones that a calendar has, and a batch has bounds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

#: `seal_audit` as it was, but for its first lines: NULL was no limit at all, and one transaction sealed everything
SEALER = """
CREATE OR REPLACE FUNCTION seal_audit(most integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    e audit_event;
    at_position bigint;
    hash_before text;
    first_position bigint;
    sealing timestamptz := clock_timestamp();
    own boolean;
    own_salt text;
    own_digest text;
    record_digest text;
    ids uuid[] := '{}';
    digests text[] := '{}';
    hashes text[] := '{}';
    actors text[] := '{}';
    salted uuid[] := '{}';
    salts text[] := '{}';
BEGIN
    IF most IS NULL OR most NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'a batch of the sealer has 1 to 10,000 events'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_seal_batch_is_bounded';
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtextextended('audit_seal', 0)) THEN
        RETURN -1;
    END IF;
    SELECT s.position, s.hash INTO at_position, hash_before FROM audit_seal s ORDER BY s.position DESC LIMIT 1;
    IF NOT FOUND THEN
        at_position := 0;
        hash_before := repeat('0', 64);
    END IF;
    first_position := at_position + 1;
    FOR e IN
        WITH taken AS (
            DELETE FROM audit_unsealed u WHERE u.ctid = ANY (ARRAY(
                SELECT w.ctid FROM audit_unsealed w
                WHERE EXISTS (SELECT 1 FROM audit_event a WHERE a.id = w.event_id) LIMIT most))
            RETURNING u.event_id
        )
        SELECT a.* FROM audit_event a
        WHERE a.id IN (SELECT t.event_id FROM taken t)
          AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.event_id = a.id)
        ORDER BY a.id
    LOOP
        own := e.actor_kind = 'token' AND e.client_id IS NOT NULL;
        own_digest := NULL;
        IF own THEN
            own_salt := replace(gen_random_uuid()::text, '-', '');
            own_digest := encode(sha256(convert_to(
                own_salt || audit_field(e.actor_name) || audit_field(e.address), 'UTF8')), 'hex');
            salted := salted || e.id;
            salts := salts || own_salt;
        END IF;
        record_digest := encode(sha256(convert_to(
            audit_field(e.id::text) || audit_field(audit_moment(e.occurred_at)) || audit_field(e.actor_kind)
            || audit_field(e.actor_id::text) || audit_field(e.actor_role)
            || audit_field(CASE WHEN NOT own THEN e.actor_name END) || audit_field(CASE WHEN NOT own THEN e.address END)
            || audit_field(own_digest) || audit_field(e.request_id) || audit_field(e.action)
            || audit_field(e.object_type) || audit_field(e.object_id::text) || audit_field(e.client_id::text)
            || audit_field(e.payload_digest) || audit_field(audit_moment(sealing)), 'UTF8')), 'hex');
        at_position := at_position + 1;
        hash_before := encode(sha256(convert_to(
            audit_field('countinghouse audit 1') || audit_field(hash_before) || audit_field(at_position::text)
            || audit_field(record_digest), 'UTF8')), 'hex');
        ids := ids || e.id;
        digests := digests || record_digest;
        hashes := hashes || hash_before;
        actors := array_append(actors, own_digest);
    END LOOP;
    INSERT INTO audit_seal (position, event_id, digest, hash, actor_digest, sealed_at)
    SELECT first_position + n.place - 1, n.event_id, n.digest, n.hash, n.actor, sealing
    FROM unnest(ids, digests, hashes, actors) WITH ORDINALITY AS n (event_id, digest, hash, actor, place);
    INSERT INTO audit_actor_salt (event_id, salt)
    SELECT n.event_id, n.salt FROM unnest(salted, salts) AS n (event_id, salt);
    RETURN at_position - first_position + 1;
END $$;
"""

#: neither infinity nor a year that no program reads
TIMES = ("audit_event", "occurred_at"), ("audit_seal", "sealed_at")


def upgrade() -> None:
    # the moment at which the transaction of the event began: `occurred_at` may be told by somebody else's clock
    op.add_column(
        "audit_unsealed",
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    for table, column in TIMES:
        op.create_check_constraint(
            op.f(f"ck_{table}_{column}_is_a_date"),
            table,
            f"{column} >= '2000-01-01 00:00:00+00' AND {column} < '3000-01-01 00:00:00+00'",
        )
    op.execute(SEALER)
