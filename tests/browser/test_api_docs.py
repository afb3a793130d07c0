"""Swagger UI in a real browser, under the security policy."""

from __future__ import annotations

from tests.browser.conftest import Live


def test_the_api_page_draws_every_operation_from_our_own_files_only(live: Live) -> None:
    page = live.open_page()
    foreign: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(live.url) else foreign.append(request.url))
    page.goto(f"{live.url}/openapi/")
    page.get_by_text("/internal/Clients/{clientId}/block").wait_for(timeout=30_000)
    document = page.request.get(f"{live.url}/openapi/openapi.json").json()
    operations = sum(len(item) for item in document["paths"].values())
    assert page.locator(".opblock").count() == operations > 40
    page.locator(".opblock", has_text="/integration/clients/individuals").click()
    page.get_by_text("externalIdTaken").wait_for()
    assert not [address for address in foreign if not address.startswith("data:")]
    assert not live.complaints
