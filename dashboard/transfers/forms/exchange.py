"""Forms of exchange: the file of rates, and a margin."""

from __future__ import annotations

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import IntegerField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from dashboard.transfers.services.exchange.margins import HIGHEST, LONGEST_REASON


class RatesForm(FlaskForm):
    file = FileField("File", validators=[FileRequired("Choose an XML file.")], id="rates-file")


class _WholeNumber(IntegerField):
    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Write a whole number.") from None


class MarginForm(FlaskForm):
    """Basis points left empty: the default counts for the client."""

    client_id = StringField("Client", filters=[lambda text: (text or "").strip() or None], id="margin-client")
    basis_points = _WholeNumber(
        "Basis points",
        validators=[
            Optional(),
            NumberRange(0, HIGHEST, message=f"A margin lies between 0 and {HIGHEST:,} basis points."),
        ],
        id="margin-points",
    )
    reason = TextAreaField(
        "Why",
        filters=[lambda text: (text or "").strip() or None],
        validators=[
            InputRequired("Say why."),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters."),
        ],
        id="margin-reason",
        render_kw={"rows": 2},
    )
