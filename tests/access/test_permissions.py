"""The role table, read as sentences."""

from __future__ import annotations

from dashboard.access.permissions import (
    ALL_SCOPES,
    DEFAULT_SCOPES,
    EXPLAINED,
    POWERFUL,
    ROLES,
    Audience,
    Permission,
    Role,
)


def test_every_permission_is_explained() -> None:
    assert set(EXPLAINED) == set(Permission)


def test_every_role_has_a_row() -> None:
    assert set(ROLES) == set(Role)


def test_an_auditor_changes_nothing() -> None:
    changing = {
        Permission.CLIENTS_WRITE,
        Permission.CLIENTS_BLOCK,
        Permission.CLIENTS_UNBLOCK,
        Permission.CLIENTS_ACTIVATE,
        Permission.CLIENTS_REVIEW,
        Permission.DOCUMENTS_WRITE,
        Permission.STAFF_WRITE,
        Permission.STAFF_DECIDE,
    }
    assert not changing & ROLES[Role.AUDITOR].permissions


def test_treasurers_and_administrators_do_not_see_why_a_client_is_blocked() -> None:
    for role in (Role.TREASURER, Role.SENIOR_TREASURER, Role.ADMIN):
        assert Permission.CLIENTS_READ_RESTRICTED not in ROLES[role].permissions


def test_documents_are_for_officers_and_auditors_alone() -> None:
    readers = {role for role, row in ROLES.items() if Permission.DOCUMENTS_READ in row.permissions}
    assert readers == {Role.OFFICER, Role.SENIOR_OFFICER, Role.AUDITOR}


def test_default_scopes_leave_out_unblocking_and_restricted_reasons() -> None:
    for scopes in DEFAULT_SCOPES.values():
        assert not scopes & {Permission.CLIENTS_UNBLOCK, Permission.CLIENTS_READ_RESTRICTED}


def test_no_scope_lets_a_token_activate_or_lower_a_risk() -> None:
    for audience in Audience:
        assert Permission.CLIENTS_ACTIVATE not in ALL_SCOPES[audience]


def test_no_default_is_powerful_and_no_scope_lets_a_token_give_power() -> None:
    staff = {Permission.STAFF_WRITE, Permission.STAFF_DECIDE, Permission.STAFF_MEMBERS}
    for audience in Audience:
        assert not DEFAULT_SCOPES[audience] & POWERFUL
        assert not ALL_SCOPES[audience] & staff


def test_only_administrators_manage_staff_and_only_senior_people_decide() -> None:
    assert {role for role, row in ROLES.items() if Permission.STAFF_WRITE in row.permissions} == {Role.ADMIN}
    deciders = [row for row in ROLES.values() if Permission.STAFF_DECIDE in row.permissions]
    assert deciders and all(row.senior for row in deciders)
