"""The furnished house with something in every list, and who reads it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard.access.permissions import Role
from dashboard.database import db, session
from dashboard.staff.models import StaffMember
from tests.conftest import Databases, open_session
from tests.exports.furniture import add
from tests.furnished import Furnished


@pytest.fixture(scope="session")
def house(furnished: Furnished, databases: Databases) -> dict[str, str]:
    """What stands in addresses of lists, after each of them has rows."""
    return add(furnished, databases)


@pytest.fixture(scope="module")
def reading(furnished: Furnished) -> Callable[[Role], FlaskClient]:
    """A browser of each role."""
    known: dict[Role, FlaskClient] = {}
    with furnished.app.app_context():
        for member in session().scalars(sa.select(StaffMember)).all():
            known[Role(member.role)] = open_session(furnished.app, member)
        db.session.remove()
    return known.__getitem__
