"""POST /graphql: every step of the way in before the next one costs anything (SECURITY section 1).

Token, then method and headers, then media types, then the body, cut at 256 KiB; only then is anything parsed.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from hub.auth.principal import Principal
from hub.errors import DeadlineExceededError, HubError, RequestError, UnauthenticatedError
from hub.schema.errors import STATUS, request_error
from hub.schema.request import GraphQLRequest
from hub.schema.service import Answer
from hub.web.headers import SECURITY_HEADERS, RequestHeaders, cases_of, purpose_of, request_id_of
from hub.web.negotiation import EVENT_STREAM, LEGACY, RESPONSE, accepts, is_json, streams
from hub.web.presence import CallerGoneError, while_present
from hub.web.streaming import FRAMINGS, stream
from hub.web.strict_json import MalformedBodyError, parse_body

MAX_BODY_BYTES = 256 * 1024
MAX_DISCARDED_BYTES = 16 * 1024 * 1024
BODY_WITHIN_S = 5.0
MAX_HEADERS = 100

_CONTENT_TYPES = {
    media_type: (b"content-type", f"{media_type}; charset=utf-8".encode()) for media_type in (RESPONSE, LEGACY)
}

logger = structlog.get_logger(__name__)


class MethodNotAllowedError(RequestError):
    code = "METHOD_NOT_ALLOWED"
    public = "Use POST."


class NotAcceptableError(RequestError):
    code = "NOT_ACCEPTABLE"
    public = "Accept application/graphql-response+json or application/json."


class UnsupportedMediaTypeError(RequestError):
    code = "UNSUPPORTED_MEDIA_TYPE"
    public = "Send application/json in UTF-8, not compressed."


class PayloadTooLargeError(RequestError):
    code = "PAYLOAD_TOO_LARGE"
    public = "The request body is too large."


class Verifier(Protocol):
    def verify(self, authorization: str | None) -> Principal: ...


class Service(Protocol):
    async def answer(self, principal: Principal, request: GraphQLRequest) -> Answer: ...

    async def refuse(self, principal: Principal, request_id: str, error: RequestError) -> Answer: ...


class GraphQLEndpoint:
    """A plain ASGI handler. `resource_metadata` goes into the challenge; `count_refusal` is told of each 401."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        service: Service,
        resource_metadata: str,
        count_refusal: Callable[[str], None],
        observe: Callable[[int], None],
    ) -> None:
        self._verifier = verifier
        self._service = service
        self._challenge = f'Bearer error="invalid_token", resource_metadata="{resource_metadata}"'
        self._count_refusal = count_refusal
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = RequestHeaders(scope["headers"])
        request_id = request_id_of(headers)
        media_type = accepts(headers.get("accept")) or RESPONSE
        try:
            principal = self._verifier.verify(headers.single("authorization"))
        except UnauthenticatedError as error:
            self._count_refusal(error.code)
            body = error_body(error, request_id)
            extra = {"WWW-Authenticate": self._challenge, "Connection": "close"}
            await self._send(send, 401, body, media_type, request_id, extra)
            return
        try:
            answer = await self._answer(scope, receive, headers, principal, request_id)
        except RequestError as error:
            answer = await self._service.refuse(principal, request_id, error)
            status_extra = {"Allow": "POST"} if isinstance(error, MethodNotAllowedError) else {}
            await self._send(send, STATUS[error.code], answer.body, media_type, request_id, status_extra)
            return
        except CallerGoneError:
            return  # its entry says ABORTED
        except HubError as error:
            logger.error("request.failed", code=error.code, request_id=request_id)
            await self._send(send, 500, error_body(HubError(), request_id), media_type, request_id, {})
            return
        except Exception as error:  # the last line of defence: nothing of it may leave
            logger.error("request.crashed", kind=type(error).__name__, request_id=request_id, exc_info=True)
            await self._send(send, 500, error_body(HubError(), request_id), media_type, request_id, {})
            return
        if answer.later is not None or (answer.status == 200 and _events_only(headers)):
            await self._stream(receive, send, headers, answer, request_id)
            return
        status = 200 if media_type == LEGACY and answer.well_formed else answer.status
        extra = {"Retry-After": str(answer.retry_after_s)} if answer.retry_after_s else {}
        await self._send(send, status, answer.body, media_type, request_id, extra)

    async def _answer(
        self, scope: Scope, receive: Receive, headers: RequestHeaders, principal: Principal, request_id: str
    ) -> Answer:
        if scope["method"] != "POST":
            raise MethodNotAllowedError("not POST")
        if len(scope["headers"]) > MAX_HEADERS:
            raise MalformedBodyError("too many headers")
        accept = headers.get("accept")
        incremental = streams(accept) is not None
        if accepts(accept) is None and not incremental:
            raise NotAcceptableError("accept")
        if not is_json(headers.get("content-type")) or headers.get("content-encoding") not in (None, "identity"):
            raise UnsupportedMediaTypeError("content type")
        purpose, cases = purpose_of(headers), cases_of(headers)
        body = parse_body(await _read(receive, headers))
        request = _request(body, purpose, cases, request_id, incremental=incremental)
        return await while_present(receive, self._service.answer(principal, request))

    async def _stream(
        self, receive: Receive, send: Send, headers: RequestHeaders, answer: Answer, request_id: str
    ) -> None:
        self._observe(200)
        framing = FRAMINGS[streams(headers.get("accept")) or EVENT_STREAM]
        start = [(b"content-type", framing.content_type), (b"x-request-id", request_id.encode()), *SECURITY_HEADERS]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": start})
        except BaseException:
            if answer.later is not None:
                await answer.later.aclose()
            raise
        await stream(framing, answer.body, answer.later, receive, send)

    async def _send(
        self, send: Send, status: int, body: bytes, media_type: str, request_id: str, extra: Mapping[str, str]
    ) -> None:
        self._observe(status)
        headers = [
            _CONTENT_TYPES[media_type],
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            *SECURITY_HEADERS,
        ]
        if extra:
            headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in extra.items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _events_only(headers: RequestHeaders) -> bool:
    """Whether an answer in one piece must be an event, too."""
    accept = headers.get("accept")
    return streams(accept) == EVENT_STREAM and accepts(accept) is None


def _request(
    body: dict[str, Any], purpose: str | None, cases: tuple[str, ...], request_id: str, *, incremental: bool
) -> GraphQLRequest:
    query, name, variables = body.get("query"), body.get("operationName"), body.get("variables")
    if not isinstance(query, str) or not isinstance(name, str | None) or not isinstance(variables, dict | None):
        raise MalformedBodyError("member of the wrong type")
    if not isinstance(body.get("extensions"), dict | None):
        raise MalformedBodyError("member of the wrong type")
    return GraphQLRequest(
        query=query,
        operation_name=name,
        variables=variables or {},
        purpose=purpose,
        cases=cases,
        request_id=request_id,
        incremental=incremental,
        events=incremental,
    )


async def _read(receive: Receive, headers: RequestHeaders) -> bytes:
    """The body, streamed and cut at the limit.

    What a verified caller sends beyond it is thrown away unseen up to `MAX_DISCARDED_BYTES`, so that the caller can
    read the refusal instead of a broken connection; memory never holds more than the limit.
    """
    declared = headers.get("content-length") or "0"
    if not declared.isdigit() or len(declared) > 12:
        raise MalformedBodyError("content length")
    body = bytearray()
    size = 0
    end = asyncio.get_running_loop().time() + BODY_WITHIN_S
    while True:
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError as exc:
            raise (PayloadTooLargeError if size > MAX_BODY_BYTES else DeadlineExceededError)("slow body") from exc
        if message["type"] == "http.disconnect":
            raise MalformedBodyError("caller went away")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            body += chunk
        last = not message.get("more_body", False)
        if size > MAX_DISCARDED_BYTES or int(declared) > MAX_DISCARDED_BYTES or (last and size > MAX_BODY_BYTES):
            raise PayloadTooLargeError("body")
        if last:
            return bytes(body)


def error_body(error: HubError, request_id: str, entry: str | None = None) -> bytes:
    """`entry`: that of the refusal, where it has one."""
    hub = {"requestId": request_id, **({"auditEntry": entry} if entry else {})}
    return orjson.dumps({"errors": [request_error(error)], "extensions": {"hub": hub}})
