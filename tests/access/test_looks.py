"""Every page and operation that is read is a look at somebody's data, or says why it is none."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.guard import access_of
from dashboard.access.permissions import Audience, Role
from dashboard.audit import looking
from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.database import session
from dashboard.home import looks

#: which arguments name the client whose data a page shows
CLIENT = set(looks.CLIENT)


def read_by_the_house(app: Flask) -> dict[str, set[str]]:
    """Endpoints of staff and of machines of the house that are read, with their arguments."""
    found = {}
    for rule in app.url_map.iter_rules():
        access = access_of(app, rule.endpoint)
        declared = access is not None and access.permission is not None and access.audience != Audience.FRONTOFFICE
        if declared and "GET" in (rule.methods or ()):
            found[rule.endpoint] = set(rule.arguments)
    return found


def test_every_page_is_a_look_or_is_listed_with_its_reason(application: Flask) -> None:
    pages = read_by_the_house(application)
    reasons = [endpoint for endpoints in looks.NO_LOOK.values() for endpoint in endpoints]
    assert len(reasons) == len(set(reasons)), "one reason for each"
    of_clients = {endpoint for endpoint, arguments in pages.items() if arguments & CLIENT}
    looked = set(looks.PAGES) | looks.RECORDED_THERE | of_clients
    assert not looked & set(reasons), f"a look, and listed as none: {looked & set(reasons)}"
    open_questions = sorted(set(pages) - looked - set(reasons))
    assert not open_questions, f"name them in home/looks.py, as a look or with the reason: {open_questions}"
    gone = sorted((set(looks.PAGES) | set(reasons)) - set(pages))
    assert not gone, f"no such page: {gone}"
    for endpoint, look in looks.PAGES.items():
        assert look.argument is None or look.argument in pages[endpoint], endpoint


def test_pages_that_show_clients_are_looks_once_in_ten_minutes(
    app: Flask, signed_in: Callable[..., FlaskClient]
) -> None:
    senior, auditor = signed_in(Role.SENIOR_OFFICER), signed_in(Role.AUDITOR)
    for browser, path, action in (
        (senior, "/", "work.listed"), (senior, "/queues/client-review", "work.listed"),
        (senior, "/approvals", "approvals.listed"), (senior, "/approvals?view=all", "approvals.listed"),
        (senior, "/find?text=lovelace", "clients.found"), (auditor, "/audit", "audit_events.listed"),
        (auditor, "/audit?who=lovelace", "audit_events.listed"),
    ):  # fmt: skip
        assert browser.get(path).status_code == 200, path
        found = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == action)).all()
        assert len(found) == 1 and found[0].payload_digest is None, path


def test_an_export_keeps_names_of_filters_that_its_list_has_and_counts_the_others(
    app: Flask, signed_in: Callable[..., FlaskClient]
) -> None:
    browser = signed_in(Role.OFFICER)
    asked = urlencode({"text": "Grace", "status": "", "Ada Lovelace": "1", "LT12 3456": "x", "cursor": ""})
    assert browser.get(f"/transfers/export/csv?{asked}").status_code == 200
    assert browser.get("/ledger/accounts/export?format=csv&currency=eur&Ada+Lovelace=").status_code == 200
    said = [
        session().get_one(AuditPayload, event.id).after
        for event in session().scalars(
            sa.select(AuditEvent).where(AuditEvent.action == looking.EXPORTED).order_by(AuditEvent.id)
        )
    ]
    assert said == [
        {"list": "transfers.export", "format": "csv", "filters": ["2 unknown", "text"]},
        {"list": "ledger.accounts_export", "format": "csv", "filters": ["currency", "format"]},
    ]
    assert "Lovelace" not in str(said) and "Grace" not in str(said)
