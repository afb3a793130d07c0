"""What an officer meets on the way through onboarding: a map of it, and pages that say what was done and why."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.clients.models import Client
from dashboard.database import session
from dashboard.queues.models import QueueItem
from tests.clients.making import activated, path, person
from tests.conftest import People
from tests.onboarding.telling import FINAL, GREEN, event, send, stored, told

Sign = Callable[..., FlaskClient]
LIST = "/onboarding/events"
PLACES = (LIST, "/queues/verification", "/onboarding/differences", "/onboarding/reviews", "/clients/deletions")


def text_of(page: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.get_data(as_text=True)))


def places(page: Any) -> list[tuple[str, str, bool]]:
    """(address, label with its figure, whether it is this page) of the place bar."""
    bar = re.search(r'aria-label="Pages of onboarding">(.*?)</nav>', page.get_data(as_text=True), re.S)
    assert bar
    found = re.findall(r'<a href="([^"]+)"( aria-current="page")?>(.*?)</a>', bar[1], re.S)
    return [(url, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", words)).strip(), bool(here)) for url, here, words in found]


@pytest.fixture
def failed(people: People, http: FlaskClient) -> Client:
    """An active client whose verification failed."""
    client = activated(person(system()), people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER))
    told(http, event("applicantReviewed", client, 0, **FINAL))
    return client


def test_every_page_of_onboarding_leads_to_the_others_and_says_how_much_waits_there(
    signed_in: Sign, failed: Client
) -> None:
    officer = signed_in(Role.OFFICER)
    for here in PLACES:
        page = officer.get(here)
        bar = places(page)
        assert [url for url, _words, _current in bar] == list(PLACES), here
        assert [url for url, _words, current in bar if current] == [here]
        assert {url: words for url, words, _ in bar}["/queues/verification"] == "Doubts 1 open"
        rail = page.get_data(as_text=True)
        rail = rail[: rail.index("rail-foot")]
        assert [one.strip() for one in re.findall(r'aria-current="page">([^<\n]+)', rail)] == ["Onboarding"]


def test_the_map_shows_each_role_only_what_it_may_open(signed_in: Sign) -> None:
    auditor = signed_in(Role.AUDITOR)
    for url, _words, _current in places(auditor.get(LIST)):
        assert auditor.get(url).status_code == 200, url


def test_a_settled_doubt_stays_on_the_page_of_its_event(signed_in: Sign, failed: Client) -> None:
    officer = signed_in(Role.OFFICER)
    item = session().scalars(sa.select(QueueItem).where(QueueItem.cause == "rejectedWhileActive")).one()
    page = f"{LIST}/{item.object_id}"
    officer.post(f"{page}/doubts/{item.id}", data={"reason": "Mistake at Sumsub"})
    words = text_of(officer.get(page))
    assert re.search(r"RED FINAL on an active client · settled .{5,20} by you: “Mistake at Sumsub”", words)
    assert "by you" not in text_of(signed_in(Role.SENIOR_OFFICER).get(page))


def test_an_approval_that_lifts_no_block_says_so_and_the_block_leads_to_its_event(
    signed_in: Sign, http: FlaskClient, failed: Client
) -> None:
    told(http, event("applicantReviewed", failed, 64, **GREEN))
    final, green = (row.id for row in stored())
    officer = signed_in(Role.OFFICER)
    page = officer.get(path(failed))
    assert "Sumsub GREEN, created 4 Feb 2026 13:04 : the debit block stays until two people lift it" in text_of(page)
    for tab in ("", "?tab=timeline"):
        assert f'<a href="{LIST}/{final}">Debit block</a>' in officer.get(path(failed, tab)).get_data(as_text=True)
    assert f'<a href="{LIST}/{green}">' in page.get_data(as_text=True)
    treasurer = signed_in(Role.TREASURER)
    for tab in ("", "?tab=timeline"):
        assert LIST not in treasurer.get(path(failed, tab)).get_data(as_text=True)


def test_an_event_leads_to_sumsub_and_to_the_verification_of_its_client(signed_in: Sign, failed: Client) -> None:
    page = signed_in(Role.OFFICER).get(f"{LIST}/{stored()[0].id}").get_data(as_text=True)
    assert "Open at Sumsub" in page and f'href="/clients/{failed.id}?tab=verification"' in page
    assert "Processed in the order of Sumsub" in page


def test_of_a_refused_body_nothing_is_told_that_it_does_not_say(signed_in: Sign, http: FlaskClient) -> None:
    send(http, b'{"type": "applicantReviewed"}', digest="0" * 64)
    words = text_of(signed_in(Role.OFFICER).get(f"{LIST}/{stored()[0].id}"))
    assert "What it says" not in words and "How it came" in words and "Open at Sumsub" not in words


def test_processing_all_again_says_first_how_much_that_is(signed_in: Sign, http: FlaskClient, failed: Client) -> None:
    told(http, event("applicantCreated", person(system(), first="Other", document=None), 0))
    told(http, event("applicantReviewed", failed, 5, **GREEN))
    send(http, b"{}", digest="0" * 64)
    officer = signed_in(Role.OFFICER)
    assert f'href="{LIST}/replay/new?answer=GREEN" data-dialog' in officer.get(f"{LIST}?answer=GREEN").text
    assert "3 events of 2 applicants ; nothing is done twice" in text_of(officer.get(f"{LIST}/replay/new"))
    page = officer.get(f"{LIST}/replay/new?answer=GREEN")
    assert "1 event of 1 applicant , as filtered" in text_of(page)
    assert '<input type="hidden" name="answer" value="GREEN">' in page.text
    assert officer.get(f"{LIST}/replay/new?answer=BLUE").status_code == 422
    assert signed_in(Role.AUDITOR).get(f"{LIST}/replay/new").status_code == 403


def test_reject_labels_are_told_in_words_with_their_code_behind(signed_in: Sign, failed: Client) -> None:
    officer, one = signed_in(Role.OFFICER), stored()[0].id
    for page in (path(failed), path(failed, "?tab=timeline")):
        assert "Forgery suspected (FORGERY), A label nobody knows (A_LABEL_NOBODY_KNOWS)" in text_of(officer.get(page))
        assert ": FORGERY" not in text_of(officer.get(page))
    assert "Forgery suspected FORGERY" in text_of(officer.get(f"{LIST}/{one}"))


def test_types_and_answers_are_told_in_the_same_words_everywhere(signed_in: Sign, failed: Client) -> None:
    officer, one = signed_in(Role.OFFICER), stored()[0].id
    assert f'href="{LIST}/{one}">Reviewed</a> <span class="mono muted not-phone">applicantReviewed' in (
        officer.get(LIST).get_data(as_text=True)
    )
    assert '<option value="applicantReviewed">Reviewed</option>' in officer.get(LIST).get_data(as_text=True)
    assert "<h1>Reviewed</h1>" in officer.get(f"{LIST}/{one}").get_data(as_text=True)
    assert "RED FINAL" in text_of(officer.get(f"/onboarding/of/{failed.id}/verification"))


def test_open_items_of_a_client_use_the_words_of_the_queue() -> None:
    from dashboard.clients.pages.show import _TASKS
    from dashboard.home.worklist import CAUSES
    from dashboard.onboarding.sumsub.badges import DOUBTS

    queue = {cause.value: words for cause, (words, _todo) in DOUBTS.items()}
    for (name, cause), words in _TASKS.items():
        if name == "verification":
            assert words == (queue.get(cause) or CAUSES[cause])
