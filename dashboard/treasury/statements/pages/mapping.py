"""How the CSV files of a bank account are read: tried on a sample, then saved as a new version."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid
from dashboard.money import Money
from dashboard.treasury.register import queries as register
from dashboard.treasury.statements.forms import MappingForm
from dashboard.treasury.statements.pages.blueprint import statements
from dashboard.treasury.statements.reading import csv_rows
from dashboard.treasury.statements.reading.csv_rows import Rules
from dashboard.treasury.statements.reading.stream import Unreadable
from dashboard.treasury.statements.services import mappings
from dashboard.web.api import takes_bodies_of
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go

#: bytes and rows of a sample
LARGEST_SAMPLE, MOST_ROWS = 2 * 1024**2, 10

#: where nothing is saved yet
USUAL = {
    "encoding": "utf-8", "delimiter": "semicolon", "decimalMark": "comma", "dateFormat": "YYYY-MM-DD", "named": True,
    "debitWord": "D", "creditWord": "C",
}  # fmt: skip


@dataclass
class Tried:
    """What a mapping makes of a sample: rows as `csv_rows.rows` gives them, or why there are none."""

    rows: list[Any] = field(default_factory=list)
    problem: str | None = None


@statements.route("/mappings/<uuid:account_id>", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
@takes_bodies_of(LARGEST_SAMPLE)
def mapping(account_id: UUID) -> Any:
    """The mapping of a bank account. `Try` shows what it makes of a sample, `Save` makes a new version."""
    account = register.account(account_id)
    current = mappings.current(account_id)
    form, status, tried = MappingForm(), 200, None
    if request.method == "GET":
        form.show(current.rules if current else USUAL)
    else:
        status = 422
        if form.validate():
            try:
                if request.form.get("act") == "save":
                    with transaction():
                        saved = mappings.save(account_id, form.document(), by=current_actor())
                    flash(f"Version {saved.version} of the mapping of {account.said} is saved.", "ok")
                    return go(url_for(".mapping", account_id=account_id))
                tried, status = _tried(Rules.of(form.document()), form.sample.data), 200
            except (Invalid, Conflict) as refusal:
                show_errors(form, refusal)
                status = 422 if isinstance(refusal, Invalid) else refusal.status
    return make_response(
        render_template(
            "treasury/statements/mapping.html",
            account=account,
            current=current,
            versions=mappings.versions(account_id),
            form=form,
            tried=tried,
            money=Money,
        ),
        status,
    )


def _tried(rules: Rules, sample: Any) -> Tried:
    if sample is None or not getattr(sample, "filename", ""):
        raise Invalid.one("sample", "Choose a file to try the mapping on.", "required")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample"
        sample.save(path)
        try:
            return Tried([(line, row) for line, row, _ in islice(csv_rows.rows(path, rules), MOST_ROWS)])
        except Unreadable as reason:
            return Tried(problem=str(reason))
