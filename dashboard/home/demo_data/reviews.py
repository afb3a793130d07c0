"""Reviews of the demo's clients: planned for all, completed for those whose time has come, a few of them due or late;
some marks, and owners of flags.

Set-based, so that a million clients take seconds; which client gets what depends on its id, which depends on the seed.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from dashboard.clock import BusinessCalendar
from dashboard.home.demo_data.plan import Plan
from dashboard.settings import Settings

#: of the clients whose time has come, so many are left due: days until, or since, the next review
DUE = (-16, -9, -6, -3, -1, 2, 4, 9, 13, 20, 26)
ESCALATED_AFTER = 5
RESTRICTED_AFTER = 20
REASONS = (
    "Profile and documents seen again; nothing has changed.",
    "Turnover agrees with what was declared. Register extract of this month in the file.",
    "Source of funds asked for and explained; adverse media searched, nothing found.",
)

#: a UUIDv7 of a moment, the same in every load
_AN_ID = (
    "(lpad(to_hex((extract(epoch FROM {moment}) * 1000)::bigint), 12, '0') || '7' || substr(md5({about}), 1, 3)"
    " || '8' || substr(md5({about}), 4, 15))::uuid"
)
#: the days on which a client's documents run out, as `services.plan` reads them
_EXPIRIES = (
    "SELECT i.document_expiration_date AS day FROM individual i WHERE i.client_id = {of}"
    " UNION ALL SELECT (i.document ->> 'expirationDate')::date FROM related_individual i WHERE i.client_id = {of}"
)
_REVIEWS = f"""
    WITH come AS (
        SELECT x.gone, p.client_id, p.risk_level, p.heightened, p.period_from, p.period_months, p.next_on,
            abs(hashtext(p.client_id::text)) AS draw,
            row_number() OVER (ORDER BY x.gone IS NOT NULL, md5(p.client_id::text)) AS place
        FROM client_review_plan p
        -- a document that ran out has brought its client back: it was reviewed after that
        CROSS JOIN LATERAL (
            SELECT max(e.day) AS gone FROM ({_EXPIRIES.format(of="p.client_id")}) e WHERE e.day < %(today)s::date - 1
        ) x
        WHERE p.running AND p.next_on <= %(today)s::date + 30
    ), at AS (
        SELECT c.*, greatest(c.period_from + 1, c.gone + 1, (CASE
            WHEN c.place <= %(due)s THEN
                (%(today)s::date - make_interval(months => c.period_months))::date + (%(days)s::int[])[c.place]
            ELSE %(today)s::date - 1 - c.draw %% greatest(c.period_months * 30 - 60, 1) END)) AS day
        FROM come c WHERE c.period_from < %(today)s::date - 1
    ), moments AS (
        SELECT a.*, (a.day + time '10:00' + make_interval(mins => a.draw %% 400)) AT TIME ZONE %(zone)s AS moment
        FROM at a
    ), done AS (
        INSERT INTO client_review (id, client_id, reviewed_at, reviewed_on, reviewed_by, reviewed_by_name, due_on,
            risk_before, risk_assessed, risk_after, heightened, outcome, reasons, period_months, next_on)
        SELECT {_AN_ID.format(moment="m.moment", about="m.client_id::text")}, m.client_id, m.moment, m.day,
            (%(ids)s::uuid[])[m.draw %% %(count)s + 1], (%(names)s::text[])[m.draw %% %(count)s + 1], m.next_on,
            m.risk_level, m.risk_level, m.risk_level, m.heightened,
            CASE WHEN m.draw %% 19 = 0 THEN 'conditions' ELSE 'continue' END,
            (%(reasons)s::text[])[m.draw %% 3 + 1], m.period_months,
            least((m.day + make_interval(months => m.period_months))::date,
                (SELECT min(e.day) FROM ({_EXPIRIES.format(of="m.client_id")}) e WHERE e.day > m.day))
        FROM moments m WHERE m.risk_level BETWEEN 1 AND 3 AND m.day < %(today)s::date
        RETURNING id, client_id, reviewed_at, reviewed_on, reviewed_by, reviewed_by_name
    ), moved AS (
        UPDATE client_review_plan p SET period_from = d.reviewed_on, last_review_id = d.id, expires_on = (
            SELECT min(e.day) FROM ({_EXPIRIES.format(of="p.client_id")}) e WHERE e.day > d.reviewed_on
        )
        FROM done d WHERE d.client_id = p.client_id
    )
    INSERT INTO audit_event (id, occurred_at, actor_kind, actor_id, actor_name, actor_role, action, object_type,
        object_id, client_id)
    SELECT {_AN_ID.format(moment="d.reviewed_at", about="'event ' || d.client_id")}, d.reviewed_at, 'staff',
        d.reviewed_by, d.reviewed_by_name, 'officer', 'review.completed', 'client_review', d.id, d.client_id
    FROM done d
"""
_MARKS = f"""
    INSERT INTO client_mark (id, client_id, kind, about, list_name, list_version, said_by, opened_at, opened_by,
        opened_by_name)
    SELECT {_AN_ID.format(moment="f.at", about="f.kind || f.id::text")}, f.id, f.kind, f.about, f.list, f.version,
        'Screening service', f.at, (%(ids)s::uuid[])[1], (%(names)s::text[])[1]
    FROM (
        (SELECT c.id, 'pep' AS kind, btrim(concat(i.first_name, ' ', i.last_name)) AS about,
            'Register of functions' AS list, NULL AS version, c.created_at + interval '2 hours' AS at
        FROM related_individual i JOIN client c ON c.id = i.client_id
        WHERE i.is_pep AND c.status <> 'closed' AND c.created_at < %(today)s::date - interval '1 day'
        ORDER BY c.id LIMIT 3)
        UNION ALL
        (SELECT b.client_id, 'sanctions', NULL, 'EU consolidated list', to_char(b.started_at, 'YYYY-MM-DD'),
            b.started_at
        FROM client_block b WHERE b.lifted_at IS NULL AND b.code = 'SANCTIONS' AND b.scope = 'all'
        ORDER BY b.client_id DESC LIMIT 2)
    ) f
"""
_OWNERS = """
    UPDATE client_flag SET owner_id = (%(ids)s::uuid[])[abs(hashtext(id::text)) %% %(count)s + 1],
        owned_since = opened_at
    WHERE closed_at IS NULL AND severity >= 2 AND abs(hashtext(id::text)) %% 3 = 0
"""


def write(connection: psycopg.Connection[tuple[object, ...]], plan: Plan, settings: Settings) -> None:
    """History of risk, plans, reviews, marks, owners, and the items of what is due. Clients and flags are there."""
    officers = (*plan.officers, *plan.seniors)
    values: dict[str, Any] = {
        "today": plan.today, "due": min(len(DUE), max(plan.clients // 25, 1)), "days": list(DUE), "zone": plan.zone,
        "ids": [one.id for one in officers], "names": [one.name for one in officers], "count": len(officers),
        "reasons": list(REASONS),
    }  # fmt: skip
    connection.execute("SELECT tell_risk_history()")
    connection.execute(
        "SELECT plan_reviews(%s, %s, %s, %s)",
        (settings.review_months_low, settings.review_months_medium, settings.review_months_high, plan.zone),
    )
    if not officers:
        return
    connection.execute(_MARKS, values)
    connection.execute(_REVIEWS, values)
    connection.execute(_OWNERS, values)
    _due(connection, plan, settings)


def _due(connection: psycopg.Connection[tuple[object, ...]], plan: Plan, settings: Settings) -> None:
    """Put what comes within the lead time into the queues, as the nights before would have done."""
    days = BusinessCalendar(plan.country, ZoneInfo(plan.zone))
    horizon = plan.today + timedelta(days=settings.review_lead_days)
    rows = connection.execute(
        "SELECT client_id, next_on, last_review_id FROM client_review_plan WHERE running AND next_on <= %s"
        " ORDER BY next_on, client_id LIMIT 200",
        (horizon,),
    ).fetchall()
    # all history ends before today begins
    now = datetime.combine(plan.today, time(), ZoneInfo(plan.zone))
    for client_id, next_on, last_review_id in rows:
        # one that nobody has reviewed yet entered only now, and still has its days
        asked = days.due_after(now, 5) if last_review_id is None else days.closing(next_on)  # type: ignore[arg-type]
        due_at = max(asked, days.closing(next_on))  # type: ignore[arg-type]
        opened_at = min(now, due_at) - timedelta(days=10)
        late = days.due_after(due_at, ESCALATED_AFTER) < now
        connection.execute(
            "UPDATE client_review_plan SET due_at = %s, escalated_at = %s WHERE client_id = %s",
            (due_at, days.due_after(due_at, ESCALATED_AFTER) if late else None, client_id),
        )
        items = [("client-reviews", "periodic", due_at, opened_at)]
        if late:
            items.append(
                ("overdue-reviews", "overdue", days.due_after(due_at, RESTRICTED_AFTER),
                 days.due_after(due_at, ESCALATED_AFTER))
            )  # fmt: skip
        for queue, cause, due, opened in items:
            connection.execute(
                "INSERT INTO queue_item (id, queue, cause, object_type, object_id, client_id, restricted, opened_at,"
                " due_at) VALUES (md5(%s)::uuid, %s, %s, 'client', %s, %s, true, %s, %s)",
                (f"{queue} {client_id}", queue, cause, client_id, client_id, opened, due),
            )
