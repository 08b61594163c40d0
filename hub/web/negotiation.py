"""Media types of GraphQL over HTTP: what came in, what may go out."""

from dataclasses import dataclass

RESPONSE = "application/graphql-response+json"
LEGACY = "application/json"
MULTIPART = "multipart/mixed"
EVENT_STREAM = "text/event-stream"
_OTHER_FORMATS = frozenset({"deferspec", "subscriptionspec"})
"""Parameters of multipart/mixed by which a client asks for another shape of payloads than ours."""


@dataclass(frozen=True, slots=True)
class _Range:
    type: str
    quality: float
    parameters: frozenset[str] = frozenset()


def accepts(header: str | None) -> str | None:
    """The media type to answer with; None if the caller accepts neither. Without the header: the legacy type.

    The answer is always UTF-8; a range that asks for another charset is passed over.
    """
    if header is None or header == LEGACY or not header.strip():
        return LEGACY
    if header == RESPONSE:
        return RESPONSE
    best: tuple[float, int, str] | None = None
    for item in header.split(",")[:50]:
        found = _range(item)
        if found is None or found.quality <= 0:
            continue
        for rank, offered in ((1, RESPONSE), (0, LEGACY)):
            if found.type == offered:
                best = max(best or (0.0, -2, ""), (found.quality, rank, offered))
        if found.type in ("*/*", "application/*"):
            best = max(best or (0.0, -2, ""), (found.quality, -1, LEGACY))
    return best[2] if best else None


def streams(header: str | None) -> str | None:
    """The media type in which a caller takes an answer piece by piece, if any; wildcards do not mean that."""
    if header is None or header in (RESPONSE, LEGACY):
        return None
    header = header.lower()
    if MULTIPART not in header and EVENT_STREAM not in header:
        return None
    best: tuple[float, bool, str] | None = None
    for item in header.split(",")[:50]:
        found = _range(item)
        if found is None or found.quality <= 0 or found.type not in (MULTIPART, EVENT_STREAM):
            continue
        if not found.parameters & _OTHER_FORMATS:
            offer = (found.quality, found.type == MULTIPART, found.type)
            best = max(best or offer, offer)
    return best[2] if best else None


def is_json(header: str | None) -> bool:
    """Whether a request's content type is application/json in UTF-8."""
    if header is None:
        return False
    if header == LEGACY:
        return True
    media, *parameters = (part.strip().lower() for part in header.split(";"))
    return media == LEGACY and all(p in ("charset=utf-8", 'charset="utf-8"') for p in parameters if p)


def _range(item: str) -> _Range | None:
    media, *parameters = (part.strip().lower() for part in item.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') != "utf-8":
            return None
        if name == "q":
            try:
                quality = float(value)
            except ValueError:
                return None
    return _Range(media, quality, frozenset(parameter.partition("=")[0] for parameter in parameters))
