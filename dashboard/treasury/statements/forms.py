"""Forms of statements: the upload, taking an import back, and the mapping of a CSV file."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from dashboard.treasury.statements.reading.csv_rows import (
    DATE_FORMATS,
    DECIMAL_MARKS,
    DELIMITERS,
    ENCODINGS,
    FIELDS,
    MOST_SKIPPED,
    camel,
)
from dashboard.treasury.statements.services.deleting import LONGEST_REASON

ACCEPTED = ".xml,.sta,.mt940,.940,.942,.txt,.csv,.camt,application/xml,text/xml,text/csv,text/plain"
LABELS = {
    "booking_date": "Booking date", "value_date": "Value date", "amount": "Amount, signed", "debit": "Debit",
    "credit": "Credit", "direction": "Direction", "currency": "Currency", "balance": "Balance after the row",
    "reference": "Bank reference", "end_to_end_id": "End-to-end reference", "counterparty": "Counterparty",
    "counterparty_account": "Counterparty account", "remittance": "Text",
}  # fmt: skip


class UploadForm(FlaskForm):
    file = FileField("File", validators=[FileRequired("Choose a file.")], id="statement-file")
    account = SelectField("Bank account of a CSV file", id="statement-account", validate_choice=False)


class DeleteForm(FlaskForm):
    reason = TextAreaField(
        "Why",
        filters=[lambda text: (text or "").strip() or None],
        validators=[
            InputRequired("Say why."),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters."),
        ],
        id="delete-reason",
        render_kw={"rows": 3},
    )


class SampleForm(FlaskForm):
    """A file to try a mapping on; nothing of it is kept."""

    sample = FileField("Sample file", id="mapping-sample")


def _column(name: str) -> StringField:
    return StringField(LABELS[name], validators=[Length(max=100)], id=f"mapping-{name}")


class MappingForm(SampleForm):
    """Names of fields are those of `Rules`, so that what it refuses stands beside its field."""

    encoding = SelectField("Encoding", choices=[(each, each) for each in ENCODINGS], id="mapping-encoding")
    delimiter = SelectField("Between columns", choices=[(each, each) for each in DELIMITERS], id="mapping-delimiter")
    decimal_mark = SelectField(
        "Decimal mark", choices=[(each, each) for each in DECIMAL_MARKS], id="mapping-decimal-mark"
    )
    date_format = SelectField("Dates", choices=[(each, each) for each in DATE_FORMATS], id="mapping-date-format")
    skipped = IntegerField(
        f"Lines before the head, up to {MOST_SKIPPED}", default=0, validators=[Optional()], id="mapping-skipped"
    )
    named = BooleanField("The first line names the columns", default=True, id="mapping-named")
    debit_word = StringField("Direction of a debit", validators=[Length(max=40)], id="mapping-debit-word")
    credit_word = StringField("Direction of a credit", validators=[Length(max=40)], id="mapping-credit-word")
    minus_debits = BooleanField("The debit column writes money that left with a minus", id="mapping-minus-debits")
    booking_date = _column("booking_date")
    value_date = _column("value_date")
    amount = _column("amount")
    debit = _column("debit")
    credit = _column("credit")
    direction = _column("direction")
    currency = _column("currency")
    balance = _column("balance")
    reference = _column("reference")
    end_to_end_id = _column("end_to_end_id")
    counterparty = _column("counterparty")
    counterparty_account = _column("counterparty_account")
    remittance = _column("remittance")

    @property
    def columns(self) -> list[Any]:
        return [self._fields[name] for name in FIELDS]

    def document(self) -> dict[str, Any]:
        """As a mapping is saved."""
        return {
            "encoding": self.encoding.data, "delimiter": self.delimiter.data, "decimalMark": self.decimal_mark.data,
            "dateFormat": self.date_format.data, "skipped": self.skipped.data or 0, "named": bool(self.named.data),
            "debitWord": self.debit_word.data or "", "creditWord": self.credit_word.data or "",
            "minusDebits": bool(self.minus_debits.data),
            "columns": {name: self._fields[name].data or "" for name in FIELDS},
        }  # fmt: skip

    def show(self, document: dict[str, Any]) -> None:
        """Fill in what was saved."""
        for name in ("encoding", "delimiter", "decimal_mark", "date_format", "skipped", "named", "debit_word",
                     "credit_word", "minus_debits"):  # fmt: skip
            self._fields[name].data = document.get(camel(name))
        for name, column in document.get("columns", {}).items():
            if name in self._fields:
                self._fields[name].data = column
