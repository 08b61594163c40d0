import pytest

from hub.web.negotiation import EVENT_STREAM, LEGACY, MULTIPART, RESPONSE, accepts, is_json, streams


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, LEGACY),
        ("*/*", LEGACY),
        ("application/*", LEGACY),
        (RESPONSE, RESPONSE),
        (LEGACY, LEGACY),
        (f"{LEGACY}, {RESPONSE}", RESPONSE),
        (f"{LEGACY};q=0.9, {RESPONSE};q=0.5", LEGACY),
        (f"{RESPONSE};charset=utf-8", RESPONSE),
        (f"{RESPONSE};charset=latin-1", None),
        (f"{RESPONSE};q=0", None),
        ("text/html", None),
        ("text/html, */*;q=0.1", LEGACY),
        (";;;,,q=x", None),
    ],
)
def test_what_a_caller_accepts(header, expected):
    assert accepts(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ('Application/JSON; charset="UTF-8"', True),
        ("application/json; charset=utf-16", False),
        ("text/plain", False),
        ("multipart/form-data; boundary=x", False),
        ("application/x-www-form-urlencoded", False),
        ("application/graphql", False),
        (None, False),
    ],
)
def test_only_json_in_utf_8_is_taken(header, expected):
    assert is_json(header) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        (RESPONSE, None),
        ("*/*", None),
        ("multipart/*", None),
        (MULTIPART, MULTIPART),
        (f"{MULTIPART}, {RESPONSE}", MULTIPART),
        (f"{RESPONSE}, Multipart/Mixed; q=0.3", MULTIPART),
        (f"{MULTIPART};q=0, {RESPONSE}", None),
        (f"{MULTIPART};deferSpec=20220824, {RESPONSE}", None),
        (f"{MULTIPART};incrementalSpec=v0.2, {RESPONSE}", MULTIPART),
        (f"{MULTIPART};subscriptionSpec=1.0", None),
        (EVENT_STREAM, EVENT_STREAM),
        (f"{EVENT_STREAM}, {MULTIPART}", MULTIPART),
        (f"{EVENT_STREAM}, {MULTIPART};q=0.5", EVENT_STREAM),
    ],
)
def test_how_a_caller_takes_an_answer_piece_by_piece(header, expected):
    assert streams(header) == expected
