"""How the providers are: what was heard last, what waits, which files failed and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response, current_app, flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import session, transaction
from dashboard.errors import NotFound, Refused
from dashboard.settings import Settings
from dashboard.transfers import inbox
from dashboard.transfers.models import ProviderFile
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.queries import providers as queries
from dashboard.transfers.services import files
from dashboard.transfers.services.providers import provider
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.htmx import go
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

KINDS = {"files": "ISO 20022 files", "sandbox": "Sandbox over HTTP"}
#: colour role and word of each state of a file
FILE_STATES = {"reading": ("info", "In work"), "done": ("ok", "Done"), "failed": ("stop", "Failed")}


@transfers.get("/providers")
@requires(Permission.TRANSFERS_READ)
def providers() -> str:
    """All providers with their figures."""
    return render_template("transfers/providers.html", views=queries.all_views(), kinds=KINDS)


@transfers.get("/providers/<key>/files")
@requires(Permission.TRANSFERS_READ)
def provider_files(key: str) -> Response:
    """Files of a provider, newest first; `view` failed: those with something to look at."""
    found = provider(key)
    failed = request.args.get("view") == "failed"
    context: dict[str, Any] = {"problem": False}
    try:
        rows, earlier, later = _page(key, failed)
        context |= {"files": rows, "earlier": earlier, "later": later}
    except InvalidCursor:
        context |= {"problem": True, "files": []}
    return make_response(
        render_template(
            "transfers/provider_files.html", provider=found, failed=failed,
            result_of=result_of, paged=bool(request.args.get("cursor")),
            may_retry=current_actor().may(Permission.TRANSFERS_EXECUTE), **context,
        ),
        400 if context["problem"] else 200,
    )  # fmt: skip


def _page(key: str, failed: bool) -> tuple[list[ProviderFile], str | None, str | None]:
    bound = ["provider-files", key, failed]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.files(
        key, failed=failed, limit=DEFAULT_PAGE_SIZE + 1,
        before=None if backwards else edge, after=edge if backwards else None,
    )  # fmt: skip
    shown, earlier, later = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda file: [str(file.id)], bound=bound
    )

    def at(cursor: str | None) -> str | None:
        view = "failed" if failed else None
        return url_for(".provider_files", key=key, view=view, cursor=cursor) if cursor else None

    return shown, at(earlier), at(later)


def result_of(file: ProviderFile) -> tuple[str, str]:
    """Colour role and word of what became of a file."""
    count = int(file.failures.get("count", 0))
    return ("wait", f"{count:,} not taken") if file.state == "done" and count else FILE_STATES[file.state]


COLUMNS = (
    Column("time", "Time", Kind.MOMENT),
    Column("file", "File", share=2),
    Column("way", "Way", share=0.3),
    Column("format", "Format"),
    Column("entries", "Entries", Kind.NUMBER),
    Column("result", "Result"),
    Column("reason", "Why", share=2),
    Column("count", "Not taken", Kind.NUMBER),
    Column("refused", "Entries that were not taken", share=3),
    Column("finished", "Finished", Kind.MOMENT),
    Column("sha256", "SHA-256", share=2),
)
#: files that an export reads at once
PART = 500


@transfers.get("/providers/<key>/files/export/<form>")
@downloads(filters=("view",))
@requires(Permission.TRANSFERS_READ)
def export_provider_files(key: str, form: str) -> Response:
    """Files of a provider, or with `view=failed` those to look at, all pages of them, as `csv` or `xlsx`."""
    chosen_format, found = Format.of_a_list(form), provider(key)
    failed = request.args.get("view") == "failed"

    def older(last: ProviderFile | None) -> list[ProviderFile]:
        return queries.files(key, failed=failed, before=last.id if last else None, limit=PART)

    def rows() -> Iterator[Row]:
        for part in parts(older):
            for file in part:
                refused = [
                    f"{one['place']}{' (' + one['reference'] + ')' if one.get('reference') else ''}: {one['reason']}"
                    for one in file.failures.get("entries", [])
                ]
                yield {
                    "time": file.created_at,
                    "file": file.name,
                    "way": file.direction,
                    "format": file.format,
                    "entries": file.entries,
                    "result": result_of(file)[1],
                    "reason": file.reason,
                    "count": int(file.failures.get("count", 0)),
                    "refused": "; ".join(refused),
                    "finished": file.finished_at,
                    "sha256": file.sha256,
                }

    about = exports.about(
        f"Files of {found.name}", by=current_actor().name, facts=[("Provider", found.name)],
        filters=[("Files", "to look at")] if failed else [],
    )  # fmt: skip
    return exports.answer(Listing(about, COLUMNS), rows, chosen_format)


@transfers.post("/providers/<key>/files/<uuid:file_id>/retry")
@requires(Permission.TRANSFERS_EXECUTE)
def retry_file(key: str, file_id: UUID) -> Any:
    """Lay the file into the inbox again."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    file = session().get(ProviderFile, file_id)
    if file is None or file.provider != key:
        raise NotFound("There is no such file.", code="fileNotFound")
    lies = inbox.place_of(settings.instance_path, file)
    try:
        if not lies.exists():
            raise Refused("The file is no longer where it was laid; put it into the inbox again.", code="fileGone")
        with transaction():
            again = files.ask_to_retry(file_id, by=current_actor())
        inbox.put_back(settings.instance_path, again, lies)
    except Refused as refusal:
        flash(refusal.message, "stop")
    else:
        flash("The file is read again. What was taken from it before is not taken twice.", "ok")
    return go(url_for(".provider_files", key=key))
