"""Requests for deletion, legal holds, retention and the purge of personal data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import grant, let_purge_pass, never_deleted, personal

revision = "0008"
down_revision = "0007"

#: blocks that only people may lift: while one stands, nothing of the client goes
HUMAN = "'SANCTIONS', 'STR_HOLD', 'FIU_ORDER', 'COURT_ATTACHMENT'"

#: AMLR Art. 77: five years at least, whatever the settings say
FLOOR = "interval '5 years'"

#: true only inside purge_client: the setting alone opens nothing, not even within other functions of the owner, as only
#: the purge writes down its transaction
PURGING = """
CREATE FUNCTION purging() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF coalesce(current_setting('countinghouse.purging', true), '') <> 'on'
       OR NOT has_table_privilege(current_user, 'public.purge_run', 'DELETE') THEN
        RETURN false;
    END IF;
    RETURN EXISTS (SELECT 1 FROM public.purge_run r WHERE r.xact = pg_current_xact_id_if_assigned()::text);
END $$;
CREATE FUNCTION without_words(p jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- identifiers, numbers and known codes stay, so that what reads them still finds its way; every other text goes
    RETURN CASE jsonb_typeof(p)
        WHEN 'object' THEN (
            SELECT coalesce(jsonb_object_agg(key, CASE
                WHEN key IN ('outcome', 'scope', 'kind', 'type', 'state', 'status', 'parentType', 'purpose', 'currency')
                     AND jsonb_typeof(value) = 'string' THEN value
                ELSE without_words(value) END), '{}')
            FROM jsonb_each(p))
        WHEN 'array' THEN (SELECT coalesce(jsonb_agg(without_words(value)), '[]') FROM jsonb_array_elements(p))
        WHEN 'string' THEN CASE
            WHEN p #>> '{}' ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' THEN p ELSE '""' END
        ELSE p END;
END $$;
"""

#: what stands between a request and the purge; the page shows it and the purge obeys it
OBSTACLES = """
CREATE FUNCTION retention_begins(p_client uuid) RETURNS timestamptz LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT greatest(c.closed_at, (
        SELECT max(x.last) FROM account a CROSS JOIN LATERAL (VALUES
            ((SELECT t.posted_at FROM ledger_transaction t WHERE t.debtor_account_id = a.id AND t.state = 'posted'
              ORDER BY t.posted_at DESC LIMIT 1)),
            ((SELECT t.posted_at FROM ledger_transaction t WHERE t.creditor_account_id = a.id AND t.state = 'posted'
              ORDER BY t.posted_at DESC LIMIT 1))) AS x (last)
        WHERE a.owner_id = p_client))
    FROM client c WHERE c.id = p_client AND c.closed_at IS NOT NULL
$$;
CREATE FUNCTION deletion_obstacles(p_client uuid) RETURNS TABLE (code text, many bigint) LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT * FROM (
        SELECT 'balance', (SELECT count(*) FROM account a WHERE a.owner_id = p_client AND EXISTS (
            SELECT 1 FROM account_balance b WHERE b.account_id = a.id GROUP BY b.account_id
            HAVING sum(b.posted) <> 0 OR sum(b.held) <> 0))
        UNION ALL SELECT 'livePayments', (
            SELECT count(DISTINCT t.payment_id) FROM account a JOIN ledger_transaction t
                ON t.debtor_account_id = a.id AND t.state IN ('draft', 'pending')
                OR t.creditor_account_id = a.id AND t.state IN ('draft', 'pending')
            WHERE a.owner_id = p_client)
        UNION ALL SELECT 'openTransfers', (
            SELECT count(*) FROM transfer t WHERE t.client_id = p_client AND t.status IN
                ('awaitingConfirmation', 'confirmed', 'manualReview', 'submitted', 'unknown', 'unrecognized'))
        UNION ALL SELECT 'openDispositions', (
            SELECT count(*) FROM disposition d WHERE d.client_id = p_client AND d.state = 'waiting')
        UNION ALL SELECT 'openAccounts', (
            SELECT count(*) FROM account a WHERE a.owner_id = p_client AND a.status <> 'closed')
        UNION ALL SELECT 'blocks', (
            SELECT count(*) FROM client_block b WHERE b.client_id = p_client AND b.lifted_at IS NULL)
        UNION ALL SELECT 'relationship', (
            SELECT count(*) FROM client c WHERE c.id = p_client AND c.closed_at IS NULL)
        UNION ALL SELECT 'holds', (
            SELECT count(*) FROM legal_hold h WHERE h.client_id = p_client AND h.ended_at IS NULL)
        UNION ALL SELECT 'sanctionsMark', (
            SELECT count(*) FROM client_mark m WHERE m.client_id = p_client AND m.kind = 'sanctions'
                AND m.ended_at IS NULL)
        UNION ALL SELECT 'approvals', (
            SELECT count(*) FROM approval_request r WHERE r.client_id = p_client AND r.state = 'requested'
                AND r.kind <> 'client.purge')
    ) AS o (code, many) WHERE many > 0
$$;
"""

CLOSING = """
CREATE FUNCTION client_closing() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    in_the_way text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- histories of the owner; the application begins inactive
        NEW.closed_at := coalesce(NEW.closed_at, NEW.updated_at);
        RETURN NEW;
    END IF;
    IF NEW.status = 'closed' AND OLD.status IN ('active', 'inactive') THEN
        SELECT string_agg(o.code, ', ') INTO in_the_way FROM deletion_obstacles(NEW.id) o
        WHERE o.code IN ('balance', 'livePayments', 'openTransfers', 'openDispositions', 'openAccounts');
        IF in_the_way IS NOT NULL THEN
            RAISE EXCEPTION 'a relationship ends when nothing of the client moves any more: %', in_the_way
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_closes_empty';
        END IF;
        NEW.closed_at := clock_timestamp();
    ELSIF NEW.closed_at IS DISTINCT FROM OLD.closed_at
          AND NOT has_table_privilege(current_user, 'public.personal_column', 'DELETE') THEN
        RAISE EXCEPTION 'the end of a relationship is when it ended'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_end_is_as_it_was';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_closing BEFORE UPDATE OF status, closed_at ON client
    FOR EACH ROW EXECUTE FUNCTION client_closing();
CREATE TRIGGER client_closed_before BEFORE INSERT ON client FOR EACH ROW
    WHEN (NEW.status = 'closed' OR NEW.status_before_block = 'closed') EXECUTE FUNCTION client_closing();
CREATE TRIGGER client_begins_with_its_data BEFORE INSERT ON client FOR EACH ROW
    WHEN (NEW.restricted_at IS NOT NULL OR NEW.purged_at IS NOT NULL) EXECUTE FUNCTION begins_at_the_beginning();
"""

RESTRICTION = """
CREATE FUNCTION deletion_restricts() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE client SET restricted_at = CASE WHEN NEW.state IN ('requested', 'waiting')
        THEN coalesce(restricted_at, clock_timestamp()) END
    WHERE id = NEW.client_id AND (restricted_at IS NULL) = (NEW.state IN ('requested', 'waiting'));
    RETURN NULL;
END $$;
CREATE TRIGGER deletion_restricts AFTER INSERT OR UPDATE OF state ON deletion_request
    FOR EACH ROW EXECUTE FUNCTION deletion_restricts();
CREATE FUNCTION client_restriction_is_true() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.purged_at IS DISTINCT FROM OLD.purged_at THEN
        RAISE EXCEPTION 'only the purge says that it was'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_purged_by_the_purge';
    END IF;
    IF (NEW.restricted_at IS NOT NULL) IS DISTINCT FROM EXISTS (
        SELECT 1 FROM deletion_request d WHERE d.client_id = NEW.id AND d.state IN ('requested', 'waiting')) THEN
        RAISE EXCEPTION 'processing is restricted while a request for deletion is open'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_restricted_while_requested';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_restriction_is_true BEFORE UPDATE OF restricted_at, purged_at ON client
    FOR EACH ROW EXECUTE FUNCTION client_restriction_is_true();
CREATE FUNCTION client_profile_rests() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    of uuid;
BEGIN
    IF TG_TABLE_NAME = 'client' THEN
        of := OLD.id;
    ELSIF TG_OP = 'INSERT' THEN
        of := NEW.client_id;
    ELSE
        of := OLD.client_id;
    END IF;
    IF EXISTS (SELECT 1 FROM client c WHERE c.id = of AND (c.restricted_at IS NOT NULL OR c.purged_at IS NOT NULL)) THEN
        RAISE EXCEPTION 'processing is restricted: the profile is kept as it is'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_profile_rests';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER client_profile_rests
    BEFORE UPDATE OF name, name_key, search_text, country, email, phone_number, external_id, onboarding_id ON client
    FOR EACH ROW EXECUTE FUNCTION client_profile_rests();
CREATE TRIGGER client_profile_rests BEFORE UPDATE ON individual
    FOR EACH ROW EXECUTE FUNCTION client_profile_rests();
CREATE TRIGGER client_profile_rests BEFORE UPDATE ON company
    FOR EACH ROW EXECUTE FUNCTION client_profile_rests();
CREATE TRIGGER client_profile_rests BEFORE INSERT OR UPDATE OR DELETE ON related_individual
    FOR EACH ROW EXECUTE FUNCTION client_profile_rests();
"""

REQUEST_GUARD = """
CREATE FUNCTION deletion_request_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- the restriction and the profile wait for one another
        PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
        IF EXISTS (SELECT 1 FROM client c WHERE c.id = NEW.client_id AND c.purged_at IS NOT NULL) THEN
            RAISE EXCEPTION 'nothing is left to delete'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'deletion_request_has_something_to_delete';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state NOT IN ('requested', 'waiting')
       OR (NEW.id, NEW.client_id, NEW.channel, NEW.requested_at, NEW.requested_by_kind, NEW.requested_by_name,
           NEW.received_on)
          IS DISTINCT FROM (OLD.id, OLD.client_id, OLD.channel, OLD.requested_at, OLD.requested_by_kind,
           OLD.requested_by_name, OLD.received_on)
       OR NEW.requested_by_id IS DISTINCT FROM OLD.requested_by_id OR NEW.reason IS DISTINCT FROM OLD.reason
       OR (OLD.approval_id IS NOT NULL AND NEW.approval_id IS DISTINCT FROM OLD.approval_id)
       OR (OLD.purge_from IS NOT NULL AND NEW.purge_from IS DISTINCT FROM OLD.purge_from) THEN
        RAISE EXCEPTION 'a request for deletion is as it was made, and a closed one stays closed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'deletion_request_is_as_made';
    END IF;
    IF NEW.state = 'purged' THEN
        RAISE EXCEPTION 'only the purge says that it was'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'deletion_request_purged_by_the_purge';
    END IF;
    IF NEW.state = 'waiting' AND OLD.state <> 'waiting' AND NOT EXISTS (
        SELECT 1 FROM approval_request r WHERE r.id = NEW.approval_id AND r.state = 'approved'
          AND r.kind = 'client.purge' AND r.object_id = NEW.id
          AND r.closed_at >= transaction_timestamp() - interval '1 minute') THEN
        RAISE EXCEPTION 'a purge is planned by two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'deletion_planned_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deletion_request_guard BEFORE INSERT OR UPDATE ON deletion_request
    FOR EACH ROW EXECUTE FUNCTION deletion_request_guard();
CREATE TRIGGER deletion_request_begins BEFORE INSERT ON deletion_request
    FOR EACH ROW WHEN (NEW.state <> 'requested') EXECUTE FUNCTION begins_at_the_beginning();
"""

HOLD_GUARD = """
CREATE FUNCTION legal_hold_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- a hold and a purge wait for one another
        PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
        RETURN NEW;
    END IF;
    IF OLD.ended_at IS NOT NULL
       OR (NEW.id, NEW.client_id, NEW.code, NEW.reference, NEW.placed_at, NEW.placed_by, NEW.placed_by_name)
          IS DISTINCT FROM
          (OLD.id, OLD.client_id, OLD.code, OLD.reference, OLD.placed_at, OLD.placed_by, OLD.placed_by_name) THEN
        RAISE EXCEPTION 'a hold is ended, never rewritten'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'legal_hold_is_as_placed';
    END IF;
    IF NEW.ended_at IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM approval_request r WHERE r.id = NEW.end_approval_id AND r.state = 'approved'
          AND r.kind = 'client.end-hold' AND r.object_id = NEW.id
          AND r.closed_at >= transaction_timestamp() - interval '1 minute') THEN
        RAISE EXCEPTION 'a hold is ended by two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'legal_hold_ended_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER legal_hold_guard BEFORE INSERT OR UPDATE ON legal_hold
    FOR EACH ROW EXECUTE FUNCTION legal_hold_guard();
CREATE TRIGGER legal_hold_begins BEFORE INSERT ON legal_hold
    FOR EACH ROW WHEN (NEW.ended_at IS NOT NULL) EXECUTE FUNCTION begins_at_the_beginning();
"""

#: the only way by which personal data of evidence is emptied; it asks everything again, whoever calls
PURGE = f"""
CREATE FUNCTION purge_client(p_request uuid) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    asked deletion_request;
    part record;
    in_the_way text;
    rows_touched bigint := 0;
    touched bigint;
BEGIN
    SELECT * INTO asked FROM deletion_request WHERE id = p_request;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no such request'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'purge_needs_a_request';
    END IF;
    PERFORM 1 FROM client WHERE id = asked.client_id FOR NO KEY UPDATE;
    SELECT * INTO asked FROM deletion_request WHERE id = p_request FOR UPDATE;
    IF asked.state = 'purged' THEN
        RETURN 0;
    END IF;
    IF asked.state <> 'waiting' OR NOT EXISTS (
        SELECT 1 FROM approval_request r WHERE r.id = asked.approval_id AND r.state = 'approved'
          AND r.kind = 'client.purge' AND r.object_id = asked.id AND r.decided_by IS DISTINCT FROM r.maker_id) THEN
        RAISE EXCEPTION 'a purge needs a plan of two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'purge_needs_two_people';
    END IF;
    SELECT string_agg(o.code, ', ') INTO in_the_way FROM deletion_obstacles(asked.client_id) o;
    IF in_the_way IS NOT NULL THEN
        RAISE EXCEPTION 'a purge waits for: %', in_the_way
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'purge_has_no_obstacle';
    END IF;
    IF asked.purge_from > (clock_timestamp() AT TIME ZONE 'UTC')::date
       OR retention_begins(asked.client_id) + {FLOOR} > clock_timestamp()
       OR EXISTS (SELECT 1 FROM client_document d WHERE d.client_id = asked.client_id AND d.erased_at IS NULL
                  AND d.keep_until >= (clock_timestamp() AT TIME ZONE 'UTC')::date) THEN
        RAISE EXCEPTION 'retention is not over'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'purge_after_retention';
    END IF;
    INSERT INTO purge_run (xact) VALUES (pg_current_xact_id()::text);
    PERFORM set_config('countinghouse.purging', 'on', true);
    FOR part IN
        SELECT c.table_name, c.found_by, bool_or(c.column_name = '_row') AS goes,
               string_agg(format('%I = %s', c.column_name, c.becomes), ', ') AS emptied
        FROM personal_column c GROUP BY c.table_name, c.found_by ORDER BY min(c.id)
    LOOP
        IF part.goes THEN
            EXECUTE format('DELETE FROM %I WHERE %s', part.table_name, part.found_by) USING asked.client_id;
        ELSE
            EXECUTE format('UPDATE %I SET %s WHERE %s', part.table_name, part.emptied, part.found_by)
                USING asked.client_id;
        END IF;
        GET DIAGNOSTICS touched = ROW_COUNT;
        rows_touched := rows_touched + touched;
    END LOOP;
    UPDATE deletion_request SET state = 'purged', closed_at = clock_timestamp() WHERE id = asked.id;
    UPDATE client SET purged_at = clock_timestamp(), restricted_at = NULL, updated_at = clock_timestamp()
    WHERE id = asked.client_id;
    PERFORM set_config('countinghouse.purging', '', true);
    DELETE FROM purge_run WHERE xact = pg_current_xact_id()::text;
    RETURN rows_touched;
END $$;
"""

#: the two guards of money step aside for words alone, and only where they would refuse: a payment pays nothing for it
MONEY_GUARDS = """
CREATE OR REPLACE FUNCTION payment_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state IN ('posted', 'canceled', 'error') THEN
        IF NEW.state_reason IS NULL AND to_jsonb(NEW) - 'state_reason' = to_jsonb(OLD) - 'state_reason'
           AND purging() THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'a % payment is never changed', OLD.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_is_final';
    END IF;
    IF NOT (OLD.state = 'draft' AND NEW.state IN ('pending', 'posted', 'canceled', 'error')
            OR OLD.state = 'pending' AND NEW.state IN ('posted', 'canceled', 'error')) THEN
        RAISE EXCEPTION 'a payment does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_state_goes_forward';
    END IF;
    IF (NEW.id, NEW.parent_type, NEW.parent_id, NEW.purpose, NEW.created_at, NEW.maker_kind)
       IS DISTINCT FROM (OLD.id, OLD.parent_type, OLD.parent_id, OLD.purpose, OLD.created_at, OLD.maker_kind)
       OR NEW.reverses_id IS DISTINCT FROM OLD.reverses_id OR NEW.maker_id IS DISTINCT FROM OLD.maker_id
       OR (OLD.value_date IS NOT NULL AND NEW.value_date IS DISTINCT FROM OLD.value_date) THEN
        RAISE EXCEPTION 'a payment is as it was made'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_is_as_made';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION ledger_transaction_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state IN ('posted', 'canceled', 'error') THEN
        IF NEW.description IS NULL AND to_jsonb(NEW) - 'description' = to_jsonb(OLD) - 'description' AND purging() THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'a % transaction is never changed', OLD.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_transaction_is_final';
    END IF;
    IF (NEW.id, NEW.payment_id, NEW.position, NEW.debtor_account_id, NEW.creditor_account_id, NEW.currency,
        NEW.amount_minor, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.payment_id, OLD.position, OLD.debtor_account_id, OLD.creditor_account_id, OLD.currency,
        OLD.amount_minor, OLD.created_at)
       OR NEW.description IS DISTINCT FROM OLD.description THEN
        RAISE EXCEPTION 'a transaction is as it was made'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_transaction_is_as_made';
    END IF;
    RETURN NEW;
END $$;
"""

#: another client whose data is still here: what is evidence of both goes with the last of them
OTHER = "k.id <> $1 AND k.purged_at IS NULL"
OF_CLIENT = "client_id = $1"
OF_TRANSFERS = "transfer_id IN (SELECT t.id FROM transfer t WHERE t.client_id = $1)"
OF_ACCOUNTS = "(SELECT a.id FROM account a WHERE a.owner_id = $1)"
GONE = "'(deleted)'"


def _register() -> None:
    """Where personal data of a client lies, and what becomes of it. What is kept is said in docs/adr/0023."""
    personal("individual", OF_CLIENT, first_name="''", last_name="''", birth_date="NULL", citizenship_country="NULL",
             residence_country="NULL", document_type="NULL", document_number="NULL", document_issued_by="NULL",
             document_issued_country="NULL", document_issued_date="NULL", document_expiration_date="NULL",
             address="NULL")  # fmt: skip
    personal("company", OF_CLIENT, legal_name="''", company_type="NULL", registration_number="NULL",
             registration_date="NULL", registration_country="NULL", tax_residency_country="NULL", tax_number="NULL",
             industry="NULL", industry_other="NULL", turnover="NULL", web_site="NULL", pay_ins_countries="NULL",
             pay_outs_countries="NULL", purposes_account_opening="NULL", purposes_account_opening_other="NULL",
             business_partners="NULL", fund_flows="NULL", compliance_evaluation="NULL", custom_options="NULL",
             address="NULL", is_engaged_gambling_10k="NULL", is_foundation="NULL", is_publicly_listed="NULL",
             is_relevant_activity="NULL")  # fmt: skip
    personal("related_individual", OF_CLIENT, _row="deleted")
    personal("client_link", OF_CLIENT, _row="deleted")
    personal("client_note", OF_CLIENT, body=GONE)
    personal("client_verification", OF_CLIENT, labels="'{}'", moderation_comment="NULL", client_comment="NULL")
    personal("verification_decision", OF_CLIENT, why=f"CASE WHEN why IS NOT NULL THEN {GONE} END")
    # an event that names another client is that one's, whoever's applicant it is said to be about
    personal("sumsub_event", "id IN (SELECT e.id FROM sumsub_event e WHERE e.client_id = $1"
             " UNION SELECT e.id FROM sumsub_event e WHERE lower(e.external_user_id) = $1::text"
             " UNION SELECT e.id FROM sumsub_applicant a JOIN sumsub_event e ON e.applicant_id = a.applicant_id"
             " WHERE a.client_id = $1) AND NOT EXISTS (SELECT 1 FROM client k WHERE k.id = CASE"
             " WHEN external_user_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN external_user_id::uuid END"
             f" AND {OTHER})",
             body="NULL", external_user_id="NULL", correlation_id="NULL")  # fmt: skip
    personal("sumsub_applicant", OF_CLIENT, external_user_id="NULL")
    personal("client_document_decision", "document_id IN (SELECT d.id FROM client_document d WHERE d.client_id = $1)",
             comment="NULL", erased_at="coalesce(erased_at, clock_timestamp())")  # fmt: skip
    personal("client_document", OF_CLIENT, file_name="NULL", profile_key="NULL",
             uploaded_by_name="CASE uploaded_by_kind WHEN 'staff' THEN uploaded_by_name ELSE 'a machine' END",
             erased_at="coalesce(erased_at, clock_timestamp())")  # fmt: skip
    personal("client_mark", OF_CLIENT, about="NULL", said_by=GONE, reference="NULL", comment="NULL",
             ending_reason=f"CASE WHEN ending_reason IS NOT NULL THEN {GONE} END")  # fmt: skip
    personal("client_review", OF_CLIENT, reasons=GONE)
    personal("client_risk_change", OF_CLIENT, reason="NULL")
    personal("client_flag", OF_CLIENT, fact="''", closing_reason=f"CASE WHEN closed_at IS NOT NULL THEN {GONE} END")
    personal("client_block", OF_CLIENT, comment="NULL", legal_reference="NULL", client_text="NULL")
    personal("legal_hold", OF_CLIENT, reference="NULL")
    personal("deletion_request", OF_CLIENT, reason="NULL",
             requested_by_name="CASE requested_by_kind WHEN 'staff' THEN requested_by_name ELSE 'front office' END",
             refusal_reason=f"CASE WHEN refusal_reason IS NOT NULL THEN {GONE} END")  # fmt: skip
    personal("approval_request", OF_CLIENT, subject="'a client whose data were deleted'", reason=GONE,
             decision_reason=f"CASE WHEN decision_reason IS NOT NULL THEN {GONE} END", before="'{}'", after="'{}'",
             payload="without_words(payload)", fingerprint="without_words(fingerprint)")  # fmt: skip
    personal("audit_payload", "event_id IN (SELECT e.id FROM audit_event e WHERE e.client_id = $1)", before="NULL",
             after="NULL", reason="NULL", restricted="NULL", salt="''")  # fmt: skip
    personal("audit_event", "client_id = $1 AND actor_kind = 'token' AND actor_id IN"
             " (SELECT k.id FROM api_token k WHERE k.client_id = $1)", actor_name="'front office'",
             address="NULL")  # fmt: skip
    # keys of others that speak of the client live seven days; what is older is on its way out anyhow
    personal("idempotency_key", "token_id IN (SELECT k.id FROM api_token k WHERE k.client_id = $1)"
             " OR created_at > now() - interval '8 days'"
             " AND (path LIKE '%' || $1::text || '%' OR answer LIKE '%' || $1::text || '%')", _row="deleted")  # fmt: skip
    personal("api_token", OF_CLIENT, name="'front office'", revoked_at="coalesce(revoked_at, clock_timestamp())")
    personal("recipient", OF_CLIENT, name="''", name_key="''", account_key="id::text", bic="NULL", bank_name="NULL",
             country="NULL", address="NULL")  # fmt: skip
    personal("client_reference", OF_CLIENT, reference="replace(id::text, '-', '')",
             reference_key="replace(id::text, '-', '')",
             revoked_at="coalesce(revoked_at, clock_timestamp())")  # fmt: skip
    # a repetition may sum up what was told of several clients: it goes with the last of them
    requests = (
        "(SELECT r.id FROM transfer t JOIN incoming_request r ON r.transfer_id = t.id WHERE t.client_id = $1"
        " UNION SELECT l.id FROM transfer t JOIN incoming_request r ON r.transfer_id = t.id JOIN LATERAL"
        " (SELECT n.request_id FROM incoming_link n WHERE n.first_id = r.id"
        " UNION SELECT d.id FROM incoming_request d WHERE d.linked_id = r.id) s ON true"
        " JOIN incoming_request l ON l.id = s.request_id WHERE t.client_id = $1 AND NOT EXISTS (SELECT 1 FROM"
        " (SELECT l.id UNION SELECT l.linked_id UNION SELECT n.first_id FROM incoming_link n WHERE n.request_id = l.id)"
        " p (id) JOIN incoming_request f ON f.id = p.id JOIN transfer o ON o.id = f.transfer_id"
        f" JOIN client k ON k.id = o.client_id WHERE {OTHER}))"
    )
    # what was told of an incoming transfer names it by its request; by reference only what this house has named
    # itself, for a payer writes into its EndToEndId what it likes. A message that tells of money of others, or of
    # nobody yet, stays until they go too
    personal("provider_message",
             "id IN (SELECT m.id FROM transfer t JOIN provider_message m ON m.transfer_id = t.id WHERE t.client_id = $1"
             f" UNION SELECT r.message_id FROM incoming_request r WHERE r.id IN {requests}"
             " UNION SELECT m.id FROM transfer t JOIN provider_message m"
             " ON m.reference = t.end_to_end_id AND m.provider = t.provider AND m.transfer_id IS NULL"
             " WHERE t.client_id = $1 AND t.kind <> 'incoming')"
             " AND NOT EXISTS (SELECT 1 FROM transfer t JOIN client k ON k.id = t.client_id"
             f" WHERE t.id = provider_message.transfer_id AND {OTHER})"
             " AND NOT EXISTS (SELECT 1 FROM incoming_request o LEFT JOIN incoming_request f ON f.id = o.linked_id"
             " LEFT JOIN transfer t ON t.id = coalesce(o.transfer_id, f.transfer_id)"
             " LEFT JOIN client k ON k.id = t.client_id WHERE o.message_id = provider_message.id"
             f" AND k.purged_at IS NULL AND o.id NOT IN {requests})",
             body="''")  # fmt: skip
    personal("incoming_correction", f"request_id IN {requests}", fields="'{}'", comment="NULL")
    personal("incoming_request", f"id IN {requests}", raw="'{}'", creditor_account="NULL",
             creditor_name="NULL", debtor_name="NULL", debtor_account="NULL", debtor_bic="NULL", debtor_country="NULL",
             remittance="NULL", search_text="''", failure="NULL")  # fmt: skip
    personal("receipt", OF_TRANSFERS, late_reason=f"CASE WHEN late_reason IS NOT NULL THEN {GONE} END",
             keep_reason=f"CASE WHEN keep_reason IS NOT NULL THEN {GONE} END")  # fmt: skip
    personal("receipt_event", OF_TRANSFERS, text="''", detail="'{}'")
    personal("receipt_file", OF_TRANSFERS, _row="deleted")
    personal("screening", OF_TRANSFERS, note="NULL")
    # a decision is about the client that it names; one that names nobody is about the transfer's
    personal(
        "disposition",
        f"client_id = $1 OR {OF_TRANSFERS} AND NOT EXISTS"
        f" (SELECT 1 FROM client k WHERE k.id = disposition.client_id AND {OTHER})",
        comment="NULL",
        shown="'{}'",
        undo_reason="NULL",
    )
    personal("payer_rule", OF_CLIENT, payer_key="id::text", payer_name="''", reason="''")
    personal("transfer_check", OF_TRANSFERS, detail="'{}'")
    personal(
        "transfer_document",
        f"{OF_CLIENT} OR {OF_TRANSFERS} AND NOT EXISTS"
        f" (SELECT 1 FROM client k WHERE k.id = transfer_document.client_id AND {OTHER})",
        _row="deleted",
    )
    personal("transfer_status_change", OF_TRANSFERS, reason="NULL")
    personal("transfer", OF_CLIENT, counterparty_name="NULL", counterparty_account="NULL", counterparty_key="NULL",
             counterparty_bic="NULL", counterparty_country="NULL", remittance="NULL", search_text="''",
             maker_name=f"CASE maker_kind WHEN 'staff' THEN maker_name ELSE {GONE} END")  # fmt: skip
    # a text of a payment between two clients is evidence of the other one's as well, until that one goes too
    of_payments = (
        "{0} IN (SELECT x.payment_id FROM ledger_transaction x"
        f" WHERE x.debtor_account_id IN {OF_ACCOUNTS} OR x.creditor_account_id IN {OF_ACCOUNTS})"
        " AND NOT EXISTS (SELECT 1 FROM ledger_transaction x JOIN account o"
        " ON o.id IN (x.debtor_account_id, x.creditor_account_id) JOIN client k ON k.id = o.owner_id"
        f" WHERE x.payment_id = {{0}} AND {OTHER})"
    )
    personal("payment_state_change", of_payments.format("payment_state_change.payment_id"), reason="NULL")
    personal("payment", of_payments.format("payment.id"), state_reason="NULL")
    personal("ledger_transaction", f"(debtor_account_id IN {OF_ACCOUNTS} OR creditor_account_id IN {OF_ACCOUNTS})"
             " AND NOT EXISTS (SELECT 1 FROM account o JOIN client k ON k.id = o.owner_id"
             f" WHERE o.id IN (debtor_account_id, creditor_account_id) AND {OTHER})",
             description="NULL")  # fmt: skip
    personal("account", "owner_id = $1", alias="NULL")
    personal("client", "id = $1", name="'Data deleted'", name_key="'data deleted'", search_text="''", country="NULL",
             email="NULL", phone_number="NULL", external_id="NULL", onboarding_id="NULL")  # fmt: skip


GUARDED = (
    "individual", "company", "related_individual", "client_note", "client_flag", "client_block", "legal_hold",
    "client_verification", "verification_decision", "sumsub_event", "sumsub_applicant", "client_document",
    "client_document_decision", "client_mark", "client_review", "client_risk_change", "deletion_request",
    "approval_request", "audit_payload", "audit_event", "recipient", "client_reference",
    "provider_message", "incoming_correction", "incoming_request", "receipt", "receipt_event", "receipt_file",
    "screening", "disposition", "payer_rule", "transfer_check", "transfer_document", "transfer_status_change",
    "transfer", "payment_state_change", "account", "client",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "personal_column",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False),
        sa.Column("found_by", sa.Text(), nullable=False),
        sa.Column("becomes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal_column")),
    )
    op.create_table(
        "purge_run",
        sa.Column("xact", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("xact", name=op.f("pk_purge_run")),
    )
    op.create_table(
        "deletion_request",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_by_kind", sa.Text(), nullable=False),
        sa.Column("requested_by_id", sa.UUID(), nullable=True),
        sa.Column("requested_by_name", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.Column("purge_from", sa.Date(), nullable=True),
        sa.Column("refusal_ground", sa.Text(), nullable=True),
        sa.Column("refusal_reason", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by_name", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('requested', 'waiting', 'purged', 'refused', 'withdrawn')",
            name=op.f("ck_deletion_request_state_known"),
        ),
        sa.CheckConstraint(
            "channel IN ('frontOffice', 'letter', 'email', 'phone', 'inPerson', 'institution')",
            name=op.f("ck_deletion_request_channel_known"),
        ),
        sa.CheckConstraint(
            "requested_by_kind IN ('staff', 'token', 'system')", name=op.f("ck_deletion_request_asker_known")
        ),
        sa.CheckConstraint(
            "(state IN ('requested', 'waiting')) = (closed_at IS NULL)",
            name=op.f("ck_deletion_request_closed_has_time"),
        ),
        sa.CheckConstraint(
            "(state = 'refused') = (refusal_ground IS NOT NULL)"
            " AND (refusal_ground IS NULL) = (refusal_reason IS NULL)",
            name=op.f("ck_deletion_request_refused_says_why"),
        ),
        sa.CheckConstraint(
            "refusal_ground IN ('legalObligation', 'legalClaims', 'notTheClient', 'unfounded')",
            name=op.f("ck_deletion_request_ground_known"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('waiting', 'purged') OR (approval_id IS NOT NULL AND purge_from IS NOT NULL)",
            name=op.f("ck_deletion_request_planned_by_two"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_deletion_request_client_id")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_deletion_request_approval_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion_request")),
    )
    op.create_index(
        "uq_deletion_request_open", "deletion_request", ["client_id"], unique=True,
        postgresql_where=sa.text("state IN ('requested', 'waiting')"),
    )  # fmt: skip
    op.create_index("ix_deletion_request_client", "deletion_request", ["client_id", sa.literal_column("id DESC")])
    op.create_index(
        "ix_deletion_request_state", "deletion_request",
        ["state", sa.literal_column("received_on DESC"), sa.literal_column("id DESC")],
    )  # fmt: skip
    op.create_index(
        "ix_deletion_request_due", "deletion_request", ["purge_from", "id"],
        postgresql_where=sa.text("state = 'waiting'"),
    )  # fmt: skip
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("placed_by", sa.UUID(), nullable=False),
        sa.Column("placed_by_name", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_approval_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "code IN ('LITIGATION', 'AUTHORITY_ORDER', 'INVESTIGATION', 'EXTENDED_RETENTION', 'AUDIT')",
            name=op.f("ck_legal_hold_code_known"),
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (end_approval_id IS NULL)", name=op.f("ck_legal_hold_ended_by_two")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_legal_hold_client_id")),
        sa.ForeignKeyConstraint(["placed_by"], ["staff_member.id"], name=op.f("fk_legal_hold_placed_by")),
        sa.ForeignKeyConstraint(
            ["end_approval_id"], ["approval_request.id"], name=op.f("fk_legal_hold_end_approval_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_hold")),
    )
    op.create_index("ix_legal_hold_client", "legal_hold", ["client_id", sa.literal_column("id DESC")])
    op.create_index(
        "uq_legal_hold_active", "legal_hold", ["client_id", "code"], unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )  # fmt: skip
    for name in ("closed_at", "restricted_at", "purged_at"):
        op.add_column("client", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_client_restricted", "client", ["restricted_at"], postgresql_where=sa.text("restricted_at IS NOT NULL")
    )
    # the purge looks there while it holds the client
    op.create_index(
        "ix_sumsub_event_external_user", "sumsub_event", [sa.literal_column("lower(external_user_id)")],
        postgresql_where=sa.text("external_user_id IS NOT NULL"),
    )  # fmt: skip
    for column in ("message_id", "linked_id"):
        op.create_index(
            f"ix_incoming_request_{column.removesuffix('_id')}", "incoming_request", [column],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )  # fmt: skip
    op.execute("UPDATE client SET closed_at = updated_at WHERE status = 'closed' OR status_before_block = 'closed'")
    for statement in (PURGING, OBSTACLES, CLOSING, RESTRICTION, REQUEST_GUARD, HOLD_GUARD, PURGE, MONEY_GUARDS):
        op.execute(statement)
    for table in ("deletion_request", "legal_hold"):
        never_deleted(table)
    _register()
    let_purge_pass(*GUARDED)
    op.execute("REVOKE EXECUTE ON FUNCTION purge_client(uuid) FROM PUBLIC")
    grant("EXECUTE", ("FUNCTION purge_client(uuid)",))
    grant("SELECT", ("personal_column",))
    grant(
        "SELECT, INSERT, UPDATE (state, approval_id, purge_from, refusal_ground, refusal_reason, closed_at,"
        " closed_by_name)",
        ("deletion_request",),
    )
    grant("SELECT, INSERT, UPDATE (ended_at, end_approval_id)", ("legal_hold",))
