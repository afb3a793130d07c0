"""Rules that post by themselves: asked by one person, approved by another, and still while anything is doubtful."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import services as clients
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import session, transaction
from dashboard.errors import DomainError
from dashboard.ledger.models import Account
from dashboard.ledger.services import accounts
from dashboard.transfers import suggestions
from dashboard.transfers.models import Disposition, PayerRule, Receipt, Transfer
from dashboard.transfers.services.desk import assigning, standing, undoing
from dashboard.transfers.vocabulary import Cause
from tests.clients.making import activated
from tests.conftest import People
from tests.transfers.unrecognized import LIMIT, PAYER, Desk


@pytest.fixture
def desk(app: Flask) -> Desk:
    return Desk()


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


@pytest.fixture
def account(desk: Desk, officer: Actor, senior: Actor) -> Account:
    return desk.account(activated(desk.client(), officer, senior))


def refused(verb: Callable[..., Any], *given: Any, **said: Any) -> str:
    with pytest.raises(DomainError) as refusal, transaction():
        verb(*given, **said)
    return refusal.value.code


def asked(desk: Desk, account: Account, officer: Actor) -> tuple[PayerRule, ApprovalRequest]:
    receipt = desk.receipt()
    with transaction():
        assigning.assign(receipt.transfer_id, account_id=account.id, comment="", by=officer)
        rule = standing.ask_for_rule(receipt.transfer_id, reason="Her employer", by=officer)
    request = approvals.live(standing.KIND, rule.id)
    assert request is not None
    return rule, request


@pytest.fixture
def rule(desk: Desk, account: Account, officer: Actor, senior: Actor) -> PayerRule:
    made, request = asked(desk, account, officer)
    with transaction():
        assert approvals.decide(request.id, approve=True, reason=None, by=senior).state == "approved"
    assert made.state == "active"
    return made


def posted(receipt: Receipt, rule: PayerRule) -> Disposition | None:
    with transaction():
        return standing.post_by_rule(session().get_one(Transfer, receipt.transfer_id), rule, by=system())


def test_a_rule_acts_only_once_a_second_person_approved_it(
    desk: Desk, account: Account, officer: Actor, senior: Actor
) -> None:
    made, request = asked(desk, account, officer)
    assert standing.rule_for(PAYER, "eur") is None
    assert posted(desk.receipt(), made) is None
    assert refused(approvals.decide, request.id, approve=True, reason=None, by=officer) == "mayNotDecide"
    other = desk.receipt()
    with transaction():
        assigning.assign(other.transfer_id, account_id=account.id, comment="", by=officer)
    assert refused(standing.ask_for_rule, other.transfer_id, reason="Again", by=officer) == "ruleExists"
    with transaction():
        approvals.decide(request.id, approve=False, reason="Who is it?", by=senior)
    assert made.state == "ended"
    with transaction():
        assert standing.ask_for_rule(other.transfer_id, reason="Again", by=officer).state == "requested"


@pytest.mark.parametrize("amount", [500_00, LIMIT + 1])
def test_an_approved_rule_posts_by_itself_whatever_the_amount(
    desk: Desk, account: Account, rule: PayerRule, amount: int
) -> None:
    before = desk.balance(account.id)
    found = standing.rule_for(PAYER, "eur")
    assert found is not None
    receipt = desk.receipt(amount)
    decision = posted(receipt, found)
    assert decision is not None
    assert (decision.made_by_kind, decision.made_by_name, decision.rule_id) == ("system", f"rule {rule.id}", rule.id)
    assert desk.state(receipt) == ("completed", "assigned", 0)
    assert desk.balance(account.id) == before + amount


def test_a_rule_knows_its_payer_by_the_exact_account(desk: Desk, rule: PayerRule) -> None:
    assert standing.rule_for(PAYER[:-1] + "0", "eur") is None
    assert standing.rule_for(None, "eur") is None
    assert standing.rule_for(PAYER, "usd") is None
    assert posted(desk.receipt(payer=PAYER[:-1] + "0"), rule) is None


def test_a_rule_leaves_alone_what_names_an_account_that_takes_no_money(desk: Desk, rule: PayerRule) -> None:
    assert posted(desk.receipt(cause=Cause.CREDIT_FROZEN), rule) is None


def test_a_rule_does_not_do_again_what_people_undid(desk: Desk, rule: PayerRule, officer: Actor) -> None:
    receipt = desk.receipt()
    assert posted(receipt, rule) is not None
    with transaction():
        undoing.undo(receipt.transfer_id, reason="Not hers this time", by=officer)
    assert posted(receipt, rule) is None
    assert desk.state(receipt) == ("unrecognized", "open", 500_00)


@pytest.mark.parametrize("doubt", ["blocked", "creditFrozen", "closed", "risk"])
def test_a_rule_stands_still_while_its_client_is_in_doubt(
    desk: Desk, account: Account, rule: PayerRule, doubt: str
) -> None:
    assert account.owner_id
    receipt = desk.receipt()
    with transaction():
        if doubt == "blocked":
            clients.block(account.owner_id, code=BlockCode.SANCTIONS, scope=Scope.DEBIT, by=system())
        elif doubt == "creditFrozen":
            clients.block(account.owner_id, code=BlockCode.FRAUD, scope=Scope.CREDIT, by=system())
        elif doubt == "closed":
            desk.spend(account.id, desk.balance(account.id))
            accounts.close(account.id, by=system())
        else:
            session().execute(sa.text("UPDATE client SET risk_level = 3 WHERE id = :id"), {"id": account.owner_id})
            session().expire_all()
            clients.reconsider(account.owner_id)
    session().expire_all()
    assert standing.rule_for(PAYER, "eur") is None
    assert posted(receipt, rule) is None
    shown = suggestions.candidates(receipt.transfer_id).candidates
    assert shown[0].account_id == account.id
    assert "rule" in [one.word for one in shown[0].reasons]
    assert "sanction" not in str(shown[0].as_json()).lower()


def test_one_person_ends_a_rule_for_good(desk: Desk, rule: PayerRule, officer: Actor) -> None:
    assert refused(standing.end, rule.id, reason=" ", by=officer) == "invalid"
    with transaction():
        standing.end(rule.id, reason="She changed her employer", by=officer)
    assert standing.rule_for(PAYER, "eur") is None
    assert posted(desk.receipt(), rule) is None
    assert refused(standing.end, rule.id, reason="Again", by=officer) == "alreadyEnded"


def test_without_the_payers_account_there_is_no_rule(desk: Desk, account: Account, officer: Actor) -> None:
    receipt = desk.receipt(payer=None)
    with transaction():
        assigning.assign(receipt.transfer_id, account_id=account.id, comment="", by=officer)
    assert refused(standing.ask_for_rule, receipt.transfer_id, reason="Always", by=officer) == "noPayerAccount"
