"""The fields of a posted HTML form (`application/x-www-form-urlencoded`)."""

import re
from urllib.parse import parse_qsl

from starlette.requests import Request

FORM = "application/x-www-form-urlencoded"
MAX_BYTES = 16 * 1024
MAX_FIELDS = 50
_LENGTH = re.compile(r"[0-9]{1,9}")


async def form_fields(request: Request) -> dict[str, str] | None:
    """None: it is no form, is too large, is not UTF-8, or says one thing twice (RFC 6749, section 3.2)."""
    declared = request.headers.get("content-length", "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM or not _LENGTH.fullmatch(declared) or int(declared) > MAX_BYTES:
        return None
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None
