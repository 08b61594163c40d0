"""`/oauth/token` over HTTP: forms as RFC 6749 has them, and nothing else."""

import json
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from hub.web.form_fields import FORM, MAX_BYTES, MAX_FIELDS
from hub.web.token_endpoint import token_endpoint

GOOD = {"grant_type": "client_credentials", "client_assertion": "a.b.c", "officer": "安"}


async def post(body, kind=FORM, length=None):
    """(status, headers, JSON) of the answer, and what the issuer was told."""
    heard, sent = [], []
    body = body.encode() if isinstance(body, str) else body

    def answers(fields, _headers):
        heard.append(fields)
        return 200, {"Cache-Control": "no-store", "Content-Type": "text/plain"}, {"access_token": "t"}

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", kind.encode()), (b"content-length", (length or str(len(body))).encode("latin-1"))]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    await (await token_endpoint(answers)(request))(request.scope, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return (sent[0]["status"], told, json.loads(sent[1]["body"])), heard


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=UTF-8", FORM.upper()])
async def test_a_form_is_answered_with_json_that_nobody_keeps(kind):
    (status, headers, answer), heard = await post(urlencode(GOOD), kind)
    assert (status, answer, heard) == (200, {"access_token": "t"}, [GOOD])
    assert (headers["content-type"], headers["cache-control"]) == ("application/json", "no-store")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (urlencode(GOOD), "application/json"),
        (urlencode(GOOD), "multipart/form-data; boundary=x"),
        (urlencode(GOOD), f"{FORM}x"),
        (f"{urlencode(GOOD)}&officer=bo", FORM),
        ("officer=%FF", FORM),
        ("officer=安".encode(), FORM),
        ("&".join(f"f{number}=1" for number in range(MAX_FIELDS + 1)), FORM),
        ("x" * (MAX_BYTES + 1), FORM),
    ],
    ids=["json", "multipart", "other kind", "twice", "not UTF-8", "not ASCII", "many fields", "large"],
)
async def test_what_is_no_form_is_refused(body, kind):
    (status, _, answer), heard = await post(body, kind)
    assert (status, answer, heard) == (400, {"error": "invalid_request"}, [])


@pytest.mark.parametrize("length", ["²", "-1", " ", "1e3"])
async def test_a_length_is_a_number(length):
    (status, _, _), heard = await post(urlencode(GOOD), length=length)
    assert (status, heard) == (400, [])
