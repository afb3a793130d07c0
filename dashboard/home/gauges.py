"""What waits and how old it is, for Prometheus: read from the database when somebody asks, so each process tells the
same. No label names a person or an object of one: kinds, queues, providers and jobs only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from dashboard import clock
from dashboard.audit import sealing
from dashboard.background import kinds
from dashboard.background.queries import UNFINISHED
from dashboard.database import session
from dashboard.home.worklist import QUEUES

Gauges = Iterator[GaugeMetricFamily]
PREFIX = "countinghouse_"


def _gauge(name: str, told: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, told, labels=labels)


def background_work() -> Gauges:
    """Work that was asked for and has not ended."""
    waiting = _gauge("background_jobs", "Background work by kind and state.", "kind", "state")
    oldest = _gauge("background_oldest_seconds", "Age of the oldest work that has not ended, by state.", "state")
    rows = session().execute(
        sa.text(
            "SELECT kind, state, count(*) AS jobs, extract(epoch FROM now() - min(asked_at)) AS age FROM background_job"
            " WHERE state IN ('queued', 'running') GROUP BY kind, state"
        )
    )
    found = {(row.kind, row.state): row for row in rows}
    # what a former release had asked for is told as well
    for kind in sorted({*kinds.registered(), *(kind for kind, _ in found)}):
        for state in UNFINISHED:
            row = found.get((kind, state))
            waiting.add_metric([kind, state], row.jobs if row else 0)
    for state in UNFINISHED:
        oldest.add_metric([state], float(max((row.age for (_, its), row in found.items() if its == state), default=0)))
    yield from (waiting, oldest)


def queue_items() -> Gauges:
    """Work for people."""
    waiting = _gauge("queue_items", "Open items of a queue.", "queue")
    late = _gauge("queue_items_late", "Open items of a queue whose time is over.", "queue")
    oldest = _gauge("queue_oldest_seconds", "Age of the oldest open item of a queue.", "queue")
    rows = session().execute(
        sa.text(
            "SELECT queue, count(*) AS items, count(*) FILTER (WHERE due_at < now()) AS late,"
            " extract(epoch FROM now() - min(opened_at)) AS age FROM queue_item"
            # requests that somebody has taken are told among the approvals
            " WHERE closed_at IS NULL AND queue <> 'approvals' GROUP BY queue"
        )
    )
    found = {row.queue: row for row in rows}
    for queue in sorted({*QUEUES, *found}):
        row = found.get(queue)
        waiting.add_metric([queue], row.items if row else 0)
        late.add_metric([queue], row.late if row else 0)
        oldest.add_metric([queue], float(row.age) if row else 0)
    yield from (waiting, late, oldest)


def open_approvals() -> Gauges:
    """Requests that wait for a second person."""
    row = session().execute(
        sa.text(
            "SELECT count(*) AS open, coalesce(extract(epoch FROM now() - min(requested_at)), 0) AS age"
            " FROM approval_request WHERE state = 'requested' AND expires_at > now()"
        )
    ).one()  # fmt: skip
    waiting = _gauge("approvals_open", "Requests for approval that nobody has decided.")
    waiting.add_metric([], row.open)
    oldest = _gauge("approvals_oldest_seconds", "Age of the oldest request that nobody has decided.")
    oldest.add_metric([], float(row.age))
    yield from (waiting, oldest)


def outbox() -> Gauges:
    """Transfers that are on their way to a provider, or whose fate it has not told."""
    lines = _gauge(
        "outbox_lines", "Lines of the outbox that have not ended, by provider and state.", "provider", "state"
    )
    oldest = _gauge("outbox_oldest_seconds", "Age of the oldest line that has not been sent.", "provider")
    rows = (
        session()
        .execute(
            sa.text(
                "SELECT p.key AS provider, s.state, count(s.state) AS lines,"
                " extract(epoch FROM now() - min(s.created_at) FILTER (WHERE s.state IN ('waiting', 'sending'))) AS age"
                " FROM provider p LEFT JOIN submission s"
                " ON s.provider = p.key AND s.state IN ('waiting', 'sending', 'sent', 'unknown')"
                " GROUP BY p.key, s.state ORDER BY p.key, s.state"
            )
        )
        .all()
    )
    ages: dict[str, float] = {}
    for row in rows:
        ages[row.provider] = max(ages.get(row.provider, 0.0), float(row.age or 0))
        if row.state is not None:
            lines.add_metric([row.provider, row.state], row.lines)
    for provider, age in ages.items():
        oldest.add_metric([provider], age)
    yield from (lines, oldest)


def provider_messages() -> Gauges:
    """What Sumsub told and nobody has processed."""
    row = session().execute(
        sa.text(
            "SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(received_at)), 0) AS age"
            " FROM (SELECT received_at FROM sumsub_event WHERE verdict = 'accepted' AND processed_at IS NULL"
            " ORDER BY id LIMIT 10000) AS waiting_ones"
        )
    ).one()  # fmt: skip
    waiting = _gauge("verification_events_waiting", "Verification events that wait to be processed; at most 10,000.")
    waiting.add_metric([], row.waiting)
    oldest = _gauge("verification_events_oldest_seconds", "Age of the oldest verification event that waits.")
    oldest.add_metric([], float(row.age))
    yield from (waiting, oldest)


def statements() -> Gauges:
    """How far the banks' statements reach. An account without any has no age, and is counted."""
    age = _gauge(
        "statement_age_days",
        "Calendar days since the day that the newest statement closes; of several accounts the oldest.",
        "provider", "currency",
    )  # fmt: skip
    missing = _gauge("statement_accounts_without", "Registered bank accounts without any statement.", "provider")
    rows = session().execute(
        sa.text(
            "SELECT b.provider, b.currency, max(CAST(:today AS date) - newest.last_day) AS oldest,"
            " count(*) FILTER (WHERE newest.last_day IS NULL) AS missing"
            " FROM treasury_account t JOIN bank_account b ON b.id = t.bank_account_id"
            " LEFT JOIN LATERAL (SELECT last_day FROM statement s WHERE s.bank_account_id = b.id AND s.standing"
            " AND s.kind = 'statement' ORDER BY last_day DESC LIMIT 1) AS newest ON true"
            " WHERE t.closed_on IS NULL GROUP BY b.provider, b.currency ORDER BY b.provider, b.currency"
        ),
        {"today": clock.calendar().today()},
    )
    without: dict[str, int] = {}
    for row in rows:
        without[row.provider] = without.get(row.provider, 0) + row.missing
        if row.oldest is not None:
            age.add_metric([row.provider, row.currency], row.oldest)
    for provider, count in without.items():
        missing.add_metric([provider], count)
    yield from (age, missing)


def job_runs() -> Gauges:
    """What the clock did last."""
    began = _gauge("job_last_start_timestamp_seconds", "When a job last began.", "job")
    succeeded = _gauge("job_last_success_timestamp_seconds", "When a job last ended well.", "job")
    failing = _gauge("job_failing", "1 where the last run of a job that ended has failed or was lost.", "job")
    paused = _gauge("job_paused", "1 where somebody paused a job.", "job")
    rows = session().execute(
        sa.text(
            "SELECT j.job, j.paused_at IS NOT NULL AS paused, extract(epoch FROM last.started_at) AS began,"
            " extract(epoch FROM good.finished_at) AS succeeded, ended.state IN ('failed', 'lost') AS failing"
            " FROM job_setting j"
            " LEFT JOIN LATERAL (SELECT started_at FROM job_run r WHERE r.job = j.job AND started_at IS NOT NULL"
            " ORDER BY id DESC LIMIT 1) AS last ON true"
            " LEFT JOIN LATERAL (SELECT finished_at FROM job_run r WHERE r.job = j.job AND state = 'succeeded'"
            " ORDER BY id DESC LIMIT 1) AS good ON true"
            " LEFT JOIN LATERAL (SELECT state FROM job_run r WHERE r.job = j.job AND finished_at IS NOT NULL"
            " ORDER BY id DESC LIMIT 1) AS ended ON true ORDER BY j.job"
        )
    )
    for row in rows:
        if row.began is not None:
            began.add_metric([row.job], float(row.began))
        if row.succeeded is not None:
            succeeded.add_metric([row.job], float(row.succeeded))
        failing.add_metric([row.job], int(bool(row.failing)))
        paused.add_metric([row.job], int(row.paused))
    yield from (began, succeeded, failing, paused)


def seals() -> Gauges:
    """Events of the audit that wait for their place in the chain."""
    queue = sealing.queue()
    waiting = _gauge("audit_unsealed", "Events of the audit that wait for their seal.")
    waiting.add_metric([], queue.events)
    oldest = _gauge("audit_unsealed_oldest_seconds", "Age of the oldest event of the audit that waits for its seal.")
    oldest.add_metric([], queue.oldest.total_seconds())
    yield from (waiting, oldest)


ALL = (background_work, queue_items, open_approvals, outbox, provider_messages, statements, job_runs, seals)


class _Collector:
    def collect(self) -> Iterable[Metric]:
        for part in ALL:
            yield from part()


def exposed() -> bytes:
    """All of it as Prometheus reads it. Raises SQLAlchemyError where the database cannot be asked."""
    registry = CollectorRegistry()
    registry.register(_Collector())  # type: ignore[arg-type]
    return generate_latest(registry)


def database_up(up: bool) -> bytes:
    """Whether the gauges above could be read."""
    gauge = _gauge("database_up", "1 where the database answered.")
    gauge.add_metric([], int(up))
    registry = CollectorRegistry()
    registry.register(_Known(gauge))  # type: ignore[arg-type]
    return generate_latest(registry)


class _Known:
    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def collect(self) -> Iterable[Metric]:
        return [self.metric]
