"""Every address declares who may call it, and the whole table is kept where a review sees each change."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask

from dashboard.access.guard import access_of

SNAPSHOT = Path(__file__).with_name("routes.txt")


def route_table(app: Flask) -> str:
    lines = []
    for rule in app.url_map.iter_rules():
        methods = ",".join(sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}))
        lines.append(f"{rule.rule:<62} {methods:<9} {access_of(app, rule.endpoint)}")
    return "\n".join(sorted(lines)) + "\n"


def test_no_route_is_without_a_declared_audience(application: Flask) -> None:
    undeclared = [
        rule.rule for rule in application.url_map.iter_rules() if access_of(application, rule.endpoint) is None
    ]
    assert not undeclared, f"declare access with @requires, @api_requires or @public: {undeclared}"


def test_the_route_table_is_the_one_that_was_reviewed(application: Flask) -> None:
    table = route_table(application)
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        SNAPSHOT.write_text(table)
    assert table == SNAPSHOT.read_text(), "a route changed: run UPDATE_SNAPSHOTS=1 make test and review the diff"


def test_documented_operations_are_never_open_to_staff_cookies(application: Flask) -> None:
    for rule in application.url_map.iter_rules():
        access = access_of(application, rule.endpoint)
        if rule.rule.startswith(("/internal", "/integration", "/Client")):
            # providers sign their callbacks; no token and no cookie opens them
            signed = access is not None and access.reason == "signed body"
            assert access is not None and (access.audience is not None or signed), rule.rule
