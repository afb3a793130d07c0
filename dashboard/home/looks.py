"""Who looks at personal data, and who takes it along: one table of pages and operations, asked after each answer.

The event is written in a short transaction of its own before the answer leaves: no download without its event. What an
app asks about its own client is no look of the house and is not written. Every other page and operation that is read
either is a look, or stands in `NO_LOOK` with the reason; a test goes through the table of routes.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from flask import Flask, Response, g, request

from dashboard.access.actor import Actor
from dashboard.access.permissions import Audience
from dashboard.audit import looking
from dashboard.database import transaction
from dashboard.views import lists


class Look(NamedTuple):
    """`argument` of the route holds the object's identifier; None for a list."""

    action: str
    object_type: str
    argument: str | None = None


#: arguments of routes that name a client
CLIENT = ("client_id", "clientId", "owner_id")
#: they write their own looks: each document is one
RECORDED_THERE = frozenset({
    "clients.document", "clients.document_page", "clients.download_document", "client_operations.download_document",
    "transfers.download", "transfer_operations.read_document",
})  # fmt: skip
#: files that hold nothing of a client
HOUSE_FILES = frozenset({"audit.verifier"})
_TRANSFER = ("transfer.read", "transfer")
PAGES = {
    "transfers.show": Look(*_TRANSFER, "transfer_id"),
    "transfers.receipt": Look(*_TRANSFER, "transfer_id"),
    "transfers.messages": Look(*_TRANSFER, "transfer_id"),
    "transfers.documents": Look(*_TRANSFER, "transfer_id"),
    "transfers.request_page": Look("incoming_request.read", "incoming_request", "request_id"),
    "transfer_operations.read_outgoing": Look(*_TRANSFER, "transferId"),
    "transfer_operations.read_incoming": Look(*_TRANSFER, "transferId"),
    "transfer_operations.read_exchange": Look(*_TRANSFER, "transferId"),
    "ledger.account": Look("account.read", "account", "account_id"),
    "ledger.payment": Look("payment.read", "payment", "payment_id"),
    "approvals.show": Look("approval.read", "approval_request", "request_id"),
    "events.show": Look("verification_event.read", "sumsub_event", "event_id"),
    "events.applicant": Look("verification_event.read", "sumsub_applicant", "applicant_id"),
    "audit.show": Look("audit_event.read", "audit_event", "event_id"),
    "clients.listing": Look("clients.listed", "client_list"),
    "clients.deletions": Look("clients.listed", "client_list"),
    "clients.flags": Look("clients.listed", "client_list"),
    "client_operations.find_clients": Look("clients.listed", "client_list"),
    "reviews.listing": Look("clients.listed", "client_list"),
    "transfers.listing": Look("transfers.listed", "transfer_list"),
    "transfers.desk": Look("transfers.listed", "transfer_list"),
    "transfers.requests": Look("transfers.listed", "transfer_list"),
    "transfers.payer_rules": Look("payer_rules.listed", "payer_rule_list"),
    "transfers.end_rule": Look("payer_rules.listed", "payer_rule_list"),
    "transfers.provider_files": Look("transfers.listed", "transfer_list"),
    "transfers.exchange": Look("transfers.listed", "transfer_list"),
    "transfer_operations.list_transfers": Look("transfers.listed", "transfer_list"),
    "ledger.accounts": Look("accounts.listed", "account_list"),
    "ledger.transactions": Look("transactions.listed", "transaction_list"),
    "events.listing": Look("verification_events.listed", "sumsub_event_list"),
    "event_replays.listing": Look("verification_events.listed", "sumsub_event_list"),
    "pulling.differences": Look("verification_events.listed", "sumsub_event_list"),
    "pulling.accept_difference": Look("verification_events.listed", "sumsub_event_list"),
    # what names of clients stand in: who asked for what, whose turn it is, what was found
    "home.show": Look("work.listed", "work_list"),
    "queues.show": Look("work.listed", "work_list"),
    "home.find": Look("clients.found", "find"),
    "approvals.index": Look("approvals.listed", "approval_list"),
    "approvals.bulk": Look("approvals.listed", "approval_list"),
    "approvals.bulk_results": Look("approvals.listed", "approval_list"),
    "approvals.approve": Look("approval.read", "approval_request", "request_id"),
    "approvals.reject": Look("approval.read", "approval_request", "request_id"),
    "approvals.withdraw": Look("approval.read", "approval_request", "request_id"),
    "audit.index": Look("audit_events.listed", "audit_list"),
    "ledger.close_account": Look("account.read", "account", "account_id"),
    "ledger.rename_account": Look("account.read", "account", "account_id"),
    "ledger.reverse": Look("payment.read", "payment", "payment_id"),
    "ledger.opening_balance": Look("accounts.listed", "account_list"),
    "ledger.checks": Look("accounts.listed", "account_list"),
    "ledger.accept_rebuilt": Look("accounts.listed", "account_list"),
    "treasury.figure_rows": Look("transactions.listed", "transaction_list"),
    # banks write names of payers and payees into their statements, and matching shows them beside ours
    "statements.show": Look("statements.listed", "statement_list"),
    "statements.file": Look("statements.listed", "statement_list"),
    "reconciliation.point": Look("statements.listed", "statement_list"),
    "reconciliation.picking": Look("statements.listed", "statement_list"),
    "reconciliation.undo_match": Look("statements.listed", "statement_list"),
    "reconciliation.one_break": Look("statements.listed", "statement_list"),
    "reconciliation.accept_break": Look("statements.listed", "statement_list"),
    "reconciliation.book_break": Look("statements.listed", "statement_list"),
    "reconciliation.reopen_break": Look("statements.listed", "statement_list"),
    "reconciliation.breaks": Look("statements.listed", "statement_list"),
    "transfer_operations.list_outgoing": Look("transfers.listed", "transfer_list"),
    "transfer_operations.list_incoming": Look("transfers.listed", "transfer_list"),
    "transfer_operations.list_exchanges": Look("transfers.listed", "transfer_list"),
    "transfer_operations.find_incoming": Look("transfers.listed", "transfer_list"),
    "transfer_operations.list_references": Look("references.listed", "reference_list"),
    # acts on a transfer or a receipt open in a dialog that says whose it is
    **{
        f"transfers.{act}": Look(*_TRANSFER, "transfer_id")
        for act in (
            "cancel", "clear", "release", "execute", "ask_payer", "assign_receipt", "keep_receipt", "note_receipt",
            "other_account", "reply_receipt", "return_receipt", "ask_for_rule", "screen_receipt", "undo_decision",
            "claim_taken_back",
        )
    },
}  # fmt: skip
#: why the others are none; what is downloaded is an event each time, whatever stands here
NO_LOOK: dict[str, frozenset[str]] = {
    "a download: an event each time": frozenset({
        "audit.export", "event_replays.export", "events.export", "reviews.export", "jobs.export",
        "ledger.accounts_export", "ledger.day_export", "ledger.export_transactions", "ledger.statement",
        "transfers.export", "transfers.export_desk", "transfers.receipt_file", "treasury.export",
        "treasury.figure_export", "treasury.evidence_file", "treasury_register.accounts_export",
        "treasury_register.covers_export", "treasury_register.days_export", "treasury_register.movements_export",
        "reconciliation.export_breaks",
        "reconciliation.report_file", "checks.export_findings", "statements.export", "statements.export_files",
        "statements.refused", "approvals.export", "checks.export_alerts", "clients.export", "clients.export_deletions",
        "clients.export_flags", "exports.download", "ledger.days_export", "people.export_invitations",
        "people.export_members", "people.export_tokens", "queues.export", "transfers.export_requests",
        "checks.export_runs", "ledger.checks_export", "ledger.opening_export", "ledger.openings_export",
        "pulling.export_comparisons", "pulling.export_differences", "transfers.export_calendar",
        "transfers.export_margins", "transfers.export_payer_rules", "transfers.export_positions",
        "transfers.export_provider_files", "transfers.export_rates", "treasury_register.pools_export",
    }),
    "it leads on to another page, which is one": frozenset({"home.search", "views.show"}),
    "an empty form, or what the reader wrote": frozenset({
        "exports.listing", "exports.show", "views.delete", "views.edit", "views.index", "views.save",
        "clients.new", "ledger.open_account", "ledger.new_payment", "transfers.new_country_rule",
    }),
    "figures, sums and progress: nobody's name": frozenset({
        "home.figures", "audit.verification", "ledger.account_totals", "transfers.totals", "ledger.checks_progress",
        "pulling.differences_progress", "pulling.comparisons", "events.progress", "events.confirm_replay",
        "checks.run_progress", "reconciliation.run_progress", "statements.progress", "ledger.opening_balances",
        "ledger.drop_opening_balance", "ledger.days", "ledger.day", "ledger.end_day",
        "ledger_operations.get_aggregated_amounts", "ledger_operations.read_balance_check",
        "position_operations.get_treasury_summary", "matching_operations.reconciliation_report",
        "check_operations.list_daily_checks", "check_operations.list_daily_check_findings",
    }),
    "a machine's read of payments and accounts: they hold no names": frozenset({
        "ledger_operations.read_payment", "ledger_operations.find_transactions", "ledger_operations.read_transaction",
        "ledger_operations.report_transactions", "ledger_operations.list_accounts", "ledger_operations.read_account",
    }),
    "the house's own money, days and checks: findings name rows, not people": frozenset({
        "treasury.summary", "treasury.safeguarding", "treasury.month", "treasury.threshold_list", "checks.overview",
        "checks.list_alerts", "checks.settle_alert", "checks.show_run", "checks.findings", "reconciliation.report",
        "reconciliation.match_rules", "reconciliation.accept_carried_in", "statements.listing", "statements.delete",
        "statements.mapping", "treasury_register.accounts", "treasury_register.account",
        "treasury_register.change_account", "treasury_register.new_account", "treasury_register.pools",
        "treasury_register.covers", "treasury_register.cover", "treasury_register.new_cover", "treasury_register.days",
        "treasury_register.day", "treasury_register.movements", "treasury_register.movement",
        "treasury_register.new_movement",
    }),
    "rules, calendars and settings of the house": frozenset({
        "approvals.rules", "approval_rules.show", "approval_rules.change", "transfers.calendars", "transfers.margin",
        "transfers.providers", "transfers.change_rule",
        "jobs.overview", "jobs.show", "jobs.pause", "jobs.log", "jobs.running_work",
        "audit.verifier",
    }),
    "the house's own people and machines, no clients": frozenset({
        "staff.me", "staff.roles", "second_factor.show", "second_factor.again", "people.listing", "people.show",
        "people.disable", "people.enable", "people.change_role", "people.invitations", "people.invitation",
        "people.withdraw_invitation", "people.invite", "people.tokens", "people.token", "people.revoke_token",
        "people.new_token", "staff_resets.reset_factor", "staff_resets.reset_password", "staff_resets.hand_over",
    }),
}  # fmt: skip
#: what every download may be asked: how, not what
ANYWHERE = frozenset({"format", "sort", "dir"})
#: of lists of clients: with one of these it was a search
SEARCHED = ("text", "q")


def _client() -> UUID | None:
    arguments = request.view_args or {}
    found = next((arguments[name] for name in CLIENT if name in arguments), None)
    return found if isinstance(found, UUID) else None


def _look() -> tuple[Look, UUID | None] | None:
    """What was looked at, None where it is nobody's data."""
    endpoint = request.endpoint or ""
    known = PAGES.get(endpoint)
    if known is not None:
        if known.argument is None:
            searched = known.object_type == "client_list" and any(request.args.get(name) for name in SEARCHED)
            return (known._replace(action="clients.searched") if searched else known), None
        found = (request.view_args or {}).get(known.argument)
        return known, found if isinstance(found, UUID) else None
    client = _client()
    return (Look("client.read", "client"), client) if client is not None else None


def _format(response: Response) -> str:
    """csv, xlsx, pdf, json …: the end of the file's name."""
    name = response.headers["Content-Disposition"].partition("filename=")[2].partition(";")[0].strip('" ')
    return name.rpartition(".")[2][:10] or "file"


def filters_of(endpoint: str) -> frozenset[str]:
    """The arguments that a download knows: those of its list, as the list declares them."""
    return lists.downloaded().get(endpoint, frozenset()) | ANYWHERE


def filters_set(endpoint: str) -> list[str]:
    """Names of the filters that were set. A name that the endpoint does not know was made up by who asked, and may say
    anything: such are counted."""
    known = filters_of(endpoint)
    names = [name for name in request.args if name != "cursor" and any(request.args.getlist(name))]
    unknown = sum(name not in known for name in names)
    return [name for name in names if name in known] + ([f"{unknown} unknown"] if unknown else [])


def _record(response: Response, actor: Actor) -> None:
    endpoint = request.endpoint or ""
    client = _client()
    if response.headers.get("Content-Disposition", "").startswith("attachment"):
        objects = [value for value in (request.view_args or {}).values() if isinstance(value, UUID)]
        with transaction():
            looking.exported(
                endpoint, _format(response), filters_set(endpoint), by=actor, object_id=objects[0] if objects else None,
                client_id=client,
            )  # fmt: skip
        return
    look = _look()
    if look is not None:
        with transaction():
            looking.look(look[0].action, by=actor, object_type=look[0].object_type, object_id=look[1], client_id=client)


def install(app: Flask) -> None:
    """Write looks and exports after the view, before its answer leaves."""

    @app.after_request
    def record(response: Response) -> Response:
        actor: Actor | None = g.get("actor")
        if (
            actor is not None
            and request.method == "GET"
            and response.status_code == 200
            and actor.role != Audience.FRONTOFFICE.value
            and request.endpoint not in RECORDED_THERE | HOUSE_FILES
        ):
            _record(response, actor)
        return response
