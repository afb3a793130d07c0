"""The application factory. The two tuples of blueprints are the table of contents of the product."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from flask import Flask, has_app_context
from flask_bootstrap import Bootstrap5
from flask_openapi3 import Info, OpenAPI
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from dashboard import clock, database, direct, notifier, settings
from dashboard.access import guard, idempotency, tokens
from dashboard.approvals import deadline, rulebook, ruling
from dashboard.approvals.kinds import register
from dashboard.approvals.pages import approvals
from dashboard.approvals.rule_pages import approval_rules
from dashboard.approvals.staff_reset_pages import staff_resets
from dashboard.approvals.staff_resets import KINDS as STAFF_RESET_KINDS
from dashboard.approvals.staff_resets import role_turned_since
from dashboard.audit import sealing as audit_sealing
from dashboard.audit import verifying as audit_verifying
from dashboard.background import kinds as background_kinds
from dashboard.clients import periods as review_periods
from dashboard.clients import retention, story
from dashboard.clients.api import client_operations
from dashboard.clients.approvals import KINDS
from dashboard.clients.documents.queries import first_expiry
from dashboard.clients.documents.services.purging import erased_from
from dashboard.clients.documents.store import Store
from dashboard.clients.owners import OWNERS, client_names
from dashboard.clients.pages import clients
from dashboard.clients.services import deletion, plan
from dashboard.exports import store as export_store
from dashboard.exports.jobs import KINDS as EXPORT_WORK
from dashboard.exports.pages import exports, learn_filters, offer
from dashboard.home import audit_work, looks, navigation
from dashboard.home.audit_commands import audit_commands
from dashboard.home.audit_pages import audit
from dashboard.home.demo import commands as demo_commands
from dashboard.home.metrics import metrics as figures
from dashboard.home.pages import home
from dashboard.home.queue_pages import queues
from dashboard.jobs.pages import jobs
from dashboard.ledger import numbers, owners, parents
from dashboard.ledger.api import ledger_operations, quick
from dashboard.ledger.approvals import KINDS as LEDGER_KINDS
from dashboard.ledger.commands import ledger_commands
from dashboard.ledger.jobs import KINDS as LEDGER_WORK
from dashboard.ledger.pages import ledger
from dashboard.ledger.services import adjusting
from dashboard.migrate import commands as database_commands
from dashboard.onboarding.api import onboarding_operations
from dashboard.onboarding.pulling.jobs import KINDS as PULLING_WORK
from dashboard.onboarding.pulling.pages import pulling
from dashboard.onboarding.pulling.services import asking
from dashboard.onboarding.reviews import reviews
from dashboard.onboarding.sumsub import confirming
from dashboard.onboarding.sumsub import queries as verification_events
from dashboard.onboarding.sumsub import rules as sumsub_rules
from dashboard.onboarding.sumsub.api import sumsub_operations
from dashboard.onboarding.sumsub.pages import events
from dashboard.onboarding.sumsub.port import connecting
from dashboard.onboarding.sumsub.replay_pages import event_replays
from dashboard.onboarding.sumsub.services.replaying import KINDS as VERIFICATION_WORK
from dashboard.people.approvals import KINDS as PEOPLE_KINDS
from dashboard.people.approvals import learn_clients
from dashboard.people.pages import people
from dashboard.people.services import changing
from dashboard.settings import ROOT, Settings
from dashboard.staff import password_resets, required, sealing, sessions
from dashboard.staff import services as staff_services
from dashboard.staff.commands import staff_commands, token_commands
from dashboard.staff.factor_pages import factor_pages
from dashboard.staff.pages import staff
from dashboard.staff.reset_pages import new_password
from dashboard.transfers import periods
from dashboard.transfers.api import transfer_operations
from dashboard.transfers.approvals import KINDS as TRANSFER_KINDS
from dashboard.transfers.commands import sandbox_command, transfer_commands
from dashboard.transfers.jobs import KINDS as TRANSFER_WORK
from dashboard.transfers.pages import transfers
from dashboard.transfers.pages.rulebook import SECTIONS as TRANSFER_RULES
from dashboard.transfers.pages.rulebook import changes as rule_changes
from dashboard.transfers.pages.telling import TELLERS
from dashboard.transfers.services import calendars
from dashboard.transfers.services.claiming import transfer_of
from dashboard.transfers.services.desk import clocks
from dashboard.transfers.services.exchange import terms
from dashboard.transfers.services.incoming import own_money
from dashboard.treasury.checks import ages, settlement, unprocessed_events
from dashboard.treasury.checks.api import check_operations
from dashboard.treasury.checks.jobs import KINDS as CHECK_WORK
from dashboard.treasury.checks.pages import checks
from dashboard.treasury.cover.approvals import KINDS as COVER_KINDS
from dashboard.treasury.cover.services.changing import learn_counting
from dashboard.treasury.days.readiness import learn_blockers, learn_comparison, learn_preparation, learn_signature
from dashboard.treasury.days.services import learn_resting
from dashboard.treasury.days.services.reopening import account_changed_pool
from dashboard.treasury.matching import references as match_references
from dashboard.treasury.matching.api import matching_operations
from dashboard.treasury.matching.approvals import KINDS as MATCHING_KINDS
from dashboard.treasury.matching.jobs import KINDS as MATCHING_WORK
from dashboard.treasury.matching.pages import reconciliation
from dashboard.treasury.matching.queries import matches
from dashboard.treasury.matching.queries import readiness as match_readiness
from dashboard.treasury.matching.queries.points import equation
from dashboard.treasury.matching.services import booking, leaving
from dashboard.treasury.movements import queries as own_movements
from dashboard.treasury.movements.approvals import KINDS as MOVEMENT_KINDS
from dashboard.treasury.movements.pages import treasury_register
from dashboard.treasury.movements.queries import is_own_money, movement_of
from dashboard.treasury.positions.api import position_operations
from dashboard.treasury.positions.approvals import KINDS as POSITION_KINDS
from dashboard.treasury.positions.jobs import KINDS as POSITION_WORK
from dashboard.treasury.positions.pages import treasury
from dashboard.treasury.positions.queries import resting
from dashboard.treasury.positions.queries.blockers import STEPS
from dashboard.treasury.positions.queries.comparing import changed as changed_figures
from dashboard.treasury.positions.services import evidence
from dashboard.treasury.positions.services.working_out import freeze
from dashboard.treasury.register.approvals import KINDS as REGISTER_KINDS
from dashboard.treasury.register.services import pooling
from dashboard.treasury.statements import store as statement_store
from dashboard.treasury.statements.jobs import KINDS as STATEMENT_WORK
from dashboard.treasury.statements.pages import statements
from dashboard.treasury.statements.services import deleting
from dashboard.views import pages as view_pages
from dashboard.views.pages import views
from dashboard.web import api, api_docs, assets, failures, frame, headers, limits, logs, metrics, moments
from dashboard.web.exports import learn_offer
from dashboard.web.health import health
from dashboard.web.json import ExactJSON

PAGES = (
    home, clients, events, event_replays, pulling, reviews, transfers, ledger, treasury, treasury_register, statements,
    reconciliation, checks, jobs, exports, queues, approvals, approval_rules, audit, views, staff, people, factor_pages,
    staff_resets,
    new_password,
    health,
    figures,
)  # fmt: skip
OPERATIONS = (
    client_operations, ledger_operations, matching_operations, check_operations, transfer_operations,
    onboarding_operations, sumsub_operations, position_operations,
)  # fmt: skip
COMMANDS = (
    database_commands, staff_commands, token_commands, ledger_commands, transfer_commands, sandbox_command,
    demo_commands, audit_commands,
)  # fmt: skip

#: views that cannot carry a mark of their own, and why anybody may call them
LIBRARY_VIEWS = {
    "static": "our own files",
    "bootstrap.static": "Bootstrap's files",
    "web.htmx": "htmx",
    "health.healthz": "for load balancers",
    "health.readyz": "for load balancers",
    "openapi.static": "Swagger UI's files",
    "openapi.doc_url": "the API document holds no data",
    "openapi.openapi": "the API document holds no data",
    "swagger.static": "Swagger UI's files",
    "swagger.swagger": "the API document holds no data",
    "swagger.oauth2-redirect": "not served",
}

#: largest request body, in bytes; uploads of documents get a limit of their own
LARGEST_BODY = 2 * 1024 * 1024


def _departures(country: str) -> Mapping[date, clock.Departure] | None:
    """Days that depart from the known calendar, from the database; a migration, say, has none to ask."""
    return calendars.departures_of(country) if has_app_context() else None


def _explained(bank_account_id: UUID, day: date) -> settlement.Explained | None:
    """How much of what parts ledger and statement the matching knows; what was accepted is no open break any more."""
    known = equation(bank_account_id, day)
    if known.unexplained_minor is None:
        return None
    accepted = known.accepted_minor or 0
    return settlement.Explained(
        timing=(known.timing_minor or 0) + accepted + (known.carried_minor or 0) * known.carried_accepted,
        breaks=(known.breaks_minor or 0) - accepted,
        breaks_open=known.breaks_open,
    )


def create_app(configured: Settings | None = None) -> Flask:
    """Build the application. Raises SettingsError (one line, not a trace) on a wrong setting."""
    chosen = configured or settings.load()
    app = OpenAPI(
        __name__,
        info=Info(title="Countinghouse", version="1", description=api_docs.DESCRIPTION),
        security_schemes={"token": {"type": "http", "scheme": "bearer"}},
        validation_error_status=400,
        validation_error_model=api.Problem,
        validation_error_callback=api.validation_failed,
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "static"),
    )
    app.json = ExactJSON(app)
    app.config.update(
        SECRET_KEY=chosen.signing_key(),
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY,
        WTF_CSRF_TIME_LIMIT=None,
        BOOTSTRAP_SERVE_LOCAL=True,
        PRODUCTION=chosen.production,
        SEND_FILE_MAX_AGE_DEFAULT=86400,
    )
    app.extensions["countinghouse.settings"] = chosen
    quick.install(app, https=chosen.secure_cookies)
    if chosen.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=chosen.proxies, x_proto=chosen.proxies, x_host=chosen.proxies
        )
    database.install(app, chosen)
    direct.install(app, chosen)
    clock.install(chosen.institution_country, chosen.zone, departures=_departures)
    deadline.install(chosen.approval_business_hours)
    clocks.install(chosen.resolve_business_days)
    retention.install(chosen.retention_years)
    review_periods.install(chosen)
    periods.install(
        confirmation_minutes=chosen.transfer_confirmation_minutes, duplicate_minutes=chosen.transfer_duplicate_minutes
    )
    numbers.install(chosen)
    sumsub_rules.install(chosen)
    ages.install(chosen)
    unprocessed_events.learn("verification events", verification_events.unprocessed)
    terms.install(terms.Terms(chosen.fx_quote_seconds, chosen.fx_rate_business_days))
    owners.install(OWNERS)
    parents.install(transfer_of)
    parents.learn("own movement", "/treasury/movements/{id}", movement_of)
    own_money.learn(is_own_money)
    story.learn(TELLERS)
    plan.learn("documents", first_expiry)
    deletion.learn({"documents": erased_from(Store(chosen.instance_path))})
    register(*KINDS, *LEDGER_KINDS, *TRANSFER_KINDS)
    register(*STAFF_RESET_KINDS, *PEOPLE_KINDS)
    tokens.learn_evidence(staff_services.tell_token)
    staff_services.learn_going(changing.end_asking)
    staff_services.learn_rule_keepers(ruling.rule_keepers)
    password_resets.learn_role_turns(role_turned_since)
    learn_clients(client_names)
    rulebook.learn(TRANSFER_RULES, rule_changes)
    register(*REGISTER_KINDS, *MOVEMENT_KINDS)
    register(*POSITION_KINDS, *COVER_KINDS)
    background_kinds.register(*POSITION_WORK)
    evidence.install(chosen.institution_name)
    learn_preparation(freeze)
    learn_resting(resting.used)
    learn_counting(resting.counting)
    pooling.learn_follow(account_changed_pool)
    learn_preparation(evidence.pack)
    learn_signature(evidence.pack)
    learn_comparison(changed_figures)
    for step, sentences in STEPS.items():
        learn_blockers(step, sentences)
    background_kinds.register(*LEDGER_WORK, *TRANSFER_WORK, *VERIFICATION_WORK, *PULLING_WORK, *STATEMENT_WORK)
    statement_store.install(chosen.instance_path)
    background_kinds.register(*CHECK_WORK)
    register(*MATCHING_KINDS)
    background_kinds.register(*MATCHING_WORK)
    adjusting.learn("matching", booking.follow)
    learn_blockers("matching", match_readiness.blockers)
    match_references.learn("ownMovements", own_movements.references_sql())
    deleting.learn_use(matches.of_import, name="matching")
    deleting.learn_leaving(leaving.hold, leaving.leave, name="matching")
    settlement.learn(_explained)
    audit_work.install(chosen.instance_path)
    audit_sealing.install(chosen.audit_seal_minutes)
    audit_verifying.learn_purged(audit_work.purged)
    background_kinds.register(*audit_work.KINDS)
    export_store.install(chosen.instance_path)
    background_kinds.register(*EXPORT_WORK)
    learn_offer(offer)
    learn_filters(looks.filters_set)
    connecting.install(chosen)
    confirming.install(asking.confirm)
    notifier.install(chosen)

    logs.install(app)
    metrics.install(app, wanted=chosen.metrics_token is not None)
    failures.install(app)
    headers.install(app, https=chosen.secure_cookies)
    moments.install(app, chosen)
    assets.install(app)
    Bootstrap5(app)
    sessions.install(app, chosen)
    sealing.install(chosen)
    guard.install(app, sessions.staff_actor)
    required.install(app, chosen)
    api.install(app, largest_file=chosen.largest_document)
    limits.install(app, token_requests_a_minute=chosen.token_requests_a_minute)
    csrf = CSRFProtect(app)

    for blueprint in PAGES:
        app.register_blueprint(blueprint)
    for operations in OPERATIONS:
        csrf.exempt(operations)
        app.register_api(operations)
    for group in COMMANDS:
        app.cli.add_command(group)
    api_docs.install(app)
    for endpoint, reason in LIBRARY_VIEWS.items():
        guard.declare(endpoint, guard.Access(None, None, reason))
    idempotency.install(app)
    looks.install(app)
    view_pages.install(app)
    frame.install(app, chosen, person=sessions.frame_person, nav=required.unless_setting_up(navigation.entries))
    app.jinja_env.globals["onboarding_places"] = navigation.onboarding_places
    app.jinja_env.globals["treasury_places"] = navigation.treasury_places
    app.jinja_env.globals["staff_places"] = navigation.staff_places
    return app
