"""No file tells what its page keeps from the reader: who may not know why a client is blocked reads it in no export."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.clients.vocabulary import RESTRICTED_FLAGS
from dashboard.database import db, session
from tests.exports.reading import parsed
from tests.exports.test_every_list import LISTS, addresses
from tests.furnished import Furnished

#: what only some may know: reasons of blocks and of requests about them, and what events keep apart
SECRETS = """
    SELECT comment FROM client_block UNION SELECT legal_reference FROM client_block
    UNION SELECT reason FROM approval_request WHERE restricted
    UNION SELECT value FROM audit_payload, jsonb_each_text(
        CASE WHEN jsonb_typeof(restricted) = 'object' THEN restricted ELSE '{}' END)
    EXCEPT SELECT reason FROM approval_request WHERE NOT restricted
"""
#: views of lists that hold such things and are not compared with their pages
MORE = (
    "/approvals/export/csv?view=closed", "/audit/export/csv", "/audit/export/json", "/queues/verification/export/csv",
    "/queues/held-transfers/export/csv", "/clients/export/csv", "/transfers/export/csv",
    "/clients/export/csv?flag=stop",
)  # fmt: skip


def test_no_file_holds_what_its_reader_may_not_know(
    furnished: Furnished, reading: Callable[[Role], FlaskClient], house: Mapping[str, str]
) -> None:
    with furnished.app.app_context():
        # a word alone may stand anywhere
        secrets = {text for text in session().scalars(sa.text(SECRETS)) if text and " " in text and len(text) > 10}
        hidden = session().scalar(
            sa.text("SELECT count(*) FROM client_flag WHERE closed_at IS NULL AND code = ANY(:codes)"),
            {"codes": [code.value for code in RESTRICTED_FLAGS]},
        )
        db.session.remove()
    assert len(secrets) > 10 and hidden

    told: set[str] = set()
    for address in [*(addresses(one, house, "csv")[1] for one in LISTS), *MORE]:
        answered = 0
        for role in Role:
            answer = reading(role).get(address)
            assert answer.status_code in {200, 403, 422}, address
            answered += answer.status_code == 200
            if answer.status_code != 200:
                continue
            found = {secret for secret in secrets if secret in answer.text}
            if Permission.CLIENTS_READ_RESTRICTED in ROLES[role].permissions:
                told |= found
            else:
                assert not found, f"{role.value} reads {found} in {address}"
        assert answered or address not in MORE, f"nobody reads {address}"
    # what is kept from some is told to those who may know it: else nothing above could fail
    assert len(told) > 10, told

    def flags(role: Role) -> tuple[int, int]:
        """Open flags that are counted, and clients with a serious one."""
        _, rows = parsed(reading(role).get("/clients/export/csv").text)
        _, stopped = parsed(reading(role).get("/clients/export/csv?flag=stop").text)
        return sum(int(row["Open flags"] or 0) for row in rows), len(stopped)

    (all_flags, all_stopped), (flags_told, stopped_told) = flags(Role.OFFICER), flags(Role.TREASURER)
    assert all_flags - flags_told == hidden and all_stopped - stopped_told == hidden
