"""Treasury's pages: what they show of a day, who may act, and every number opening its rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from dashboard.access.permissions import Role
from dashboard.database import transaction
from dashboard.ledger.vocabulary import AccountType
from dashboard.treasury.days import services as days
from dashboard.treasury.positions.queries import standing
from tests.treasury.positions.conftest import House

SignIn = Callable[..., Any]


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.get_data(as_text=True)[:2_000]
    plain = re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))
    return " ".join(plain.split())


def three_states(house: House) -> Any:
    """EUR covered, PLN short, GBP without a statement."""
    euro, zloty, pound = house.bank(), house.bank(currency="pln"), house.bank(currency="gbp")
    paid = house.receive(euro, house.client(), 4_812_390_55)
    assert euro.settlement_account_id
    own = house.move(euro.settlement_account_id, house.system_account(AccountType.OWN_FUNDS), 2_825_00)
    house.receive(zloty, house.client("pln"), 1_204_50)
    house.receive(pound, house.client("gbp"), 96_240_00)
    day = house.end_day()
    line, other = house.statement(euro, day, 0, [4_812_390_55, 2_825_00])
    house.match(euro, line, paid)
    house.match(euro, other, own)
    house.statement(zloty, day, 0, [])
    for bank in (euro, zloty):
        house.sweep(bank, day)
    return day


def test_the_summary_says_first_whether_we_hold_what_we_owe(house: House, signed_in: SignIn) -> None:
    three_states(house)
    shown = text_of(signed_in(Role.TREASURER).get("/treasury"))
    assert "PLN short −1,204.50" in shown
    assert "GBP unknown , no statement" in shown
    assert "EUR covered +2,825.00" in shown
    assert shown.index("PLN short") < shown.index("GBP unknown") < shown.index("EUR covered")
    assert "1 of 3 ready to sign" in shown
    assert "No statement for" in shown
    assert "Short 1,204.50 PLN: say what was done about it." in shown


def test_a_missing_statement_reads_no_data_and_never_nought(house: House, signed_in: SignIn) -> None:
    house.receive(house.bank(), house.client(), 96_240_00)
    house.end_day()
    page = signed_in(Role.TREASURER).get("/treasury").get_data(as_text=True)
    row = page[page.index('id="eMoney-eur"') :].split("</tr>")[0]
    assert row.count("no data") >= 5
    assert "96,240.00" in row


def test_every_figure_of_an_open_line_leads_to_rows_that_exist(house: House, signed_in: SignIn) -> None:
    three_states(house)
    browser = signed_in(Role.AUDITOR)
    page = browser.get("/treasury?open=eMoney-eur").get_data(as_text=True)
    addresses = {one.replace("&amp;", "&") for one in re.findall(r'href="(/treasury/figures/[^"]+)"', page)}
    assert len(addresses) >= 12
    for address in sorted(addresses):
        answer = browser.get(address)
        assert answer.status_code == 200, address
    shown = text_of(browser.get(next(one for one in addresses if "clients" in one and "eur" in one)))
    assert "Together 4,812,390.55 EUR" in shown


@pytest.mark.parametrize("tab", ["position", "projection", "trend", "now"])
@pytest.mark.parametrize("role", [Role.TREASURER, Role.AUDITOR])
def test_each_tab_is_shown_to_who_may_read_treasury(house: House, signed_in: SignIn, tab: str, role: Role) -> None:
    three_states(house)
    answer = signed_in(role).get(f"/treasury?tab={tab}")
    text_of(answer)
    body = answer.get_data(as_text=True)
    assert "style=" not in body
    assert not re.search(r"<script(?![^>]*src=)", body)


def test_officers_have_no_treasury(house: House, signed_in: SignIn) -> None:
    assert signed_in(Role.OFFICER).get("/treasury").status_code == 403
    assert signed_in(Role.OFFICER).get("/treasury/safeguarding").status_code == 403


def test_before_anything_is_registered_the_page_says_what_to_do(house: House, signed_in: SignIn) -> None:
    assert "No bank accounts registered. Add the first" in text_of(signed_in(Role.TREASURER).get("/treasury"))
    assert "none has ended" in text_of(signed_in(Role.TREASURER).get("/treasury/safeguarding"))


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/treasury?tab=magic", 422), ("/treasury?day=yesterday", 422), ("/treasury?day=1999-01-01", 404),
        ("/treasury?tab=trend&period=12", 422), ("/treasury/figures/luck?pool=eMoney&currency=eur", 404),
        ("/treasury/figures/clients?pool=piggy&currency=eur", 422),
        ("/treasury/figures/clients?pool=eMoney&currency=E", 422),
        ("/treasury/figures/clients?pool=eMoney&currency=eur&cursor=bent", 400), ("/treasury/export?format=doc", 422),
        ("/treasury/safeguarding/months?month=March", 422),
        ("/treasury/safeguarding/evidence/00000000-0000-0000-0000-000000000000", 404),
    ],
)  # fmt: skip
def test_bent_addresses_are_refused(house: House, signed_in: SignIn, address: str, status: int) -> None:
    house.covered(house.bank(), house.client(), 100_00)
    assert signed_in(Role.TREASURER).get(address).status_code == status


def test_a_day_is_prepared_by_one_and_signed_by_another_with_its_evidence(house: House, signed_in: SignIn) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    form = {"day": day.isoformat(), "pool": "eMoney", "currency": "eur"}
    one, other = signed_in(Role.TREASURER), signed_in(Role.SENIOR_TREASURER)
    assert "is prepared" in text_of(one.post("/treasury/prepare", data=form, follow_redirects=True))
    assert "another person signs it" in text_of(one.post("/treasury/sign", data=form, follow_redirects=True))
    assert "is signed" in text_of(other.post("/treasury/sign", data=form, follow_redirects=True))
    page = other.get(f"/treasury/safeguarding?day={day}&pool=eMoney&currency=eur").get_data(as_text=True)
    # one of what was prepared, one of what was signed
    addresses = set(re.findall(r'href="(/treasury/safeguarding/evidence/[^"]+)"', page))
    assert len(addresses) == 2
    for address in addresses:
        pack = other.get(address)
        assert (pack.status_code, pack.data[:2]) == (200, b"PK")
    assert "Signed by Senior Treasurer" in text_of(other.get("/treasury?open=eMoney-eur"))


def test_a_reader_is_offered_nothing_and_may_do_nothing(house: House, signed_in: SignIn) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    auditor = signed_in(Role.AUDITOR)
    page = auditor.get("/treasury?open=eMoney-eur").get_data(as_text=True)
    assert "Prepare EUR" not in page and "Work out again" not in page
    form = {"day": day.isoformat(), "pool": "eMoney", "currency": "eur", "says": "x", "kind": "other"}
    for address in ("prepare", "sign", "reopen", "work-out", "safeguarding/actions", "thresholds"):
        assert auditor.post(f"/treasury/{address}", data=form).status_code == 403


def test_a_reopened_day_says_why_and_keeps_the_version_before(house: House, signed_in: SignIn) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    form = {"day": day.isoformat(), "pool": "eMoney", "currency": "eur"}
    browser = signed_in(Role.TREASURER)
    browser.post("/treasury/prepare", data=form)
    assert "Say why." in text_of(browser.post("/treasury/reopen", data=form, follow_redirects=True))
    browser.post("/treasury/reopen", data={**form, "because": "A correction came."})
    shown = text_of(browser.get(f"/treasury/safeguarding?day={day}&pool=eMoney&currency=eur"))
    assert "A correction came." in shown
    assert "Reopened" in text_of(browser.get("/treasury?open=eMoney-eur"))


def test_safeguarding_shows_both_sides_with_live_figures_beside_them(house: House, signed_in: SignIn) -> None:
    bank, client = house.bank(), house.client()
    house.covered(bank, client, 100_00)
    house.receive(bank, client, 25_00)
    shown = text_of(signed_in(Role.TREASURER).get("/treasury/safeguarding"))
    assert "Now, not reconciled" in shown
    assert "Client balances 100.00 125.00" in shown
    assert "Internal: resource against requirement Passed" in shown
    assert "D+1: money in a designated account Passed" in shown


def test_what_was_done_is_kept_and_a_wrong_amount_is_not(house: House, signed_in: SignIn) -> None:
    day = three_states(house)
    browser = signed_in(Role.TREASURER)
    form = {"day": day.isoformat(), "pool": "eMoney", "currency": "pln", "kind": "topUp", "says": "Topped up."}
    wrong = browser.post("/treasury/safeguarding/actions", data={**form, "amount": "1.2345"}, follow_redirects=True)
    assert "Write an amount in PLN" in text_of(wrong)
    done = browser.post("/treasury/safeguarding/actions", data={**form, "amount": "1,204.50"}, follow_redirects=True)
    assert "Topped up Shortfall or excess 1,204.50" in text_of(done)


def test_positions_rows_and_months_are_exported(house: House, signed_in: SignIn) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    with transaction():
        days.prepare("eMoney", "eur", day, by=house.treasurer)
    browser = signed_in(Role.TREASURER)
    for form in ("csv", "xlsx", "pdf"):
        for address in (
            f"/treasury/export?day={day}&format={form}",
            f"/treasury/figures/clients/export?pool=eMoney&currency=eur&day={day}&format={form}",
            f"/treasury/safeguarding/months?month={day:%Y-%m}&format={form}",
        ):
            assert browser.get(address).status_code == 200, address
    assert "100.00" in browser.get("/treasury/export?format=csv").get_data(as_text=True)
    assert "0 of 1" in text_of(browser.get("/treasury/safeguarding/months"))


def test_a_trend_is_a_picture_without_styles_and_a_table(house: House, signed_in: SignIn) -> None:
    pytest.importorskip("pygal")
    day = house.covered(house.bank(), house.client(), 100_00)
    with transaction():
        days.prepare("eMoney", "eur", day, by=house.treasurer)
    body = signed_in(Role.TREASURER).get("/treasury?tab=trend&period=7").get_data(as_text=True)
    drawing = body[body.index("<svg") : body.index("</svg>")]
    for word in ("style", "<script", "href", "http://kozea", "onclick"):
        assert word not in drawing
    assert body.count("<svg") >= 2
    assert "100.00" in body[body.index("day by day") :]


def test_a_threshold_is_asked_for_with_its_errors_beside_the_field(house: House, signed_in: SignIn) -> None:
    browser = signed_in(Role.TREASURER)
    form = {"pool": "eMoney", "currency": "eur", "kind": "excessBelow", "amount": "50.00"}
    assert "Say why." in browser.post("/treasury/thresholds", data=form).get_data(as_text=True)
    bent = browser.post("/treasury/thresholds", data={**form, "amount": "many", "reason": "x"})
    assert bent.status_code == 422 and "Write an amount in EUR" in bent.get_data(as_text=True)
    asked = browser.post("/treasury/thresholds", data={**form, "reason": "Policy."}, follow_redirects=True)
    assert "Another person decides" in text_of(asked)


def test_working_out_again_is_asked_for_once(house: House, signed_in: SignIn) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    browser = signed_in(Role.TREASURER)
    shown = text_of(browser.post("/treasury/work-out", data={"day": day.isoformat()}, follow_redirects=True))
    assert "are being worked out" in shown
    assert standing.last_day() == day
