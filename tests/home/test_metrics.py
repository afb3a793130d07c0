"""Figures for Prometheus: for who knows the token, of all processes together, and without anybody's data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from dashboard.access import tokens
from dashboard.access.permissions import Audience, Role
from dashboard.database import transaction
from dashboard.home import gauges
from dashboard.settings import ROOT, Settings, SettingsError, load
from dashboard.web import limits
from tests.clients.making import company
from tests.conftest import Databases, People, own_database

TOKEN = "a-token-for-prometheus"
ASKING = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def measured(
    databases: Databases, configured: Settings, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    chosen = replace(configured, metrics_token=TOKEN)
    # limits are laid down when the application is made, and count where a test says so
    monkeypatch.setattr(limits.limiter, "enabled", True)
    with own_database(databases, chosen, again=False) as app, app.app_context():
        monkeypatch.setattr(limits.limiter, "enabled", False)
        yield app


def figures(http: FlaskClient) -> dict[str, float]:
    answer = http.get("/metrics", headers=ASKING)
    assert answer.status_code == 200 and answer.mimetype == "text/plain"
    return {
        sample.name + "".join(f"|{value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.get_data(as_text=True))
        for sample in family.samples
    }


def test_figures_tell_requests_and_what_waits_and_name_nobody(measured: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    http = measured.test_client()
    before = figures(http)
    assert before["countinghouse_database_up"] == 1
    assert before["countinghouse_queue_items|client-review"] == 0
    assert before["countinghouse_approvals_open"] == 0
    assert before["countinghouse_audit_unsealed"] == before["countinghouse_audit_unsealed_oldest_seconds"] == 0

    client = company(People().actor(Role.OFFICER))
    with transaction() as session:
        _token, secret = tokens.create(
            audience=Audience.SYSTEM, scopes=tokens.resolve_scopes(Audience.SYSTEM, []), name="reader"
        )
        session.execute(sa.text("UPDATE queue_item SET due_at = now() - interval '1 hour'"))
        session.execute(
            sa.text(
                "INSERT INTO background_job (id, kind, state, arguments, asked_by_kind, asked_by_name, asked_at)"
                " VALUES (gen_random_uuid(), 'balance-check', 'queued', '{}', 'system', 'system',"
                " now() - interval '90 seconds')"
            )
        )
        session.execute(sa.text("INSERT INTO job_setting (job, since) VALUES ('daily', now()) ON CONFLICT DO NOTHING"))
        session.execute(
            sa.text(
                "INSERT INTO job_run (id, job, scheduled_at, state, asked_by_kind, asked_by, started_at, finished_at,"
                " failure) VALUES (gen_random_uuid(), 'daily', now(), 'failed', 'system', 'system', now(), now(), 'x')"
            )
        )
    for _ in range(3):
        http.get(f"/internal/Clients/{client.id}", headers={"Authorization": f"Bearer {secret}"})
    http.get(f"/no-such-page/{client.id}")
    http.open("/sign-in", method="INVENTED")
    after = figures(http)
    route = "/internal/Clients/<uuid:clientId>"
    assert after[f"countinghouse_requests_total|GET|{route}|200"] == 3
    assert after[f"countinghouse_request_seconds_count|GET|{route}"] == 3
    assert after["countinghouse_requests_total|GET|none|404"] == 1
    assert after["countinghouse_requests_total|other|none|405"] == 1
    assert after["countinghouse_queue_items|client-review"] == after["countinghouse_queue_items_late|client-review"] > 0
    assert after["countinghouse_background_jobs|balance-check|queued"] == 1
    assert after["countinghouse_background_oldest_seconds|queued"] >= 90
    assert after["countinghouse_job_failing|daily"] == 1
    assert after["countinghouse_audit_unsealed"] > 0 < after["countinghouse_audit_unsealed_oldest_seconds"] < 3600
    text = http.get("/metrics", headers=ASKING).get_data(as_text=True)
    assert str(client.id) not in text and "Nord" not in text and "INVENTED" not in text

    # while the database is away, requests are told all the same
    def away() -> bytes:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("away"))

    monkeypatch.setattr(gauges, "exposed", away)
    away_now = figures(http)
    assert away_now["countinghouse_database_up"] == 0
    assert away_now[f"countinghouse_requests_total|GET|{route}|200"] == 3


def test_figures_are_for_who_knows_the_token_and_without_one_there_is_no_page(
    measured: Flask, http: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = measured.test_client()
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
    ):
        answer = caller.get("/metrics", headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert b"countinghouse_" not in answer.get_data()
    monkeypatch.setattr(limits.limiter, "enabled", True)
    statuses = [caller.get("/metrics").status_code for _ in range(2 * limits.REFUSALS_A_MINUTE + 1)]
    assert statuses.count(429) > 0 and set(statuses) == {401, 429}
    assert caller.get("/metrics", headers=ASKING).status_code == 200
    monkeypatch.setattr(limits.limiter, "enabled", False)
    # `http` is the application without a token
    assert http.get("/metrics", headers=ASKING).status_code == 404


def test_what_several_processes_counted_is_told_together(tmp_path: Path) -> None:
    counting = (
        "import sys; from dashboard.web.metrics import RequestCounts; counts = RequestCounts();"
        "counts.add('GET', '/clients', 200, 0.01) if sys.argv[1] == 'count' else print(counts.exposed().decode())"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def run(what: str) -> str:
        command = [sys.executable, "-c", counting, what]
        return subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    run("count")
    run("count")
    told = run("tell")
    assert 'countinghouse_requests_total{method="GET",route="/clients",status="200"} 2.0' in told
    assert 'countinghouse_request_seconds_count{method="GET",route="/clients"} 2.0' in told


@pytest.mark.parametrize("token", ["short", "with a space in the middle", "ünprintable-in-a-header"])
def test_a_token_that_could_be_guessed_or_not_be_sent_stops_the_start(token: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load({"METRICS_TOKEN": token})
    assert "METRICS_TOKEN" in refusal.value.message and token not in refusal.value.message
