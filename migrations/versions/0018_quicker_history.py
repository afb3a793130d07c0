"""The history of risks is told in one pass; functions of triggers are nobody else's to call."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"

#: labels are compared after the evidence was read: joined to it, they made the planner read it once for each of them
TELL_RISK_HISTORY = """
CREATE OR REPLACE FUNCTION tell_risk_history() RETURNS void LANGUAGE sql
    SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO client_risk_change (client_id, risk_before, risk_after, changed_at, by_kind, by_id, by_name, cause,
        reason)
    WITH told AS MATERIALIZED (
        SELECT e.id, e.client_id, e.occurred_at, e.actor_kind, e.actor_id, e.actor_name, e.action,
            array_position('{Not set,Low,Medium,High,Prohibited}'::text[], p.before ->> 'risk') - 1 AS before,
            array_position('{Not set,Low,Medium,High,Prohibited}'::text[], p.after ->> 'risk') - 1 AS after,
            p.restricted ->> 'reason' AS reason
        FROM audit_event e
        JOIN audit_payload p ON p.event_id = e.id
        WHERE e.action IN ('client.created', 'client.changed', 'client.risk_lowered', 'client.risk_raised')
    )
    SELECT t.client_id, t.before, t.after, t.occurred_at, t.actor_kind, t.actor_id, t.actor_name,
        CASE t.action WHEN 'client.created' THEN 'created' WHEN 'client.risk_lowered' THEN 'lowered' ELSE 'changed' END,
        t.reason
    FROM told t
    WHERE t.after IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM client_risk_change h WHERE h.client_id = t.client_id)
        AND EXISTS (SELECT 1 FROM client c WHERE c.id = t.client_id)
    ORDER BY t.id;
    INSERT INTO client_risk_change (client_id, risk_after, changed_at, by_kind, by_name, cause)
    SELECT c.id, c.risk_level, c.created_at, 'system', 'system', 'found' FROM client c
    WHERE NOT EXISTS (SELECT 1 FROM client_risk_change h WHERE h.client_id = c.id)
    ORDER BY c.id;
$$;
"""


#: what runs as its owner is called by triggers, and by nobody else
CLOSE = """
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT p.oid::regprocedure AS called FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'public' AND p.prosecdef AND p.prorettype = 'trigger'::regtype
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', found.called);
    END LOOP;
END $$
"""


def upgrade() -> None:
    op.execute(TELL_RISK_HISTORY)
    op.execute(CLOSE)
