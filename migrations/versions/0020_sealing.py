"""Evidence is sealed in order, and found by whom, what and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only, grant, let_purge_pass, personal

revision = "0020"
down_revision = "0019"

#: what is committed and waits for its seal is found here, whatever its identifier and whenever it was committed: the rows
#: come with the event's own transaction, one statement for many, into a table without any index
QUEUE = """
CREATE FUNCTION audit_event_waits_for_seal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO audit_unsealed (event_id) SELECT id FROM fresh;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION audit_event_waits_for_seal() FROM PUBLIC;
CREATE TRIGGER audit_event_waits_for_seal AFTER INSERT ON audit_event REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_waits_for_seal();
INSERT INTO audit_unsealed (event_id) SELECT id FROM audit_event ORDER BY id;
"""

GAPS = """
CREATE FUNCTION audit_seal_without_gaps() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    low bigint;
    high bigint;
    many bigint;
BEGIN
    SELECT min(position), max(position), count(*) INTO low, high, many FROM fresh;
    IF many > 0 AND (high - low + 1 <> many
        OR low > 1 AND NOT EXISTS (SELECT 1 FROM audit_seal s WHERE s.position = low - 1)) THEN
        RAISE EXCEPTION 'positions of seals follow one another'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_seal_without_gaps';
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION audit_seal_without_gaps() FROM PUBLIC;
CREATE TRIGGER audit_seal_without_gaps AFTER INSERT ON audit_seal REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION audit_seal_without_gaps();
"""

#: The only one that writes seals; dashboard/audit/verify_audit.py spells records the same way. One at a time: a second
#: sealer goes away with -1. Name and address of an app of one client may be erased one day, so a salted digest stands
#: for them, whose salt goes with them. A row whose event is gone stays, so that verification finds it.
SEALER = """
CREATE FUNCTION audit_field(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(octet_length(said)::text || ':' || said, '-') || ','
$$;
CREATE FUNCTION audit_moment(at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
CREATE FUNCTION seal_audit(most integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
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
REVOKE EXECUTE ON FUNCTION seal_audit(integer) FROM PUBLIC;
"""


def upgrade() -> None:
    op.create_table("audit_unsealed", sa.Column("event_id", sa.UUID(), nullable=False))
    op.create_table(
        "audit_seal",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("actor_digest", sa.Text(), nullable=True),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_audit_seal_position_counts_from_one")),
        sa.CheckConstraint("hash ~ '^[0-9a-f]{64}$'", name=op.f("ck_audit_seal_hash_is_hex")),
        sa.CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name=op.f("ck_audit_seal_digest_is_hex")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_seal")),
        sa.UniqueConstraint("event_id", name=op.f("uq_audit_seal_event_id")),
    )
    op.create_table(
        "audit_actor_salt",
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_actor_salt")),
    )
    op.create_index("ix_audit_event_when", "audit_event", ["occurred_at", "id"])
    op.create_index("ix_audit_event_who", "audit_event", ["actor_id", "occurred_at", "id"])
    op.create_index("ix_audit_event_what", "audit_event", ["action", "occurred_at", "id"])
    op.create_index("ix_audit_event_kind", "audit_event", ["actor_kind", "occurred_at", "id"])
    op.execute(QUEUE)
    op.execute(GAPS)
    op.execute(SEALER)
    append_only("audit_seal")
    append_only("audit_actor_salt")
    personal(
        "audit_actor_salt",
        "event_id IN (SELECT e.id FROM audit_event e JOIN api_token k ON k.id = e.actor_id"
        " WHERE e.client_id = $1 AND e.actor_kind = 'token' AND k.client_id = $1)",
        salt="''",
    )
    let_purge_pass("audit_actor_salt")
    grant("SELECT", ("audit_unsealed", "audit_seal", "audit_actor_salt"))
    grant("EXECUTE", ("FUNCTION seal_audit(integer)",))
