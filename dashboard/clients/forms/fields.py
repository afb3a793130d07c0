"""Fields that the forms of clients share. Empty is None, texts are stripped, countries have names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from wtforms import (
    EmailField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.validators import Optional, ValidationError
from wtforms.widgets import CheckboxInput, HiddenInput, ListWidget

from dashboard.clients import countries
from dashboard.web.fields import at_most, filled, plain, stripped


def text(
    label: str, *, longest: int = 200, required: str | None = None, marked: bool = False, **options: Any
) -> StringField:
    """One line. `required` is the sentence for an empty one; `marked` says "(optional)" beside the label."""
    return StringField(label, filters=[stripped], validators=_rules(longest, required, marked), **options)


def email(label: str, **options: Any) -> EmailField:
    return EmailField(label, filters=[stripped], validators=_rules(254, None), **options)


def longer_text(
    label: str, *, longest: int = 2000, required: str | None = None, marked: bool = False, **options: Any
) -> TextAreaField:
    """Several lines; `required` and `marked` as for one."""
    return TextAreaField(label, filters=[stripped], validators=_rules(longest, required, marked), **options)


def _rules(longest: int, required: str | None, marked: bool = False) -> list[Any]:
    return [*([filled(required)] if required else []), *([Optional()] if marked else []), plain, at_most(longest)]


class CountrySelect(SelectField):
    """Countries by name. A stored code that is none stays selectable, so that saving never loses it."""

    def __init__(self, label: str, **options: Any) -> None:
        super().__init__(label, choices=[], validate_choice=False, filters=[countries.stored], **options)

    def iter_choices(self) -> Iterator[tuple[str, str, bool, dict[str, Any]]]:
        named = countries.names()
        yield "", "Not stated", not self.data, {}
        if self.data and self.data not in named:
            yield self.data, f"{self.data} (unknown code)", True, {}
        for code, name in named.items():
            yield code, name, code == self.data, {}

    def pre_validate(self, _form: Any) -> None:
        if self.data and not countries.known(self.data) and self.data != self.object_data:
            raise ValidationError("Choose a country from the list.")


class ChoiceSelect(SelectField):
    """One of a vocabulary, or not stated."""

    def __init__(self, label: str, choices: Iterable[tuple[str, str]], **options: Any) -> None:
        super().__init__(label, choices=[("", "Not stated"), *choices], filters=[lambda v: v or None], **options)

    def pre_validate(self, form: Any) -> None:
        if self.data:
            super().pre_validate(form)


class YesNoSelect(SelectField):
    """Yes, no, or not stated: three different things."""

    WORDS = {True: "yes", False: "no", None: ""}

    def __init__(self, label: str, **options: Any) -> None:
        choices = [("", "Not stated"), ("yes", "Yes"), ("no", "No")]
        super().__init__(label, choices=choices, coerce=lambda v: v, **options)

    def process_data(self, value: Any) -> None:
        self.data = self.WORDS[value] if value is None or isinstance(value, bool) else value

    @property
    def answer(self) -> bool | None:
        return {"yes": True, "no": False}.get(self.data or "")


class Several(SelectMultipleField):
    """Any of a vocabulary, as check boxes. A stored word outside it stays selectable."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def __init__(self, label: str, choices: Iterable[tuple[str, str]], **options: Any) -> None:
        self.known = list(choices)
        super().__init__(label, choices=self.known, validate_choice=False, **options)

    def iter_choices(self) -> Iterator[tuple[str, str, bool, dict[str, Any]]]:
        chosen: Sequence[str] = self.data or ()
        known = [value for value, _ in self.known]
        for value, label in [*self.known, *((v, v) for v in chosen if v not in known)]:
            yield value, label, value in chosen, {}

    def pre_validate(self, _form: Any) -> None:
        known = {value for value, _ in self.known} | set(self.object_data or ())
        if any(value not in known for value in self.data or ()):
            raise ValidationError("Choose from the list.")


class HiddenNumber(IntegerField):
    """A whole number that the page carries and nobody types."""

    widget = HiddenInput()  # type: ignore[assignment]


class Number(StringField):
    """A number of at least 0, exact. `highest` bounds it; blanks and a decimal comma are read too."""

    data: Decimal | None  # type: ignore[assignment]

    def __init__(self, label: str, *, highest: int, decimals: int = 0, like: str = "", **options: Any) -> None:
        self.highest, self.decimals = highest, decimals
        self.like = like or ("1250.50" if decimals else "1250")
        super().__init__(label, **options)

    def process_data(self, value: Any) -> None:
        self.data = None if value is None else Decimal(str(value))

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        self.data = None
        typed = re.sub(r"\s", "", valuelist[0])
        if not typed:
            return
        if not re.fullmatch(r"\d{1,18}([.,]\d{1,18})?", typed):
            raise ValueError(f"Write a number, like {self.like}.")
        try:
            self.data = Decimal(typed.replace(",", "."))
        except InvalidOperation:
            raise ValueError("Write a number.") from None
        if self.data > self.highest:
            raise ValueError(f"Use at most {self.highest:,}.")
        if self.data != round(self.data, self.decimals):
            raise ValueError(f"Use at most {self.decimals} decimals." if self.decimals else "Write a whole number.")

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        if self.data is None:
            return ""
        return f"{self.data.normalize():f}"

    @property
    def json(self) -> int | Decimal | None:
        """For the small JSON documents of a profile; a whole number without its zeros after the point."""
        if self.data is None:
            return None
        return int(self.data) if self.data == self.data.to_integral_value() else self.data
