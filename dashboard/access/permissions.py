"""Every permission, explained, and the one table that says which role has which.

Staff roles and API tokens draw on the same list: for a token it is called a scope.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    CLIENTS_READ = "clients:read"
    CLIENTS_READ_RESTRICTED = "clients:read-restricted"
    CLIENTS_WRITE = "clients:write"
    CLIENTS_REVIEW = "clients:review"
    CLIENTS_ACTIVATE = "clients:activate"
    CLIENTS_BLOCK = "clients:block"
    CLIENTS_UNBLOCK = "clients:unblock"
    CLIENTS_ERASE = "clients:erase"
    CLIENTS_IMPORT = "clients:import"
    DOCUMENTS_READ = "documents:read"
    DOCUMENTS_WRITE = "documents:write"
    CLIENT_OWN = "client:own"
    EVENTS_READ = "events:read"
    EVENTS_REPLAY = "events:replay"
    VERIFICATION_SIMULATE = "verification:simulate"
    LEDGER_READ = "ledger:read"
    ACCOUNTS_WRITE = "accounts:write"
    ACCOUNTS_OWN = "accounts:own"
    PAYMENTS_WRITE = "payments:write"
    PAYMENTS_ADJUST = "payments:adjust"
    LEDGER_OPERATE = "ledger:operate"
    TRANSFERS_READ = "transfers:read"
    TRANSFERS_WRITE = "transfers:write"
    TRANSFERS_REVIEW = "transfers:review"
    TRANSFERS_EXECUTE = "transfers:execute"
    TRANSFERS_ASSIGN = "transfers:assign"
    TRANSFERS_OWN = "transfers:own"
    RATES_WRITE = "rates:write"
    TREASURY_READ = "treasury:read"
    TREASURY_WRITE = "treasury:write"
    TREASURY_SIGN = "treasury:sign"
    JOBS_READ = "jobs:read"
    JOBS_OPERATE = "jobs:operate"
    APPROVALS_READ = "approvals:read"
    RULES_TIGHTEN = "rules:tighten"
    RULES_CHANGE = "rules:change"
    AUDIT_READ = "audit:read"
    STAFF_READ = "staff:read"
    STAFF_MEMBERS = "staff:members"
    STAFF_WRITE = "staff:write"
    STAFF_DECIDE = "staff:decide"
    OWN_WORK = "own:work"


@dataclass(frozen=True)
class Explained:
    """One line of the roles page. `second_person`: the act itself waits for somebody else's decision."""

    group: str
    label: str
    explanation: str
    second_person: bool = False


EXPLAINED: dict[Permission, Explained] = {
    Permission.CLIENTS_READ: Explained("Clients", "Open clients", "See the list, profiles, blocks and timelines."),
    Permission.CLIENTS_READ_RESTRICTED: Explained(
        "Clients", "See why a client is blocked", "Codes and comments of blocks; others read “Internal reason”."
    ),
    Permission.CLIENTS_WRITE: Explained("Clients", "Create and edit clients", "Profiles, related people and notes."),
    Permission.CLIENTS_REVIEW: Explained("Clients", "Review clients", "Take items from the queues and settle flags."),
    Permission.CLIENTS_ACTIVATE: Explained(
        "Clients", "Activate and lower a risk", "Ask for it, and decide what a colleague asked.", second_person=True
    ),
    Permission.CLIENTS_BLOCK: Explained("Clients", "Block clients", "Takes effect at once; one person is enough."),
    Permission.CLIENTS_UNBLOCK: Explained(
        "Clients", "Unblock clients", "Ask to lift a block, and decide what a colleague asked.", second_person=True
    ),
    Permission.CLIENTS_ERASE: Explained(
        "Clients",
        "Work on deletion requests",
        "Legal holds and retention; ask to delete, and decide what a colleague asked.",
        second_person=True,
    ),
    Permission.DOCUMENTS_READ: Explained(
        "Clients", "Open documents", "Passports, statements, extracts; each look at one is recorded."
    ),
    Permission.DOCUMENTS_WRITE: Explained(
        "Clients", "Work on documents of clients", "Upload, accept, reject and withdraw them."
    ),
    Permission.CLIENTS_IMPORT: Explained("Machines", "Import clients", "For partners' onboarding systems."),
    Permission.EVENTS_READ: Explained(
        "Onboarding", "See verification events", "What Sumsub told, as it came, and what it did."
    ),
    Permission.EVENTS_REPLAY: Explained(
        "Onboarding", "Process verification events again", "One or many; what was done before is not done twice."
    ),
    Permission.VERIFICATION_SIMULATE: Explained(
        "Machines", "Simulate a verification", "For trying an integration; never in production."
    ),
    Permission.CLIENT_OWN: Explained("Machines", "Own profile", "For a front-office app acting for one client."),
    Permission.LEDGER_READ: Explained("Ledger", "See accounts and transactions", "Balances, statements and payments."),
    Permission.ACCOUNTS_WRITE: Explained("Ledger", "Open accounts", "For clients and for the house."),
    Permission.PAYMENTS_WRITE: Explained("Machines", "Move money", "Draft, pend, post and cancel payments."),
    Permission.PAYMENTS_ADJUST: Explained(
        "Ledger", "Adjust and reverse payments", "Ask for it, and decide what a colleague asked.", second_person=True
    ),
    Permission.LEDGER_OPERATE: Explained(
        "Ledger",
        "End the day and check balances",
        "End of day, balance checks, rebuilt and opening balances.",
    ),
    Permission.ACCOUNTS_OWN: Explained("Machines", "Own accounts", "For a front-office app acting for one client."),
    Permission.TRANSFERS_READ: Explained("Transfers", "See transfers", "All kinds, recipients, rates and providers."),
    Permission.TRANSFERS_WRITE: Explained(
        "Machines", "Make transfers", "Recipients, outgoing transfers, and what providers tell of incoming money."
    ),
    Permission.TRANSFERS_REVIEW: Explained(
        "Transfers", "Review held transfers", "Let them go on, or cancel them, with a reason."
    ),
    Permission.TRANSFERS_EXECUTE: Explained(
        "Transfers",
        "Execute transfers by hand",
        "Ask for it with the provider's answer, and decide what a colleague asked.",
        second_person=True,
    ),
    Permission.TRANSFERS_ASSIGN: Explained(
        "Transfers",
        "Assign unrecognized money",
        "To a client, or back to its payer; above the limit a colleague decides.",
        second_person=True,
    ),
    Permission.TRANSFERS_OWN: Explained("Machines", "Own transfers", "For a front-office app acting for one client."),
    Permission.RATES_WRITE: Explained("Transfers", "Load exchange rates", "Reference rates from a file; margins."),
    Permission.TREASURY_READ: Explained(
        "Treasury", "See treasury", "Positions, statements, breaks, checks and signed days."
    ),
    Permission.TREASURY_WRITE: Explained(
        "Treasury",
        "Work on statements and breaks",
        "Import, match and settle; the register, own movements and large sums wait for a colleague.",
        second_person=True,
    ),
    Permission.TREASURY_SIGN: Explained(
        "Treasury", "Prepare and sign the day", "Nobody signs what they have prepared.", second_person=True
    ),
    Permission.JOBS_READ: Explained("Control", "See jobs", "What runs when, how it went, and what runs now."),
    Permission.JOBS_OPERATE: Explained("Control", "Operate jobs", "Run one now, pause one, cancel running work."),
    Permission.APPROVALS_READ: Explained("Control", "See requests for approval", "All requests and their decisions."),
    Permission.RULES_TIGHTEN: Explained(
        "Control",
        "Make limits stricter",
        "Ask for lower amounts, and decide what a colleague asked.",
        second_person=True,
    ),
    Permission.RULES_CHANGE: Explained(
        "Control",
        "Change limits, fees and countries",
        "Ask for any other rule, and decide what a colleague asked.",
        second_person=True,
    ),
    Permission.AUDIT_READ: Explained(
        "Control", "Read and verify the audit", "Who did what and when, its export, and whether the chain is whole."
    ),
    Permission.STAFF_READ: Explained("Control", "See the roles", "This page."),
    Permission.STAFF_MEMBERS: Explained(
        "Control", "See staff and tokens", "Who works here, who is invited, which API tokens stand; never a secret."
    ),
    Permission.STAFF_WRITE: Explained(
        "Control",
        "Manage staff and tokens",
        "Ask for invitations, roles, resets and powerful tokens; disable and revoke at once.",
        second_person=True,
    ),
    Permission.STAFF_DECIDE: Explained(
        "Control", "Decide about staff and tokens", "Be the second person for what an administrator asked."
    ),
    Permission.OWN_WORK: Explained("Control", "Home and own account", "Own queues, password, sessions, theme."),
}


class Role(StrEnum):
    OFFICER = "officer"
    SENIOR_OFFICER = "senior-officer"
    TREASURER = "treasurer"
    SENIOR_TREASURER = "senior-treasurer"
    ADMIN = "admin"
    AUDITOR = "auditor"


@dataclass(frozen=True)
class RoleRow:
    """`senior`: may be the one senior person that four eyes need."""

    label: str
    plural: str
    summary: str
    senior: bool
    permissions: frozenset[Permission]


P = Permission
_EVERYBODY = {P.OWN_WORK, P.STAFF_READ}
_OFFICER = _EVERYBODY | {
    P.CLIENTS_READ, P.CLIENTS_READ_RESTRICTED, P.CLIENTS_WRITE, P.CLIENTS_REVIEW, P.CLIENTS_ACTIVATE,
    P.CLIENTS_BLOCK, P.CLIENTS_UNBLOCK, P.CLIENTS_ERASE, P.LEDGER_READ, P.APPROVALS_READ, P.TRANSFERS_READ,
    P.TRANSFERS_REVIEW, P.TRANSFERS_EXECUTE, P.TRANSFERS_ASSIGN, P.EVENTS_READ, P.EVENTS_REPLAY,
    P.DOCUMENTS_READ, P.DOCUMENTS_WRITE, P.RULES_TIGHTEN,
}  # fmt: skip
_TREASURER = _EVERYBODY | {
    P.CLIENTS_READ, P.LEDGER_READ, P.ACCOUNTS_WRITE, P.PAYMENTS_ADJUST, P.LEDGER_OPERATE, P.APPROVALS_READ,
    P.TRANSFERS_READ, P.TRANSFERS_EXECUTE, P.RATES_WRITE, P.TREASURY_READ, P.TREASURY_WRITE, P.TREASURY_SIGN,
    P.JOBS_READ, P.RULES_TIGHTEN,
}  # fmt: skip

ROLES: dict[Role, RoleRow] = {
    Role.OFFICER: RoleRow(
        "Compliance officer", "Officers", "Reviews, blocks and asks to unblock.", False, frozenset(_OFFICER)
    ),
    Role.SENIOR_OFFICER: RoleRow(
        "Senior officer", "Senior officers", "The same, and may be the second person.", True,
        frozenset(_OFFICER | {P.RULES_CHANGE, P.STAFF_MEMBERS, P.STAFF_DECIDE}),
    ),
    Role.TREASURER: RoleRow(
        "Treasurer", "Treasurers", "Statements, breaks and the business day.", False, frozenset(_TREASURER)
    ),
    Role.SENIOR_TREASURER: RoleRow(
        "Senior treasurer", "Senior treasurers", "The same, and may be the second person.", True,
        frozenset(_TREASURER | {P.RULES_CHANGE}),
    ),
    Role.ADMIN: RoleRow(
        "Administrator", "Administrators", "Staff, tokens and jobs.", True,
        frozenset(
            _EVERYBODY
            | {P.JOBS_READ, P.JOBS_OPERATE, P.APPROVALS_READ, P.RULES_TIGHTEN, P.RULES_CHANGE, P.AUDIT_READ}
            | {P.STAFF_MEMBERS, P.STAFF_WRITE, P.STAFF_DECIDE}
        ),
    ),
    Role.AUDITOR: RoleRow(
        "Auditor", "Auditors", "Reads everything, changes nothing.", False,
        frozenset(
            _EVERYBODY
            | {P.CLIENTS_READ, P.CLIENTS_READ_RESTRICTED, P.LEDGER_READ, P.TRANSFERS_READ, P.APPROVALS_READ}
            | {P.EVENTS_READ, P.DOCUMENTS_READ, P.TREASURY_READ, P.JOBS_READ, P.STAFF_MEMBERS, P.AUDIT_READ}
        ),
    ),
}  # fmt: skip


class Audience(StrEnum):
    """Whom a JSON operation serves (reference/endpoints.csv, column audience)."""

    FRONTOFFICE = "frontoffice"
    SYSTEM = "system"
    INTEGRATION = "integration"


#: what a token of the audience gets when no scope is named; unblocking, adjusting and restricted reasons never are
DEFAULT_SCOPES: dict[Audience, frozenset[Permission]] = {
    Audience.FRONTOFFICE: frozenset({P.CLIENT_OWN, P.ACCOUNTS_OWN, P.TRANSFERS_OWN}),
    Audience.SYSTEM: frozenset(
        {
            P.CLIENTS_READ, P.CLIENTS_WRITE, P.CLIENTS_BLOCK, P.LEDGER_READ, P.ACCOUNTS_WRITE, P.PAYMENTS_WRITE,
            P.LEDGER_OPERATE, P.TRANSFERS_READ, P.TRANSFERS_WRITE, P.TRANSFERS_REVIEW,
            P.DOCUMENTS_READ, P.DOCUMENTS_WRITE, P.TREASURY_READ,
        }
    ),
    Audience.INTEGRATION: frozenset({P.CLIENTS_IMPORT, P.VERIFICATION_SIMULATE}),
}  # fmt: skip
#: scopes that let a machine do, or read, what takes two people
POWERFUL = frozenset(
    {P.CLIENTS_UNBLOCK, P.CLIENTS_READ_RESTRICTED, P.PAYMENTS_ADJUST, P.TRANSFERS_ASSIGN, P.TRANSFERS_EXECUTE}
)
#: what an administrator hands out alone. Every other scope reads clients or books, or moves money, and no administrator
#: may that: a token with one takes two people, or whoever makes it would have by a machine what their role denies them
ALONE = frozenset({P.CLIENTS_IMPORT, P.VERIFICATION_SIMULATE})
#: everything a token of the audience may be given (`--scope all`)
ALL_SCOPES: dict[Audience, frozenset[Permission]] = {
    Audience.FRONTOFFICE: DEFAULT_SCOPES[Audience.FRONTOFFICE],
    Audience.SYSTEM: DEFAULT_SCOPES[Audience.SYSTEM] | POWERFUL,
    Audience.INTEGRATION: frozenset({P.CLIENTS_IMPORT, P.VERIFICATION_SIMULATE}),
}
