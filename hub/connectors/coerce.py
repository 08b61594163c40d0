"""From a source's value to a canonical one, or a reason why not. Pure; nothing is guessed."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from hub.clock import CHINA
from hub.connectors.mapping import Rule
from hub.domain.catalogue import Shape, ValueType
from hub.domain.codes import Codes

MAX_TEXT = 2_000
_TRUE = frozenset({"1", "true", "Y", "是"})
_FALSE = frozenset({"0", "false", "N", "否", ""})
_MONTH = re.compile(r"(\d{4})-?(0[1-9]|1[0-2])")


class UnfitValueError(ValueError):
    """The value does not fit its type or code list; the text is a reason, never the value."""


def coerce(rule: Rule, raw: object, codes: Codes) -> object:
    """The canonical value of `raw` under `rule`; the default, mostly None, for an empty one.

    Raises:
        UnfitValueError: the value does not fit.
    """
    if rule.present:
        return raw not in (None, "")
    if raw is None or raw == "":
        return rule.default
    if rule.sealed:
        return _sealed(raw)
    if rule.positive or rule.is_in is not None:
        return _integer(raw) > 0 if rule.is_in is None else _text(raw) in rule.is_in
    if rule.field.shape is Shape.VALUES:
        items = raw if isinstance(raw, list) else _text(raw).split(rule.split or ";")
        return [_single(rule, item, codes) for item in items if item not in (None, "")]
    return _single(rule, raw, codes)


def as_of(raw: object, form: str) -> datetime:
    """A source's time stamp; a source without an offset means Chinese time.

    Raises:
        UnfitValueError: not a time of this form.
    """
    given = raw if isinstance(raw, datetime) else _text(raw)
    try:
        if isinstance(given, datetime):
            moment = given
        else:
            moment = datetime.fromisoformat(given) if form == "iso" else datetime.strptime(given, form)
        return (moment if moment.tzinfo else moment.replace(tzinfo=CHINA)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise UnfitValueError("not a time") from exc


def _single(rule: Rule, raw: object, codes: Codes) -> object:
    if rule.field.value_type is ValueType.CODE:
        return _code(rule, raw, codes)
    if rule.field.value_type is ValueType.DATE:
        return _date(raw, rule.format)
    if rule.field.value_type is ValueType.DATE_TIME:
        return as_of(raw, rule.format or "iso")
    assert rule.field.value_type is not None
    value = _PLAIN[rule.field.value_type](raw)
    return value if rule.factor is None else _scaled(value, rule.factor)


def _text(raw: object) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise UnfitValueError("not a text")
    text = str(raw).strip()
    if len(text) > MAX_TEXT:
        raise UnfitValueError("too long")
    if any(ord(character) < 32 and character not in "\n\t" for character in text):
        raise UnfitValueError("control character")
    return text


def _sealed(raw: object) -> bytes:
    if not isinstance(raw, bytes):
        raise UnfitValueError("not sealed")
    return raw


def _boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    text = _text(raw)
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise UnfitValueError("neither yes nor no")


def _integer(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        number = raw
    else:
        text = _text(raw)
        if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
            raise UnfitValueError("not a whole number")
        number = int(text)
    if not -(2**31) <= number < 2**31:
        raise UnfitValueError("out of range")
    return number


def _decimal(raw: object) -> Decimal:
    try:
        number = Decimal(str(raw)) if isinstance(raw, float | Decimal) else Decimal(_text(raw))
    except InvalidOperation as exc:
        raise UnfitValueError("not a number") from exc
    if not number.is_finite() or number.adjusted() >= 15:
        raise UnfitValueError("out of range")
    return number


def _scaled(value: object, factor: Decimal) -> object:
    """A number of the source's unit in the field's; a whole number must stay one."""
    assert isinstance(value, int | Decimal)
    scaled = value * factor
    return _decimal(str(scaled)) if isinstance(value, Decimal) else _integer(_whole(scaled))


def _whole(number: Decimal) -> int:
    if number != number.to_integral_value():
        raise UnfitValueError("not a whole number")
    return int(number)


def _month(raw: object) -> str:
    match = _MONTH.fullmatch(_text(raw))
    if not match:
        raise UnfitValueError("not a month")
    return f"{match[1]}-{match[2]}"


def _date(raw: object, form: str | None) -> date:
    if isinstance(raw, date):
        return raw.date() if isinstance(raw, datetime) else raw
    text = _text(raw)
    try:
        return date.fromisoformat(text[:10]) if form is None else datetime.strptime(text, form).date()
    except ValueError as exc:
        raise UnfitValueError("not a date") from exc


def _code(rule: Rule, raw: object, codes: Codes) -> str:
    text = _text(raw)
    if rule.codes is not None:
        name = rule.codes.get(text)
        if name is None:
            raise UnfitValueError("unknown code")
        return name
    assert rule.field.code_list is not None
    if not codes[rule.field.code_list].admits(text):
        raise UnfitValueError("unknown code")
    return text


_PLAIN: Mapping[ValueType, Callable[[object], object]] = {
    ValueType.STRING: _text,
    ValueType.BOOLEAN: _boolean,
    ValueType.INT: _integer,
    ValueType.DECIMAL: _decimal,
    ValueType.MONTH: _month,
}
