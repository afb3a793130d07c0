"""However many events there are, the list reads few: each filter goes by an index, none walks all events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.database import session
from dashboard.onboarding.sumsub import queries
from dashboard.onboarding.sumsub.queries import EventFilter

MANY = 20_000


@pytest.fixture
def many(app: Any) -> None:
    """Twenty thousand ordinary answers, a thousand a day, each with the identifier of its time."""
    session().execute(
        sa.text(
            """
            INSERT INTO sumsub_event (id, received_at, source, verdict, digest, meaning, body, size, delivered_at, type,
                applicant_id, external_user_id, correlation_id, answer, review_status, told_at, ordered_at,
                ordered_rank, processed_at, effect)
            SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
                    || '70008' || lpad(n::text, 15, '0'))::uuid,
                at, 'webhook', 'accepted', md5(n::text), md5(n::text), 'x', 1, at, 'applicantReviewed',
                'ap' || n % 5000, 'eu' || n % 5000, 'co' || n, 'GREEN', 'completed', at, at, 50, at, 'applied'
            FROM generate_series(1, :many) AS n,
                LATERAL (SELECT timestamptz '2026-01-01Z' + n * interval '86.4 s') AS t (at)
            """
        ),
        {"many": MANY},
    )
    # so few lie on pages that are read faster at once than by an index; a million do not
    session().execute(sa.text("SET LOCAL enable_seqscan = off"))


def touched(chosen: EventFilter) -> tuple[int, int]:
    """Rows of events that the plan of the list reads or throws away, and how many it gives."""
    plans: list[Any] = []

    def explain(conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "LIMIT" in statement and "client.name" in statement and not statement.startswith("EXPLAIN"):
            inner = conn.connection.cursor()
            inner.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, parameters)
            plans.append(inner.fetchone()[0])

    engine = session().get_bind()
    sa.event.listen(engine, "before_cursor_execute", explain)
    try:
        rows = queries.find(chosen, limit=51)
    finally:
        sa.event.remove(engine, "before_cursor_execute", explain)
    assert plans
    worst = 0
    for plan in plans:
        read = json.loads(plan) if isinstance(plan, str) else plan
        worst = max(worst, sum(_rows(read[0]["Plan"])))
    return worst, len(rows)


def _rows(node: dict[str, Any]) -> Any:
    if node.get("Relation Name") == "sumsub_event":
        yield (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    for child in node.get("Plans", []):
        yield from _rows(child)


FILTERS = (
    (EventFilter(), 51),
    (EventFilter(about="ap77"), 4),
    (EventFilter(about="co77"), 1),
    (EventFilter(about="nobody"), 0),
    (EventFilter(about="01a22403-d624-7776-a714-6b01019ef822"), 0),
    (EventFilter(about="ap77", answer="RED"), 0),
    (EventFilter(answer="RED"), 0),
    (EventFilter(source="simulation"), 0),
    (EventFilter(state="refused"), 0),
    (EventFilter(state="waiting"), 0),
    (EventFilter(state="sandbox"), 0),
    (EventFilter(received_before=datetime(2020, 1, 1, tzinfo=UTC)), 0),
    (EventFilter(received_before=datetime(2026, 1, 2, tzinfo=UTC)), 51),
    (EventFilter(received_from=datetime(2026, 2, 1, tzinfo=UTC)), 0),
)


def test_a_filter_reads_about_as_many_events_as_it_shows(many: None) -> None:
    told = {chosen: touched(chosen) for chosen, _ in FILTERS}
    assert {chosen: shown for chosen, (_, shown) in told.items()} == dict(FILTERS)
    assert not {chosen: read for chosen, (read, _) in told.items() if read > 200}
