"""The verification tab and the list of differences, as staff see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.permissions import Role
from dashboard.database import new_id, session, transaction
from dashboard.onboarding.pulling.models import VerificationDifference
from dashboard.onboarding.pulling.services import comparing, differences
from dashboard.onboarding.pulling.services.differences import Pair
from dashboard.onboarding.pulling.vocabulary import ASK, COMPARE, Field
from dashboard.settings import Settings
from tests.conftest import People
from tests.onboarding.pulled import BY, House, ago, connect, do, jobs_of
from tests.onboarding.stand_in import PERSONAL, StandIn, standing_in

Sign = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def _there() -> Iterator[StandIn]:
    with standing_in() as there:
        yield there


@pytest.fixture
def there(_there: StandIn, app: Flask, configured: Settings) -> Iterator[StandIn]:
    _there.applicants.clear()
    _there.seen.clear()
    connect(configured, _there, sumsub_confirm_approvals=False)
    yield _there
    connect(configured, None)


def tab(house: House) -> str:
    return f"/onboarding/of/{house.client.id}/verification"


def rejected(there: StandIn) -> House:
    house = House(there)
    house.told_pending(ago(hours=3))
    house.told(
        "applicantReviewed", ago(hours=2), "completed",
        {
            "reviewAnswer": "RED", "reviewRejectType": "RETRY", "rejectLabels": ["SCREENSHOTS", "NEW_LABEL_OF_2027"],
            "moderationComment": "Please send a photo of the document.",
            "clientComment": "Third attempt with <b>the same</b> file.",
        },
    )  # fmt: skip
    return house


def differing(client: House | None = None, **fields: str | None) -> VerificationDifference:
    """A difference that stands."""
    pair = Pair(fields.get("ours", "rejected"), fields.get("theirs", "approved"))
    field = Field(fields.get("field") or "state")
    applicant_id = client.applicant_id if client else f"a{uuid4().hex[:12]}"
    with transaction():
        differences.settle(
            applicant_id, {field: pair}, looked=frozenset({field}), by=BY, comparison_id=None,
            client_id=client.client.id if client else None,
        )  # fmt: skip
    return next(one for one in session().query(VerificationDifference) if one.applicant_id == applicant_id)


def test_the_tab_tells_state_level_answer_reasons_comments_attempts_history_and_the_way_to_sumsub(
    there: StandIn, signed_in: Sign
) -> None:
    house = rejected(there)
    page = signed_in(Role.OFFICER).get(tab(house)).text
    for said in (
        "Asked again", "basic-kyc-level", "RED", "the applicant may try again (RETRY)", "Screenshots instead of photos",
        "New label of 2027", "not in the list of known labels", "Please send a photo of the document.",
        "Never tell the client", "Third attempt with &lt;b&gt;the same&lt;/b&gt; file.", "Handed in for review",
        "Webhook", f"https://cockpit.sumsub.com/checkus#/applicant/{house.applicant_id}/client/basicInfo",
        'rel="noopener noreferrer"', "Ask Sumsub now",
    ):  # fmt: skip
        assert said in page, said
    assert all(word not in page for word in PERSONAL)


def test_without_the_permission_no_reason_is_told_whatever_there_is(there: StandIn, signed_in: Sign) -> None:
    house = rejected(there)
    page = signed_in(Role.TREASURER).get(tab(house)).text
    assert "Not approved" in page
    other = House(there)
    other.told_pending(ago(hours=2))
    alike = signed_in(Role.TREASURER).get(tab(other)).text
    for hidden in (
        "Screenshots", "SCREENSHOTS", "NEW_LABEL", "Third attempt", "Never tell", "Ask Sumsub now", "RED", "RETRY",
        "Please send", "Asked again", "/onboarding/events", house.applicant_id,
    ):  # fmt: skip
        assert hidden not in page, hidden

    def facts(text: str) -> str:
        return text[text.index('<dl class="sheet facts">') : text.index("</dl>")]

    # a masked one tells nothing: rejected and in review read the same
    assert facts(page) == facts(alike)


def test_the_tab_stands_second_and_is_loaded_by_its_address(there: StandIn, signed_in: Sign) -> None:
    house = House(there)
    page = signed_in(Role.OFFICER).get(f"/clients/{house.client.id}?tab=verification").text
    assert page.index("Overview</a>") < page.index("Verification</a>") < page.index("Money</a>")
    assert f'hx-get="{tab(house)}"' in page and f'<a href="{tab(house)}">' in page
    alone = signed_in(Role.OFFICER).get(tab(house)).text
    assert "Sumsub has told nothing of this client yet." in alone


def test_of_an_approved_client_the_tab_says_what_activated_it(there: StandIn, signed_in: Sign) -> None:
    house = House(there)
    house.told_green(ago(hours=1))
    house.told_red(ago(hours=3))
    page = signed_in(Role.OFFICER).get(tab(house)).text
    assert "Approved" in page and "activated the client" in page and "out of date, changes nothing" in page
    brief = signed_in(Role.TREASURER).get(tab(house)).text
    assert "Approved" in brief and "basic-kyc-level" in brief and "History" not in brief


def test_asking_from_the_tab_brings_the_answer_in(there: StandIn, signed_in: Sign) -> None:
    house = House(there)
    house.told_pending(ago(hours=3))
    house.there_is("completed", "GREEN", review_date=ago(hours=1))
    browser = signed_in(Role.OFFICER)
    answer = browser.post(f"{tab(house)}/ask")
    assert answer.status_code == 303 and answer.location.endswith("tab=verification")
    assert "Sumsub is being asked." in browser.get(tab(house)).text
    browser.post(f"{tab(house)}/ask")
    do(ASK)
    page = browser.get(tab(house)).text
    assert "activated the client" in page and "Asked by us" in page and "news, applied" in page
    assert house.status == "active"


@pytest.mark.parametrize("role", [Role.TREASURER, Role.AUDITOR, Role.ADMIN])
def test_who_may_not_review_clients_may_not_have_sumsub_asked(there: StandIn, signed_in: Sign, role: Role) -> None:
    house = House(there)
    assert signed_in(role).post(f"{tab(house)}/ask").status_code == 403
    assert house.question() is None


def test_of_a_client_that_is_none_there_is_no_tab(there: StandIn, signed_in: Sign) -> None:
    browser = signed_in(Role.OFFICER)
    assert browser.get(f"/onboarding/of/{uuid4()}/verification").status_code == 404
    assert browser.post(f"/onboarding/of/{uuid4()}/verification/ask").status_code == 404


def test_without_credentials_the_pages_say_that_it_is_off_and_offer_nothing(
    app: Flask, configured: Settings, signed_in: Sign
) -> None:
    connect(configured, None)
    browser = signed_in(Role.OFFICER)
    page = browser.get("/onboarding/differences").text
    assert "Sumsub’s API is not connected." in page and "SUMSUB_" not in page and "Compare now" not in page
    answer = browser.post("/onboarding/differences/runs", follow_redirects=True)
    assert "An administrator sets it up" in answer.text and jobs_of(app, COMPARE) == 0
    with standing_in() as there:
        house = House(there)
        page = browser.get(tab(house)).text
        assert "An administrator sets it up" in page and "SUMSUB_" not in page and "Ask Sumsub now" not in page
        answer = browser.post(f"{tab(house)}/ask", follow_redirects=True)
        assert "An administrator sets it up" in answer.text and jobs_of(app, ASK) == 0


def test_the_list_tells_what_differs_since_when_and_of_whom(there: StandIn, signed_in: Sign) -> None:
    house = House(there)
    differing(house)
    differing(field="applicant", ours="known", theirs="notKnown")
    page = signed_in(Role.AUDITOR).get("/onboarding/differences").text
    assert house.client.name in page and "rejected" in page and "approved" in page
    assert "No client here" in page and "not known there" in page
    assert "Let it stand" not in page and "Compare now" not in page
    assert "Let it stand" in signed_in(Role.OFFICER).get("/onboarding/differences").text


def test_filters_combine_and_stand_in_the_address(there: StandIn, signed_in: Sign) -> None:
    house = House(there)
    differing(house)
    differing(house, field="level", ours="basic", theirs="strict-level")
    differing(field="level", ours="basic", theirs="other-level")
    browser = signed_in(Role.OFFICER)
    page = browser.get(f"/onboarding/differences?field=level&client={house.client.id}").text
    assert "strict-level" in page and "other-level" not in page and "rejected" not in page
    assert "No difference" not in page
    assert "Nothing fits these filters" in browser.get("/onboarding/differences?field=labels").text
    for wrong in ("state=odd", "field=odd", "client=odd", "run=odd"):
        answer = browser.get(f"/onboarding/differences?{wrong}")
        assert answer.status_code == 422 and "Clear" in answer.text, wrong
    assert browser.get("/onboarding/differences?cursor=odd").status_code == 400


def test_pages_of_the_list_show_each_difference_once(
    there: StandIn, signed_in: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.onboarding.pulling.pages.differences.DEFAULT_PAGE_SIZE", 2)
    for number in range(5):
        differing(field="level", ours="basic", theirs=f"level-{number}")
    browser, seen, address = signed_in(Role.OFFICER), [], "/onboarding/differences"
    import re

    for _ in range(5):
        page = browser.get(address).text
        seen += re.findall(r"level-\d", page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        if following is None:
            break
        address = following[1].replace("&amp;", "&")
    assert seen == [f"level-{number}" for number in (4, 3, 2, 1, 0)]


def test_labels_on_a_difference_are_reasons_and_hidden_from_who_may_not_know(there: StandIn) -> None:
    from dashboard.onboarding.pulling.words import in_short

    difference = differing(field="labels", ours="FORGERY", theirs="SANCTIONS FORGERY")
    assert "On a sanctions list" in in_short(difference, sees_restricted=True)
    hidden = in_short(difference, sees_restricted=False)
    assert "Internal reason" in hidden and "anction" not in hidden and "orgery" not in hidden


def test_a_difference_is_let_stand_by_a_reason_in_a_dialog(there: StandIn, signed_in: Sign) -> None:
    house = House(there)
    difference = differing(house)
    browser = signed_in(Role.OFFICER)
    address = f"/onboarding/differences/{difference.id}/accept"
    dialog = browser.get(address, headers={"HX-Request": "true"}).text
    assert "<html" not in dialog and house.client.name in dialog and "Let it stand" in dialog
    assert "<html" in browser.get(address).text
    empty = browser.post(address, data={"reason": " "})
    assert empty.status_code == 422 and "Say why" in empty.text
    assert browser.post(address, data={"reason": "Sumsub's mistake"}).status_code == 303
    again = browser.post(address, data={"reason": "Sumsub's mistake"})
    assert again.status_code == 409 and "not open any more" in again.text
    assert "Sumsub&#39;s mistake" in browser.get("/onboarding/differences?state=accepted").text
    assert signed_in(Role.AUDITOR).get(address).status_code == 403
    assert browser.get(f"/onboarding/differences/{new_id()}/accept").status_code == 404


def test_a_comparison_is_started_shown_canceled_and_listed(there: StandIn, signed_in: Sign) -> None:
    house = House(there)
    house.told_red(ago(hours=1), "FINAL")
    house.there_is("completed", "GREEN", review_date=ago(hours=4))
    browser = signed_in(Role.OFFICER)
    assert "Nothing is known yet." in browser.get("/onboarding/differences").text
    assert browser.post("/onboarding/differences/runs").status_code == 303
    assert "Waiting to start" in browser.get("/onboarding/differences").text
    part = browser.get("/onboarding/differences/progress", headers={"HX-Request": "true"})
    assert "every 2s" in part.text and "HX-Refresh" not in part.headers
    do(COMPARE)
    part = browser.get("/onboarding/differences/progress", headers={"HX-Request": "true"})
    assert part.headers["HX-Refresh"] == "true"
    page = browser.get("/onboarding/differences").text
    assert "Last compared" in page and "1 applicant" in page and house.client.name in page
    runs = browser.get("/onboarding/differences/runs").text
    assert "Differences" in runs and "by you" not in runs and ">you<" in runs
    with transaction():
        job = comparing.ask_to_compare(by=BY)
    assert browser.post(f"/onboarding/differences/runs/{job.id}/cancel").status_code == 303
    assert jobs_of(there, COMPARE) == 2  # type: ignore[arg-type]
    assert signed_in(Role.AUDITOR).post("/onboarding/differences/runs").status_code == 403
    assert signed_in(Role.TREASURER).get("/onboarding/differences").status_code == 403


def test_the_number_of_queries_does_not_grow_with_the_rows(there: StandIn, signed_in: Sign, people: People) -> None:
    import sqlalchemy as sa

    counted: list[int] = []
    browser = signed_in(Role.OFFICER)
    # the first look at a list is written down, a later one soon after is not
    browser.get("/onboarding/differences")
    for _ in range(2):
        for _ in range(6):
            differing(House(there))
        statements: list[str] = []

        def note(_c: object, _cur: object, statement: str, *_rest: object) -> None:
            statements.append(statement)

        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        try:
            assert browser.get("/onboarding/differences").status_code == 200
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", note)
        counted.append(len(statements))
    assert counted[0] == counted[1] > 0


def test_a_difference_waits_in_the_queue_of_doubts_and_on_the_page_of_its_client(
    there: StandIn, signed_in: Sign
) -> None:
    house = House(there)
    differing(house)
    differing(field="applicant", ours="known", theirs="notKnown")
    browser = signed_in(Role.OFFICER)
    queue = browser.get("/queues/verification").text
    assert "Sumsub says something else" in queue and "State: rejected here, approved at Sumsub" in queue
    assert f"/clients/{house.client.id}?tab=verification" in queue and "/onboarding/differences" in queue
    page = browser.get(f"/clients/{house.client.id}").text
    assert "Sumsub says something else" in page
    assert "Look at what Sumsub" not in signed_in(Role.TREASURER).get(f"/clients/{house.client.id}").text
    timeline = browser.get(f"/clients/{house.client.id}?tab=timeline").text
    assert "Difference with Sumsub found" in timeline
    assert "Difference" not in signed_in(Role.TREASURER).get(f"/clients/{house.client.id}?tab=timeline").text
