"""Papers of some of the first clients, in every state, uploaded and decided by the product's own verbs."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.clients.documents import services
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.services.deciding import decide
from dashboard.clients.documents.store import Store
from dashboard.clients.documents.vocabulary import (
    CATEGORY_LABELS,
    DocumentCategory,
    DocumentKind,
    DocumentRejection,
    DocumentState,
)
from dashboard.clients.models import Client
from dashboard.clients.services.lock import locked
from dashboard.database import session, transaction
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember

#: clients whose papers are invented
NEEDED = 6
_PAPER, _INK = "#f4f1e6", "#1b2430"


def _scan(title: str, name: str) -> bytes:
    """A picture of a paper that says that it is none."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (1000, 640), _PAPER)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((20, 20, 980, 620), outline=_INK, width=3)
    pen.rectangle((60, 180, 320, 520), outline=_INK, width=2)
    for size, place, words in ((44, (60, 60), title), (34, (370, 190), name), (90, (370, 420), "SPECIMEN")):
        pen.text(place, words, fill=_INK, font=ImageFont.load_default(size))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _extract(title: str, name: str, pages: int) -> bytes:
    """A PDF of some pages."""
    from font_roboto import Roboto
    from fpdf import FPDF

    made = FPDF()
    made.set_creation_date(datetime(2026, 1, 5, tzinfo=UTC))
    made.add_font("Roboto", fname=Roboto)
    for number in range(1, pages + 1):
        made.add_page()
        made.set_font("Roboto", size=22)
        made.cell(0, 14, title, new_x="LMARGIN", new_y="NEXT")
        made.set_font("Roboto", size=13)
        made.cell(0, 10, name, new_x="LMARGIN", new_y="NEXT")
        made.cell(0, 10, f"Page {number} of {pages}. A specimen of the demo.", new_x="LMARGIN", new_y="NEXT")
    return bytes(made.output())


class _Teller:
    def __init__(self, store: Store, officer: Actor) -> None:
        self.store, self.officer = store, officer
        self.made = 0

    def upload(
        self, client: Client, category: DocumentCategory, file_name: str, expires_on: date | None = None
    ) -> ClientDocument:
        # made here, so nobody need find out what it is
        title = CATEGORY_LABELS[category]
        if file_name.endswith(".pdf"):
            looked = services.Looked(_extract(title, client.name, 3), file_name, DocumentKind.PDF, 3)
        else:
            looked = services.Looked(_scan(title, client.name), file_name, DocumentKind.PNG, 1)
        with transaction():
            document, _fresh = services.upload(
                client.id, looked, category=category, expires_on=expires_on, store=self.store, by=self.officer
            )
        self.made += 1
        return document


def tell(store: Store) -> int:
    """Invent the papers; gives how many. Nothing where there are too few clients or no demo colleague."""
    member = session().scalar(
        sa.select(StaffMember)
        .where(StaffMember.role == Role.OFFICER.value, StaffMember.email == "officer@demo.example")
        .limit(1)
    )
    found = session().scalars(
        sa.select(Client).where(Client.status == "active").order_by(Client.created_at.desc(), Client.id).limit(NEEDED)
    ).all()  # fmt: skip
    if member is None or len(found) < NEEDED:
        return 0
    teller = _Teller(store, staff.actor_of(member))
    today = clock.calendar().today()
    _told(teller, [client.id for client in found], today)
    return teller.made


def _told(teller: _Teller, ids: list[UUID], today: date) -> None:
    by = teller.officer

    def client(number: int) -> Client:
        return session().get_one(Client, ids[number])

    def do(verb: Callable[[], object]) -> None:
        with transaction():
            verb()

    def accept(one: ClientDocument, expires_on: date | None) -> None:
        do(lambda: services.accept(one.client_id, one.id, expires_on=expires_on, by=by))

    for number in (0, 1, 2):
        teller.upload(client(number), DocumentCategory.ADDRESS, "utility-bill.pdf")
    teller.upload(client(0), DocumentCategory.IDENTITY, "identity-front.png", today + timedelta(days=900))
    accept(teller.upload(client(0), DocumentCategory.FUNDS, "payslips.pdf"), None)
    refused = teller.upload(client(1), DocumentCategory.FUNDS, "contract-photo.png")
    do(
        lambda: services.reject(
            refused.client_id, refused.id, reason=DocumentRejection.UNREADABLE, comment="The lower half is dark.", by=by
        )
    )
    accept(teller.upload(client(3), DocumentCategory.IDENTITY, "passport.png"), today + timedelta(days=12))
    over = teller.upload(client(4), DocumentCategory.ADDRESS, "lease.pdf")
    yesterday = today - timedelta(days=1)

    def lapse() -> None:
        # no verb of people accepts what is over: this one was accepted while it counted
        locked(over.client_id)
        decide(over, DocumentState.ACCEPTED, by=by, expires_on=yesterday, action="document.accepted")
        services.expire(over.client_id, over.id, by=system("expiry of documents"))

    do(lapse)
    twice = teller.upload(client(5), DocumentCategory.OTHER, "letter.png")
    do(lambda: services.withdraw(twice.client_id, twice.id, reason="Belongs to another client.", by=by))
    do(lambda: services.remind(days_ahead=30))
