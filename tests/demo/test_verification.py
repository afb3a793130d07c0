"""The verification events of `flask demo load`: something of everything, made by the product's own verbs."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import sqlalchemy as sa

from dashboard.app import create_app
from dashboard.clients.models import ClientVerification, VerificationDecision
from dashboard.database import db, session
from dashboard.home.demo_data import comparison, loading, verification
from dashboard.home.demo_data.checking import broken_rules
from dashboard.onboarding.pulling.models import VerificationDifference
from dashboard.onboarding.sumsub.models import SumsubEvent
from dashboard.queues.models import QueueItem
from dashboard.settings import Settings
from tests.conftest import Databases


def test_the_demo_has_events_in_every_state_and_breaks_no_rule(databases: Databases, configured: Settings) -> None:
    app_url, owner_url = databases.clone("countinghouse_demo_verification")
    chosen = replace(configured, database_url=app_url, migration_database_url=owner_url)
    loading.load(owner_url, chosen, clients=150, transactions=0, seed=1)
    app = create_app(chosen)
    with app.app_context():
        assert verification.tell(1) >= 12
        effects = {str(each.effect or each.verdict) for each in session().scalars(sa.select(SumsubEvent))}
        assert effects >= {"applied", "outOfDate", "noted", "unknownClient", "refused"}
        states = set(session().scalars(sa.select(ClientVerification.state)))
        assert states >= {"approved", "rejected", "withdrawn"}
        done = set(session().scalars(sa.select(VerificationDecision.effect)))
        assert {"activated", "blocked", "outOfDate", "nothing"} <= done
        causes = set(session().scalars(sa.select(QueueItem.cause).where(QueueItem.queue == "verification")))
        assert {"unknownClient", "rejectedWhileActive", "notApprovedWhileActive"} <= causes
        assert comparison.tell() == 2
        found = session().scalars(sa.select(VerificationDifference).order_by(VerificationDifference.id)).all()
        assert [(one.field, one.state) for one in found] == [("level", "open"), ("state", "resolved")]
        db.session.remove()
        db.engine.dispose()
    with psycopg.connect(owner_url.replace("+psycopg", "", 1), autocommit=True) as connection:
        assert broken_rules(connection) == []
    databases.drop("countinghouse_demo_verification")
