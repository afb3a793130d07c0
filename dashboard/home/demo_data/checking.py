"""What must hold in a database, whoever filled it: each rule as a query that finds what breaks it."""

from __future__ import annotations

import psycopg

RULES = {
    "blocked means an active block stands": """
        SELECT 1 FROM client c FULL JOIN (SELECT DISTINCT client_id FROM client_block WHERE lifted_at IS NULL) b
        ON b.client_id = c.id WHERE (c.status = 'blocked') IS DISTINCT FROM (b.client_id IS NOT NULL)
    """,
    "a client counts its open flags": """
        SELECT 1 FROM client c LEFT JOIN (
            SELECT client_id, count(*) FILTER (WHERE severity >= 2) AS open, max(severity) AS worst
            FROM client_flag WHERE closed_at IS NULL GROUP BY client_id
        ) f ON f.client_id = c.id
        WHERE (c.open_flags, c.worst_flag) <> (coalesce(f.open, 0), coalesce(f.worst, 0))
    """,
    "who has open check or stop flags waits for review": """
        SELECT 1 FROM (SELECT id FROM client WHERE open_flags > 0) c FULL JOIN (
            SELECT object_id FROM queue_item WHERE queue = 'client-review' AND closed_at IS NULL
        ) q ON q.object_id = c.id WHERE c.id IS NULL OR q.object_id IS NULL
    """,
    "who is ready waits for activation": """
        SELECT 1 FROM (
            SELECT id FROM client WHERE status = 'inactive' AND open_flags = 0 AND risk_level < 4
        ) c FULL JOIN (
            SELECT object_id FROM queue_item WHERE queue = 'activation' AND closed_at IS NULL
        ) q ON q.object_id = c.id WHERE c.id IS NULL OR q.object_id IS NULL
    """,
    "each active block waits for its review": """
        SELECT 1 FROM (SELECT id FROM client_block WHERE lifted_at IS NULL) b FULL JOIN (
            SELECT object_id FROM queue_item WHERE queue = 'block-review' AND cause = 'review' AND closed_at IS NULL
        ) q ON q.object_id = b.id WHERE b.id IS NULL OR q.object_id IS NULL
    """,
    "an active client was activated by two people": """
        SELECT 1 FROM client c LEFT JOIN approval_request r
        ON r.id = c.activation_approval_id AND r.object_id = c.id
        AND r.kind = 'client.activate' AND r.state = 'approved'
        WHERE 'active' IN (c.status, c.status_before_block) AND r.id IS NULL
    """,
    "a lifted block names its approved request": """
        SELECT 1 FROM client_block b LEFT JOIN approval_request r
        ON r.id = b.lift_approval_id AND r.state = 'approved' AND r.kind = 'client.unblock' AND r.object_id = b.id
        WHERE b.lifted_at IS NOT NULL AND r.id IS NULL
    """,
    "a client has the profile of its type": """
        SELECT 1 FROM client c LEFT JOIN individual i ON i.client_id = c.id LEFT JOIN company o ON o.client_id = c.id
        WHERE (c.type = 'individual') <> (i.client_id IS NOT NULL) OR (c.type = 'company') <> (o.client_id IS NOT NULL)
    """,
    "each client has an event of its creation": """
        SELECT 1 FROM client c LEFT JOIN audit_event e ON e.client_id = c.id AND e.action = 'client.created'
        GROUP BY c.id HAVING count(e.id) <> 1
    """,
    "nothing has happened in the future": """
        SELECT 1 FROM audit_event WHERE occurred_at > now() UNION ALL SELECT 1 FROM client WHERE updated_at > now()
    """,
}


def broken_rules(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """The names of the rules that some row breaks."""
    return [name for name, query in RULES.items() if connection.execute(f"{query} LIMIT 1").fetchone()]
