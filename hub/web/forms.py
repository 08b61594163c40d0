"""Forms to print. A form is an operation like any other: judged, recorded before the first byte, and then drawn."""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import Response

from hub.auditing.pdf import FormatUnavailableError, register_font
from hub.auth.principal import Principal
from hub.clock import Clock
from hub.errors import RequestError, UnauthenticatedError
from hub.schema.errors import EVERY_STATUS
from hub.schema.request import GraphQLRequest
from hub.schema.service import Answer
from hub.web.graphql_endpoint import Service, Verifier, error_body
from hub.web.handover_pdf import Printed, handover_pdf, rows_of
from hub.web.headers import RequestHeaders, cases_of, purpose_of, request_id_of
from hub.web.negotiation import LEGACY
from hub.web.strict_json import MalformedBodyError

LOOKUP = """query HandoverFormLookup($case: ID!) { handoverForm(case: $case) { case } }"""
"""Comes first: where there is no form, nobody is read, and no entry says so."""
HANDOVER = """query HandoverForm($case: ID!, $number: String!) {
  handoverForm(case: $case) {
    case keyPerson office plannedRelease released certificate refused day mode escorts outcome happenedAt persons
    present remarks
  }
  person(lookup: {caseNumber: $number}) { name sex identityNumber justice { facility } }
}"""
_CASE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class FormRefusedError(RequestError):
    """`entry`: of the operation that was asked for it."""

    def __init__(self, text: str, *, entry: str) -> None:
        super().__init__(text)
        self.entry = entry


class FormForbiddenError(FormRefusedError):
    code = "FORBIDDEN"
    public = "This form is not for you."


class NoFormError(FormRefusedError):
    code = "NOT_FOUND"
    public = "There is no such form, or it is not yours."


class FormUnavailableError(RequestError):
    code = "FORMAT_UNAVAILABLE"
    public = "This hub cannot draw forms: the extra `pdf` is not installed."


class HandoverFormEndpoint:
    """`GET /cases/{case}/handover-form`: the form as PDF, for who may see the case, as far as the rules let."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        service: Service,
        clock: Clock,
        challenge: str,
        count_refusal: Callable[[str], None],
    ) -> None:
        self._verifier = verifier
        self._service = service
        self._clock = clock
        self._challenge = challenge
        self._count_refusal = count_refusal

    async def answer(self, request: Request) -> Response:
        headers = RequestHeaders(request.scope["headers"])
        shown = {"X-Request-Id": request_id_of(headers)}
        try:
            principal = self._verifier.verify(headers.single("authorization"))
        except UnauthenticatedError as error:
            self._count_refusal(error.code)
            body = error_body(error, shown["X-Request-Id"])
            return Response(body, 401, {**shown, "WWW-Authenticate": self._challenge}, LEGACY)
        case = request.path_params["case"]
        try:
            _check_that_it_draws()
            asked = _question(case, headers, shown["X-Request-Id"])
        except RequestError as error:
            return _refusal(await self._service.refuse(principal, shown["X-Request-Id"], error), shown)
        try:
            page = await self._page(principal, asked)
        except FormRefusedError as error:
            body = error_body(error, shown["X-Request-Id"], error.entry)
            return Response(body, EVERY_STATUS[error.code], shown, LEGACY)
        if isinstance(page, Answer):
            return _refusal(page, shown)
        shown["Content-Disposition"] = f'attachment; filename="handover-form-{case}.pdf"'
        return Response(page, 200, shown, "application/pdf")

    async def _page(self, principal: Principal, asked: GraphQLRequest) -> bytes | Answer:
        """The form; or the service's own refusal. Raises FormRefusedError; by then the request has its entry."""
        there = await self._found(principal, msgspec.structs.replace(asked, query=LOOKUP))
        if isinstance(there, Answer):
            return there
        found = await self._found(principal, asked)
        if isinstance(found, Answer):
            return found
        data, hub = found["data"], found["extensions"]["hub"]
        denied = frozenset(each["coordinate"] for each in hub["denied"])
        printed = Printed(
            officer=principal.officer, agency=principal.agency, entry=hub["auditEntry"], at=self._clock.now()
        )
        rows = rows_of(data["handoverForm"], data["person"], denied)
        return await asyncio.to_thread(handover_pdf, rows, printed)

    async def _found(self, principal: Principal, asked: GraphQLRequest) -> dict[str, Any] | Answer:
        """What the service answers, if there is a form in it."""
        given = await self._service.answer(principal, asked)
        found: dict[str, Any] = orjson.loads(given.body)
        if given.status != 200:
            if found["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED":
                raise FormForbiddenError("not in the caller's view", entry=found["extensions"]["hub"]["auditEntry"])
            return given
        if (found.get("data") or {}).get("handoverForm") is None:
            raise NoFormError("no form", entry=found["extensions"]["hub"]["auditEntry"])
        return found


def _check_that_it_draws() -> None:
    try:
        register_font()
    except FormatUnavailableError as error:
        raise FormUnavailableError("extra") from error


def _refusal(answer: Answer, shown: Mapping[str, str]) -> Response:
    wait = {"Retry-After": str(answer.retry_after_s)} if answer.retry_after_s else {}
    return Response(answer.body, answer.status, {**shown, **wait}, LEGACY)


def _question(case: str, headers: RequestHeaders, request_id: str) -> GraphQLRequest:
    """What the form asks for its reader; who names a case in the path cites it. Raises MalformedBodyError."""
    if not _CASE.fullmatch(case):
        raise MalformedBodyError("case")
    return GraphQLRequest(
        query=HANDOVER,
        variables={"case": case, "number": case},  # the look-up leaves the second unused
        purpose=purpose_of(headers),
        cases=tuple(dict.fromkeys((case, *cases_of(headers)))),
        request_id=request_id,
    )
