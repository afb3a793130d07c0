"""What an outgoing transfer is asked: each check with its limit, what was measured and the rows behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from dashboard import clock
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.clients import services as clients
from dashboard.clients.models import Client, Individual
from dashboard.clients.vocabulary import Scope
from dashboard.database import session, transaction
from dashboard.errors import DomainError
from dashboard.money import Money
from dashboard.settings import Settings
from dashboard.transfers.models import Transfer, TransferCheck, TransferLimit
from dashboard.transfers.services import checks, rules
from dashboard.transfers.services.outgoing import confirm
from dashboard.transfers.vocabulary import Check
from tests.clients.making import blocked, person
from tests.conftest import Databases, People
from tests.transfers.sending import BY, Sending, sending


@pytest.fixture(scope="module")
def opened(databases: Databases, configured: Settings) -> Iterator[Sending]:
    with sending(databases, configured) as house:
        yield house


@pytest.fixture
def house(opened: Sending) -> Sending:
    opened.start_over()
    return opened


def last_round(transfer: Transfer) -> dict[str, TransferCheck]:
    newest = sa.select(sa.func.max(TransferCheck.round)).where(TransferCheck.transfer_id == transfer.id)
    rows = session().scalars(
        sa.select(TransferCheck).where(
            TransferCheck.transfer_id == transfer.id, TransferCheck.round == newest.scalar_subquery()
        )
    )
    return {row.code: row for row in rows}


def refused(verb: object, *arguments: object, **options: object) -> str:
    with pytest.raises(DomainError) as caught:
        with transaction():
            verb(*arguments, **options)  # type: ignore[operator]
    return caught.value.code


def test_the_list_has_every_check_once_with_its_rule_in_words() -> None:
    assert [asked.code for asked in checks.TABLE] == list(Check)
    assert all(asked.rule.endswith(".") for asked in checks.TABLE)


def test_all_pass_and_the_round_is_kept(house: Sending) -> None:
    made = house.confirmed(12_34)
    rows = last_round(made)
    assert set(rows) == {check.value for check in Check}
    assert {row.outcome for row in rows.values()} == {"passed"} and {row.round for row in rows.values()} == {2}
    assert (rows["funds"].limit_minor, rows["funds"].measured_minor) == (1_000_000, 12_59)


def test_an_inactive_client_makes_none(house: Sending) -> None:
    asleep = person(BY, last="Tamm")
    account = house.opened(asleep)
    assert refused(house.made, account=account, recipient=house.known(asleep)) == "clientNotActive"


def test_a_block_of_credits_lets_money_leave_and_one_of_debits_does_not(house: Sending) -> None:
    waiting = house.made()
    blocked(house.client, house.maker, scope=Scope.CREDIT)
    with transaction():
        confirm.confirm_without_code(waiting, by=BY)
    assert house.fresh(waiting).status == "confirmed"
    second = house.made(5_00)
    blocked(house.client, house.maker, scope=Scope.DEBIT)
    assert refused(house.made, 6_00) == "accountFrozen"
    assert refused(confirm.confirm_without_code, house.fresh(second), by=BY) == "accountFrozen"
    assert house.fresh(second).status == "awaitingConfirmation"


def test_an_amount_that_a_block_keeps_cannot_be_sent(house: Sending) -> None:
    blocked(house.client, house.maker, scope=Scope.AMOUNT, amount=Money(900_000, "eur"))
    assert refused(house.made, 1_000_00) == "insufficientFunds"
    assert house.confirmed(999_00).status == "confirmed"


@pytest.mark.parametrize(("number", "country", "code"), [
    ("1234567890", "KP", "countryRefused"), ("1234567890", "IR", "countryRefused"),
])  # fmt: skip
def test_to_some_countries_nothing_goes(house: Sending, number: str, country: str, code: str) -> None:
    account = house.opened(house.client, 1_000_000, "usd")
    recipient = house.known(house.client, "Far away", number, country=country, bic=f"ABCD{country}22")
    assert refused(house.made, account=account, recipient=recipient) == code


def test_to_some_countries_a_person_looks_first(house: Sending) -> None:
    account = house.opened(house.client, 1_000_000, "usd")
    recipient = house.known(house.client, "Far away", "1234567890", country="MM", bic="ABCDMM22")
    made = house.confirmed(account=account, recipient=recipient)
    assert (made.type, made.status) == ("swift", "manualReview")
    found = last_round(made)["recipientCountry"]
    assert found.outcome == "review" and found.detail["country"] == "MM" and found.detail["note"]
    assert house.balance(account)[1] == made.amount_minor + made.fee_minor, "its money is held"
    # two people say that nobody needs to look any more
    with transaction():
        values = {"outcome": "allowed", "note": "list of June"}
        asked = rules.ask(rules.Rule.COUNTRY, {"country": "MM"}, values, reason="agreed", by=house.senior)
    with transaction():
        other = People().actor(Role.SENIOR_OFFICER, "Other Senior")
        approvals.decide(asked.id, approve=True, reason=None, by=other)
    recipient = house.known(house.client, "Far away too", "1234567899", country="MM", bic="ABCDMM22")
    assert last_round(house.confirmed(account=account, recipient=recipient))["recipientCountry"].outcome == "passed"


def test_above_the_limit_per_transfer_a_person_looks(house: Sending) -> None:
    limit = session().get_one(TransferLimit, (1, "eur")).per_transfer_minor
    assert limit is not None
    rich = house.opened(house.client, limit * 3)
    other = house.known(house.client, "Other", "DE89370400440532013000")
    assert house.confirmed(limit, account=rich).status == "confirmed"
    made = house.confirmed(limit + 1, account=rich, recipient=other)
    assert made.status == "manualReview"
    rows = last_round(made)
    assert (rows["limitPerTransfer"].limit_minor, rows["limitPerTransfer"].measured_minor) == (limit, limit + 1)
    assert rows["limitPerDay"].outcome == "review" and rows["limitPerMonth"].outcome == "passed"


def test_a_day_counts_what_was_confirmed_in_the_zone_of_the_house(
    house: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = house.confirmed(100_00)
    canceled = house.in_status("canceled", 200_00)
    made = house.confirmed(3_00)
    found = last_round(made)["limitPerDay"]
    assert found.measured_minor == 103_00 and found.detail["transferIds"] == [str(first.id)]
    assert str(canceled.id) not in str(found.detail)
    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    later = house.confirmed(4_00)
    rows = last_round(later)
    assert rows["limitPerDay"].measured_minor == 4_00
    same_month = clock.calendar().today(tomorrow).day != 1
    assert rows["limitPerMonth"].measured_minor == (107_00 if same_month else 4_00)


def test_the_same_again_within_minutes_is_looked_at(house: Sending, monkeypatch: pytest.MonkeyPatch) -> None:
    first = house.confirmed()
    assert house.confirmed(12_35).status == "confirmed", "another amount"
    again = house.confirmed()
    found = last_round(again)["duplicate"]
    assert again.status == "manualReview" and found.detail["transferIds"] == [str(first.id)]
    later = clock.now() + timedelta(minutes=11)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert house.confirmed().status == "confirmed"


def test_missing_payer_data_is_looked_at_and_any_one_of_three_is_enough(house: Sending) -> None:
    def left(**values: object) -> str:
        with transaction():
            session().execute(sa.update(Individual).where(Individual.client_id == house.client.id).values(**values))
        session().expire_all()
        nonlocal amount
        amount += 1
        return house.confirmed(amount).status

    amount = 1_00
    nothing = {"address": None, "document_number": None, "birth_date": None}
    assert left(address=None, document_number=None) == "confirmed"
    assert left(**{**nothing, "document_number": "KE1"}) == "confirmed"
    assert left(**{**nothing, "address": {"city": "Tallinn", "country": "EE"}}) == "confirmed"
    assert left(**{**nothing, "address": {"country": "EE"}}) == "manualReview"
    assert left(**nothing) == "manualReview"


def test_a_refusal_at_confirmation_keeps_its_round(house: Sending) -> None:
    from dashboard.access.permissions import Audience

    made = house.made(9_000_00)
    house.confirmed(5_000_00, recipient=house.known(house.client, "Other", "DE89370400440532013000"))
    own = house.machine(Audience.FRONTOFFICE)
    from dashboard import notifier
    from tests.transfers.sending import Mailbox

    box = Mailbox()
    with notifier.instead(box):
        own.call("POST", "/Confirmations", json={"transferId": str(made.id)})
    answer = own.call("PUT", f"/Transfers/outgoing/{made.id}/confirm", json={"code": box.code})
    assert answer.json["code"] == "insufficientFunds"
    found = last_round(house.fresh(made))["funds"]
    assert (found.round, found.outcome) == (2, "refused")


def test_details_hold_no_personal_data_and_no_reasons(house: Sending) -> None:
    made = house.confirmed()
    house.sent(made)
    blocked(house.client, house.maker, comment="Told by a colleague")
    said = str([row.detail for row in last_round(made).values()])
    for secret in ("Ilves", "Petrauskas", "FRAUD", "colleague"):
        assert secret not in said


def test_prohibited_risk_never_goes_by_itself(house: Sending) -> None:
    waiting = house.made()
    blocked(house.client, house.maker, scope=Scope.CREDIT)
    with transaction():
        session().execute(sa.update(Client).where(Client.id == house.client.id).values(risk_level=4))
        session().expire_all()
        clients.reconsider(house.client.id)
    with transaction():
        confirm.confirm_without_code(waiting, by=BY)
    assert house.fresh(waiting).status == "manualReview"
