"""Canonical values in two halves: what a mask leaves, and what it hides. Two values of one `shown` mask alike."""

from datetime import date
from decimal import Decimal

import msgspec

from hub.domain.catalogue import Field, ValueType
from hub.domain.codes import Codes

SHOWN, HIDDEN = 3, 3  # how many there are of each half


class Value(msgspec.Struct, frozen=True):
    """`broken`: what the source holds does not fit its mapping, or, where it is sealed, does not open."""

    shown: int
    hidden: int
    broken: bool = False


def canonical(field: Field, value: Value, codes: Codes) -> object:
    """The value of `field` as a connector hands it on."""
    if field.mask is not None:
        return _masked(field.mask, value.shown, value.hidden)
    number = value.shown * HIDDEN + value.hidden
    match field.value_type:
        case ValueType.CODE:
            assert field.code_list is not None
            items = codes[field.code_list].items
            return items[number % len(items)].name if items else f"36070{number}"
        case ValueType.BOOLEAN:
            return number % 2 == 1
        case ValueType.INT:
            return number
        case ValueType.DECIMAL:
            return Decimal(number)
        case ValueType.DATE:
            return date(2010 + number, 3, 4)
        case ValueType.MONTH:
            return f"202{number}-05"
    return f"{field.name}-{number}"


def _masked(mask: str, shown: int, hidden: int) -> object:
    match mask:
        case "name":
            return f"{'张王李'[shown]}{'大中小'[hidden]}明"
        case "identity-number":
            return f"{shown + 1}60700199001{hidden}1001{shown}"
        case "phone":
            return f"13{shown}{hidden:04}8000"
        case "address":
            return f"江西省赣州市章贡区{'东南西'[shown]}街道{hidden}号"
        case "bank-card":
            return f"6222{hidden}000000{shown}111"
        case "birth-date":
            return date(1980 + shown, 1 + hidden, 2)
    raise KeyError(mask)
