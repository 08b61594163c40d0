"""Reads code lists from `codes/*.toml`; a list that is doubtful does not start."""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from hub.domain.codes import CodeItem, CodeList, Codes
from hub.domain.located import Document, load_toml
from hub.errors import CodeListError

CODES_DIR = Path(__file__).with_name("codes")
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def read_codes(directories: Sequence[Path] = (CODES_DIR,)) -> Codes:
    """All code lists of all `*.toml` files, by id.

    Raises:
        CodeListError: a list twice, a code twice, a bad name, impossible dates; names file, line, name.
    """
    lists: dict[str, CodeList] = {}
    for directory in directories:
        for path in sorted(directory.glob("*.toml")):
            document = load_toml(path, CodeListError)
            for list_id, data in document.data.items():
                if list_id in lists:
                    raise CodeListError("declared twice", file=path.name, line=document.line(list_id), name=list_id)
                lists[list_id] = _read_list(document, list_id, data)
    return lists


def _read_list(document: Document, list_id: str, data: dict[str, Any]) -> CodeList:
    missing = {"type_name", "edition", "zh", "en", "items"} - data.keys()
    if missing:
        raise _error(document, f"lacks {', '.join(sorted(missing))}", list_id)
    is_open = bool(data.get("open", False))
    items = tuple(_read_item(document, list_id, name, row, is_open) for name, row in data["items"].items())
    seen: set[str] = set()
    for item in items:
        if item.code in seen:
            raise _error(document, f"code {item.code} twice", list_id, "items", item.name)
        seen.add(item.code)
    for item in items:
        if item.successor is not None and item.successor not in seen:
            raise _error(document, f"unknown successor {item.successor}", list_id, "items", item.name)
    return CodeList(
        id=list_id,
        type_name=data["type_name"],
        edition=data["edition"],
        zh=data["zh"],
        en=data["en"],
        open=is_open,
        pattern=data.get("pattern"),
        items=items,
    )


def _read_item(document: Document, list_id: str, name: str, row: list[str], is_open: bool) -> CodeItem:
    if is_open:
        zh, *rest = row
        code, en, dates = name, row[0], rest
    else:
        if not _NAME.fullmatch(name):
            raise _error(document, "is not an enum name", list_id, "items", name)
        try:
            code, zh, en, *dates = row
        except ValueError as exc:
            raise _error(document, "needs code, Chinese, English", list_id, "items", name) from exc
    try:
        valid = [date.fromisoformat(text) for text in dates[:2]]
    except ValueError as exc:
        raise _error(document, "bad date", list_id, "items", name) from exc
    if len(valid) == 2 and valid[1] <= valid[0]:
        raise _error(document, "ends before it begins", list_id, "items", name)
    return CodeItem(
        code=code,
        name=name,
        zh=zh,
        en=en,
        valid_from=valid[0] if valid else None,
        valid_to=valid[1] if len(valid) == 2 else None,
        successor=dates[2] if len(dates) > 2 else None,
    )


def _error(document: Document, text: str, *path: str) -> CodeListError:
    return CodeListError(text, file=document.file, line=document.line(*path), name=".".join(path))
