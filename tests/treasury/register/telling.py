"""Lines of bank statements, as an import leaves them."""

from __future__ import annotations

from datetime import date
from typing import Any

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import new_id, session, transaction
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementImport, StatementLine


def told(view: BankAccountView, minor: int, day: date, *, matchable: bool = True, **said: Any) -> None:
    """The bank booked so much on that day: positive where money came, in minor units."""
    moment, ids = clock.now(), [new_id() for _ in range(4)]
    with transaction():
        for row in (
            StatementImport(id=ids[0], file_name="x.xml", sha256=ids[0].hex * 2, size=1, format="camt.053",
                            source="page", state="preview", created_at=moment, created_by_kind="system",
                            created_by="test", failures={}),
            Statement(id=ids[1], import_id=ids[0], bank_account_id=view.id, currency=view.currency, kind="statement",
                      key=ids[1].hex, last_day=day, created_at=moment, remarks=[]),
            StatementEntry(id=ids[2], statement_id=ids[1], bank_account_id=view.id, number=1, currency=view.currency,
                           amount_minor=minor, status="booked", booking_date=day, key=ids[2].hex,
                           fingerprint=ids[2].hex),
            StatementLine(id=ids[3], entry_id=ids[2], bank_account_id=view.id, position=0, currency=view.currency,
                          amount_minor=minor, booking_date=day,
                          bank_references=said.pop("bank_references", []), **said),
        ):  # fmt: skip
            session().add(row)
            session().flush()
        # what is looked at becomes what counts, as a commit does it
        file = session().get_one(StatementImport, ids[0])
        file.state = "importing"
        session().flush()
        session().execute(sa.update(Statement).where(Statement.id == ids[1]).values(standing=True))
        session().execute(sa.update(StatementEntry).where(StatementEntry.id == ids[2]).values(standing=True))
        session().execute(sa.update(StatementLine).where(StatementLine.id == ids[3]).values(matchable=matchable))
        file.state, file.finished_at = "imported", moment
        session().flush()
