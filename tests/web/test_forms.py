"""Refusals of the form: each names its entry where there is one, and nobody is read where there is no form."""

import json

import orjson
import pytest
from starlette.requests import Request

from hub.auditing.pdf import FormatUnavailableError
from hub.schema.service import Answer
from hub.web import forms
from hub.web.forms import HandoverFormEndpoint
from tests.auth.test_token import verifier
from tests.web.sockets import Service, bearer


class Data(Service):
    """Answers with what a test says, in order, and keeps what it was asked."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)
        self.asked = []

    async def answer(self, principal, request):
        self.asked.append(request)
        status, data, code = self.answers.pop(0)
        hub = {"requestId": request.request_id, "auditEntry": f"entry-{len(self.asked)}", "denied": []}
        errors = {"errors": [{"message": "no", "extensions": {"code": code}}]} if code else {}
        body = orjson.dumps({**errors, "data": data, "extensions": {"hub": hub}})
        return Answer(status=status, body=body, well_formed=True)


async def printed(service, case="C-1", counted=None, **headers):
    known = verifier()
    endpoint = HandoverFormEndpoint(
        verifier=known,
        service=service,
        clock=known._clock,
        challenge="Bearer",
        count_refusal=(counted if counted is not None else []).append,
    )
    sent = {"authorization": bearer(), "hub-purpose": "TAX_RELIEF", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": raw, "path_params": {"case": case}}
    return await endpoint.answer(Request(scope))


def shown(response):
    body = json.loads(response.body)
    return response.status_code, body["errors"][0]["extensions"]["code"], body["extensions"]["hub"].get("auditEntry")


async def test_where_there_is_no_form_nobody_is_asked_for():
    service = Data((200, {"handoverForm": None}, None))
    assert shown(await printed(service)) == (404, "NOT_FOUND", "entry-1")
    assert "person" not in service.asked[0].query


async def test_a_form_that_went_away_meanwhile_is_not_there():
    service = Data((200, {"handoverForm": {"case": "C-1"}}, None), (200, {"handoverForm": None, "person": None}, None))
    assert shown(await printed(service)) == (404, "NOT_FOUND", "entry-2")
    assert {request.request_id for request in service.asked} == {service.asked[0].request_id}


async def test_who_may_not_have_forms_is_told_by_which_entry():
    service = Data((400, None, "GRAPHQL_VALIDATION_FAILED"))
    assert shown(await printed(service)) == (403, "FORBIDDEN", "entry-1")


async def test_a_refusal_of_the_service_goes_out_as_it_is():
    service = Data((429, None, "RATE_LIMITED"))
    assert shown(await printed(service)) == (429, "RATE_LIMITED", "entry-1")


@pytest.mark.parametrize(("case", "headers"), [("a b", {}), ("C-1", {"hub_case": "x" * 65})], ids=["case", "Hub-Case"])
async def test_what_is_malformed_is_an_entry(case, headers):
    service = Data()
    assert shown(await printed(service, case, **headers)) == (400, "BAD_REQUEST", "entry-1")
    assert service.codes == ["BAD_REQUEST"]


async def test_a_hub_that_draws_no_forms_says_so_by_an_entry_and_reads_nothing(monkeypatch):
    def missing():
        raise FormatUnavailableError("pdf")

    monkeypatch.setattr(forms, "register_font", missing)  # the extra is there, as tests of pages need it
    service = Data()
    assert shown(await printed(service)) == (501, "FORMAT_UNAVAILABLE", "entry-1")
    assert service.codes == ["FORMAT_UNAVAILABLE"]


async def test_nobody_in_particular_is_counted():
    counted = []
    assert shown(await printed(Data(), counted=counted, authorization="Bearer x")) == (401, "UNAUTHENTICATED", None)
    assert counted == ["UNAUTHENTICATED"]
