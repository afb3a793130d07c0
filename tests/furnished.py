"""A house with something of everything: the demo's data, statements imported and matched, checks run. For tests that
walk over all pages; they read it, and what they write they may not count on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask

from dashboard.access import tokens
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import DEFAULT_SCOPES, Audience
from dashboard.app import create_app
from dashboard.background import runner
from dashboard.clients.documents.store import Store
from dashboard.database import db, session, transaction
from dashboard.home.demo_data import comparison, deletions, documents, loading, unrecognized, verification
from dashboard.home.demo_data.statements import bookings, folder
from dashboard.settings import Settings
from dashboard.staff import services as staff
from dashboard.treasury.checks.services import asking as checks
from dashboard.treasury.matching.services import runs
from dashboard.treasury.register import queries as register
from dashboard.treasury.statements.services import importing
from dashboard.treasury.statements.services.staging import Staging
from dashboard.views import services as views
from dashboard.web.limits import limiter
from tests.conftest import Browser, Databases

#: where the arguments of an address come from: the beginning of its rule, and a query whose columns are arguments. The
#: first that begins alike and has a column for each argument counts; its rows are tried in turn.
SOURCES = (
    (
        "/clients/<uuid:client_id>/blocks",
        "SELECT client_id, id AS block_id FROM client_block WHERE lifted_at IS NULL ORDER BY code ="
        " 'NOT_STATED' DESC, id",
    ),
    (
        "/clients/<uuid:client_id>/activate",
        "SELECT object_id AS client_id FROM queue_item WHERE queue = 'activation' AND closed_at IS NULL",
    ),
    (
        "/clients/<uuid:client_id>/deletion/",
        "SELECT client_id, id AS request_id FROM deletion_request ORDER BY closed_at IS NOT NULL, id",
    ),
    (
        "/clients/<uuid:client_id>/documents",
        "SELECT client_id, id AS document_id, 1 AS page FROM client_document ORDER BY state = 'received'"
        " DESC, id",
    ),
    (
        "/clients/<uuid:client_id>/flags",
        "SELECT client_id, id AS flag_id FROM client_flag WHERE closed_at IS NULL ORDER BY severity DESC",
    ),
    ("/clients/<uuid:client_id>/holds", "SELECT client_id, id AS hold_id FROM legal_hold ORDER BY id"),
    ("/clients/<uuid:client_id>/marks", "SELECT client_id, id AS mark_id FROM client_mark ORDER BY id"),
    ("/approvals/rules/<kind>", "SELECT 'client.unblock' AS kind"),
    ("/approvals/", "SELECT id AS request_id FROM approval_request ORDER BY state = 'requested' DESC, id DESC"),
    ("/audit/", "SELECT id AS event_id FROM audit_event ORDER BY id DESC"),
    ("/staff/tokens/", "SELECT id AS token_id FROM api_token ORDER BY id"),
    ("/staff/me/sessions/", "SELECT id AS session_id FROM staff_session WHERE ended_at IS NOT NULL"),
    ("/staff/invitations/", "SELECT id AS invitation_id FROM staff_invitation ORDER BY id"),
    (
        "/staff/<uuid:member_id>",
        "SELECT id AS member_id FROM staff_member WHERE role NOT IN ('admin', 'senior-officer') ORDER BY id",
    ),
    (
        "/transfers/rules/<rule>/<key>",
        "SELECT 'desk_limit' AS rule, currency AS key FROM desk_limit ORDER BY currency",
    ),
    ("/ledger/payments/", "SELECT id AS payment_id FROM payment WHERE state = 'posted' ORDER BY id DESC"),
    ("/ledger/days/", "SELECT day FROM business_day WHERE state = 'closed' ORDER BY day DESC"),
    ("/ledger/owners/", "SELECT owner_id FROM account WHERE owner_id IS NOT NULL ORDER BY id"),
    ("/ledger/accounts/", "SELECT id AS account_id FROM account WHERE owner_id IS NOT NULL ORDER BY id DESC"),
    ("/ledger/opening-balances/", "SELECT id AS import_id FROM opening_import"),
    ("/onboarding/events/applicants", "SELECT id AS applicant_id FROM sumsub_applicant ORDER BY id"),
    ("/onboarding/events/", "SELECT id AS event_id FROM sumsub_event WHERE verdict = 'accepted' ORDER BY id"),
    (
        "/onboarding/differences/",
        "SELECT id AS difference_id FROM verification_difference ORDER BY closed_at IS NOT NULL, id",
    ),
    ("/transfers/providers/", "SELECT key FROM provider ORDER BY key"),
    ("/transfers/requests/", "SELECT id AS request_id FROM incoming_request ORDER BY id DESC"),
    ("/transfers/unrecognized/rules/", "SELECT id AS rule_id FROM payer_rule ORDER BY id"),
    ("/transfers/unrecognized/", "SELECT transfer_id FROM receipt ORDER BY state = 'open' DESC, transfer_id"),
    (
        "/transfers/<uuid:transfer_id>/execute",
        "SELECT id AS transfer_id FROM transfer WHERE status IN ('submitted', 'unknown', 'manualReview')"
        " ORDER BY status = 'submitted' DESC",
    ),
    (
        "/transfers/<uuid:transfer_id>",
        "SELECT id AS transfer_id FROM transfer WHERE kind = 'outgoing' ORDER BY status = 'manualReview'"
        " DESC, id DESC",
    ),
    ("/treasury/reconciliation/matches", "SELECT id AS match_id FROM recon_match ORDER BY id"),
    ("/treasury/breaks/", "SELECT id AS break_id FROM recon_break ORDER BY state = 'open' DESC, id"),
    ("/treasury/checks/alerts", "SELECT id AS alert_id FROM treasury_alert ORDER BY id"),
    ("/treasury/checks/runs", "SELECT id AS run_id FROM daily_check_run ORDER BY id DESC"),
    ("/treasury/statements/files", "SELECT id AS import_id FROM statement_import ORDER BY id DESC"),
    ("/treasury/statements/mappings", "SELECT id AS account_id FROM bank_account ORDER BY id"),
    ("/treasury/statements/", "SELECT id AS statement_id FROM statement ORDER BY id DESC"),
    ("/treasury/movements/", "SELECT id AS movement_id FROM own_movement ORDER BY id DESC"),
    ("/treasury/days/", "SELECT day, pool, currency FROM treasury_day ORDER BY day DESC"),
    ("/treasury/safeguarding/evidence", "SELECT id AS pack_id FROM evidence_pack ORDER BY id DESC"),
    ("/treasury/safeguarding/versions", "SELECT id AS version_id FROM treasury_day ORDER BY id DESC"),
    ("/treasury/", "SELECT id AS bank_account_id FROM bank_account ORDER BY id"),
    ("/views/", "SELECT id AS view_id FROM saved_view ORDER BY id"),
    ("/clients/<uuid:client_id>", "SELECT id AS client_id FROM client ORDER BY status = 'active' DESC, id"),
    ("/", "SELECT id AS client_id FROM client WHERE status = 'active' ORDER BY id DESC"),
)  # fmt: skip
#: arguments that are words
WORDS = {
    "form": "csv", "kind": "company", "queue": "client-review", "name": "expire-approvals", "country": "LT",
    "filename": "js/keys.js", "figure": "requirement", "pool": "payment-services", "currency": "eur",
    "day": "2026-01-05", "provider": "sandbox", "key": "sandbox",
}  # fmt: skip
#: what some pages are asked for beside their path
QUERIES = {
    "/search": "?text=x",
    "/views/new": "?list=clients&query=status%3Dactive",
    "/treasury/figures/<figure>": "?pool=payment-services&currency=eur&day={day}",
    "/treasury/reconciliation/match": "?account={account}&day={day}",
    "/treasury/reconciliation/report": "?account={account}&from={day}&to={day}",
}
LAST = "SELECT max(day) AS day FROM business_day WHERE state = 'closed'"
BANK = "SELECT bank_account_id AS id FROM statement WHERE standing ORDER BY id"


@dataclass
class Furnished:
    """The application and where its data can be reached. `people`: e-mail addresses of the demo by role."""

    app: Flask
    settings: Settings
    _known: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def arguments(self, rule: Any, most: int = 4) -> list[dict[str, Any]]:
        """Values for the arguments of a rule, the best first; an id that is nobody's where there is nothing."""
        wanted = set(rule.arguments)
        if not wanted:
            return [{}]
        base = {name: WORDS.get(name, "00000000-0000-7000-8000-000000000000") for name in wanted}
        for beginning, query in SOURCES:
            if rule.rule.startswith(beginning):
                rows = self._rows(query, most)
                if rows and set(rows[0]) & wanted:
                    return [{**base, **{name: value for name, value in row.items() if name in wanted}} for row in rows]
        return [base]

    def query(self, rule: Any) -> str:
        """What the address of a page asks for beside its path, where it shows nothing without."""
        return QUERIES.get(rule.rule, "").format(
            day=self._rows(LAST, 1)[0]["day"], account=self._rows(BANK, 1)[0]["id"]
        )

    def _rows(self, query: str, most: int) -> list[dict[str, Any]]:
        if query not in self._known:
            with self.app.app_context():
                found = session().execute(sa.text(f"{query} LIMIT {most}")).mappings()
                self._known[query] = [dict(row) for row in found]
                db.session.remove()
        return self._known[query]


def _imported(path: Path, by: Actor) -> None:
    with transaction():
        row = importing.begin(path, name=path.name, source="command", by=by)
        staging = Staging(row.id, path)
        while staging.step():
            pass
        importing.read_to_the_end(row)
        importing.commit(row.id, by=by)


def _fill(app: Flask, settings: Settings) -> None:
    unrecognized.tell(1)
    documents.tell(Store(settings.instance_path))
    verification.tell(1)
    deletions.tell()
    comparison.tell()
    last = bookings.last_closed()
    assert last is not None
    with transaction():
        treasurer = staff.actor_named("treasurer@demo.example")
    for day in folder.write(settings.instance_path / "demo-statements", last, earlier=0, owner="Kontora Money UAB"):
        for path in day.files:
            _imported(path, treasurer)
    for view in register.accounts():
        with transaction():
            run_id = runs.ask(view.id, last, dry=False, by=system("matching")).id
            runs.perform(run_id, by=system("matching"))
    with transaction():
        job = checks.ask(day=last, by=treasurer).id
        senior = staff.actor_named("senior.officer@demo.example")
        views.save("clients", "status=blocked", name="Blocked", shared=True, by=senior)
        tokens.create(audience=Audience.SYSTEM, scopes=DEFAULT_SCOPES[Audience.SYSTEM], name="A front office")
    db.session.remove()
    runner.run_one(app, threading.Event(), job_id=job)


@contextmanager
def furnish(databases: Databases, configured: Settings, folder_: Path, name: str) -> Iterator[Furnished]:
    """An application on a furnished database of its own, which is gone afterwards."""
    app_url, owner_url = databases.clone(name)
    chosen = replace(
        configured, database_url=app_url, migration_database_url=owner_url, instance_path=folder_,
        metrics_token="a-token-for-prometheus",
    )  # fmt: skip
    loading.load(owner_url, chosen, clients=120, transactions=1_500, seed=1)
    app = create_app(chosen)
    app.test_client_class = Browser
    app.config.update(TESTING=True, RATELIMIT_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    limiter.enabled = False
    with app.app_context():
        _fill(app, chosen)
        db.session.remove()
    yield Furnished(app, chosen)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
        app.extensions["countinghouse.lane"].close()
    databases.drop(name)
