"""A comparison with Sumsub of the last night: one difference that is open, and one that was a lost event.

It is written about applicants that the load has made; where there are none, nothing was compared.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from random import Random

import psycopg

from dashboard.home.demo_data import evidence
from dashboard.home.demo_data.plan import Colleague, Days, Plan, milliseconds
from dashboard.home.demo_data.rows import Sheets, identifier, moment
from dashboard.onboarding.pulling.vocabulary import CAUSE, OBJECT, QUEUE

_AT = time(3, 20, tzinfo=UTC)
_SECOND = 1_000
_BY = Colleague("", "daily comparison", "system", "system")

_RUN = (
    "INSERT INTO verification_comparison (id, started_at, finished_at, applicants, applied, differing, unanswered,"
    " resolved, by_kind, by_name) VALUES (%s, %s, %s, %s, %s, %s, 0, 0, 'system', 'daily comparison')"
)
_DIFFERENCE = (
    "INSERT INTO verification_difference (id, applicant_id, client_id, field, ours, theirs, found_at, seen_at,"
    " comparison_id, state, closing, closed_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


def write(connection: psycopg.Connection[tuple[object, ...]], plan: Plan, days: Days) -> Sheets:
    """The run and its differences; gives what is to be copied with them: the queue item and the evidence."""
    random, sheets = Random(f"comparison {plan.seed}"), Sheets()  # noqa: S311 invents, protects nothing
    total = connection.execute("SELECT count(*) FROM sumsub_applicant").fetchone()
    approved = connection.execute(
        "SELECT applicant_id, client_id, level FROM sumsub_applicant"
        " WHERE client_id IS NOT NULL AND state = 'approved' AND level IS NOT NULL ORDER BY applicant_id LIMIT 2"
    ).fetchall()
    if total is None or len(approved) < 2:
        return sheets
    began = milliseconds(datetime.combine(plan.today - timedelta(days=1), _AT))
    run_id, found = identifier(began, random), began + 2 * _SECOND
    connection.execute(_RUN, (run_id, moment(began), moment(began + 30 * _SECOND), total[0], 1, 1))
    for (applicant, client, level), lost in zip(approved, (False, True), strict=True):
        difference = identifier(found, random)
        ends = (moment(found), moment(found), run_id)
        if lost:
            row = (difference, applicant, client, "state", "pending", "approved", *ends, "resolved", "applied", ends[0])
            said, pair = "state", {"ours": "pending", "theirs": "approved"}
        else:
            row = (difference, applicant, client, "level", level, f"{level}-enhanced", *ends, "open", None, None)
            said, pair = "level", {"ours": str(level), "theirs": f"{level}-enhanced"}
            sheets.add(
                "queue_item", identifier(found, random), QUEUE, CAUSE, OBJECT, difference, str(client), True,
                moment(found), moment(days.due(found, 1)), None,
            )  # fmt: skip
        connection.execute(_DIFFERENCE, row)
        evidence.write(
            sheets, random, found, "verification.difference_found", _BY, OBJECT, difference, str(client),
            {"after": {"field": said}, "restricted": pair},
        )  # fmt: skip
        if lost:
            evidence.write(
                sheets, random, found, "verification.difference_resolved", _BY, OBJECT, difference, str(client),
                {"after": {"field": said, "how": "applied"}},
            )  # fmt: skip
        found += _SECOND
    return sheets
