"""The console's doors: log-in, sessions, forms, and an entry in the log for every page before it is shown."""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from hub.audit.entry import Draft, Outcome, asked_by
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.auditing.desk import AuditArgumentError, Reader
from hub.auditing.sessions import Sessions
from hub.auth.code_grant import CONSOLE, AuthorizationRefusedError, CodeIssuer
from hub.auth.principal import Principal
from hub.errors import ForbiddenError, HubError, RequestError, UnauthenticatedError
from hub.schema.errors import STATUS
from hub.web.console.actions import Action, Actions
from hub.web.console.pages import NotThereError, Page, Pages, Shown
from hub.web.console.visit import (
    DECISIONS,
    KINDS,
    LANGUAGES,
    OUTCOMES,
    Visit,
    instant,
    moment,
    read_form,
    visit_of,
)
from hub.web.graphql_endpoint import Verifier

HERE = Path(__file__).parent
COOKIE, LOGIN_COOKIE, LANGUAGE_COOKIE = "hub_console", "hub_login", "hub_lang"
NAV = {
    "search": ("/console/", "auditEntries"),
    "person": ("/console/person", "auditEntries"),
    "officer": ("/console/officer", "auditEntries"),
    "hours": ("/console/hours", "auditEntries"),
    "graph": ("/console/graph", "auditEntries"),
    "findings": ("/console/findings", "findings"),
    "samples": ("/console/samples", "samples"),
    "policy": ("/console/policy", "policy"),
    "integrity": ("/console/integrity", "auditStatus"),
    "exports": ("/console/exports", "exports"),
}
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
HEADERS = {"Content-Security-Policy": CSP, "Referrer-Policy": "same-origin"}  # so that a form's origin is told to us
Exchange = Callable[[Mapping[str, str]], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleParts:
    """`exchange`: asks the issuer's token endpoint. `codes`: the built-in issuer's page, in the demo only.

    `authorize`: where somebody signs in. Both raise RequestError while the issuer does not answer.
    """

    pages: Pages
    sessions: Sessions
    log: AuditLog
    verifier: Verifier
    exchange: Exchange
    codes: CodeIssuer | None
    authorize: Callable[[], str]
    base_url: str
    options: Mapping[str, Any]
    assets: Path


class Console:
    def __init__(self, parts: ConsoleParts) -> None:
        self._parts = parts
        self._secure = parts.base_url.startswith("https:")
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            trim_blocks=True,
        )

    def routes(self) -> list[BaseRoute]:
        pages, base = self._parts.pages, "/console"
        shown: list[tuple[str, str, Page]] = [
            ("/", "search", pages.search),
            ("/entries/{entry}", "entry", pages.entry),
            ("/person", "person", pages.person),
            ("/officer", "officer", pages.officer),
            ("/hours", "hours", pages.hours),
            ("/graph", "graph", pages.graph),
            ("/findings", "findings", pages.findings),
            ("/findings/{finding}", "findings", pages.finding),
            ("/samples", "samples", pages.samples),
            ("/samples/{sample}", "samples", pages.sample),
            ("/policy", "policy", pages.policy),
            ("/integrity", "integrity", pages.integrity),
            ("/exports", "exports", pages.exports),
        ]
        actions = Actions(pages, self._record)
        posted: list[tuple[str, Action]] = [
            ("/person", actions.find_person),
            ("/findings", actions.scan),
            ("/findings/{finding}", actions.review),
            ("/samples", actions.draw),
            ("/exports", actions.export),
        ]
        routes: list[BaseRoute] = [
            Route(base + path, self._page(name, view), methods=["GET"]) for path, name, view in shown
        ]
        routes += [Route(base + path, self._action(action), methods=["POST"]) for path, action in posted]
        routes += [
            Route(base, lambda _request: RedirectResponse("/console/", 307)),
            Route(base + "/login", self._login),
            Route(base + "/callback", self._callback),
            Route(base + "/logout", self._logout, methods=["POST"]),
            Route(base + "/exports/{job}", self._download),
            Mount(base + "/static", StaticFiles(directory=HERE / "static")),
        ]
        if self._parts.assets.is_dir():
            routes.append(Mount(base + "/assets", StaticFiles(directory=self._parts.assets)))
        if self._parts.codes is not None:
            routes.append(Route("/oauth/authorize", self._authorize, methods=["GET", "POST"]))
        return routes

    async def _visit(self, request: Request) -> Visit:
        """Who visits. `reader` stays None for somebody who has not logged in."""
        visit = visit_of(request)
        session = await self._parts.sessions.find(request.cookies.get(COOKIE))
        if session is not None:
            purpose = "AUDIT" if "AUDIT" in session.principal.purposes else "SUPERVISION"
            visit.reader = Reader(principal=session.principal, purpose=purpose)
            visit.csrf = session.csrf
        return visit

    def _page(self, name: str, view: Page) -> Callable[[Request], Awaitable[Response]]:
        async def page(request: Request) -> Response:
            visit = await self._visit(request)
            if visit.reader is None:
                return self._render(visit, "login", ("login.html", {}), 401)
            status, outcome, code = 200, Outcome.OK, None
            try:
                shown = await view(visit)
            except RequestError as error:
                status, outcome, code = _status(error), Outcome.DENIED, error.code
                shown = self._refused(visit, error)
            try:
                await self._record(visit, Kind.CONSOLE_VIEW, outcome, code, page=name)
            except RequestError as error:
                status, shown = _status(error), self._refused(visit, error)
            return self._render(visit, name, shown, status)

        return page

    def _refused(self, visit: Visit, error: RequestError) -> Shown:
        text = visit.t("not_allowed") if isinstance(error, ForbiddenError) else error.public
        return "error.html", {"message": text}

    async def _record(self, visit: Visit, kind: Kind, outcome: Outcome, code: str | None, **looked: str) -> None:
        """Durable before anything is shown. Raises AuditUnavailableError."""
        principal, trace = visit.who.principal, visit.trace
        sent = visit.request.headers.get("x-request-id", "")[:64]
        draft = Draft(
            kind=kind,
            request_id=sent if sent.isascii() and sent.isprintable() and sent else secrets.token_urlsafe(12),
            **asked_by(principal),
            purpose=visit.who.purpose,
            persons=trace.access() if outcome is Outcome.OK else (),
            outcome=outcome,
            code=code,
            note=trace.note,
            looked_at={**looked, **trace.looked_at},
        )
        await self._parts.log.append(draft)

    def _render(self, visit: Visit, page: str, shown: Shown, status: int = 200) -> Response:
        template, context = shown
        reader, desk = visit.reader, self._parts.pages.office.desk
        nav = [(name, path) for name, (path, needed) in NAV.items() if reader and desk.allows(reader, needed)]
        other = LANGUAGES[1 - LANGUAGES.index(visit.lang)]
        text = self._templates.get_template(template).render(
            {
                "t": visit.t,
                "lang": visit.lang,
                "page": page,
                "reader": reader,
                "csrf": visit.csrf,
                "nav": nav,
                "given": visit.given,
                "options": {**self._parts.options, "decisions": DECISIONS, "outcomes": OUTCOMES, "kinds": KINDS},
                "other_language": visit.address(lang=other),
                "scripts": self._parts.assets.is_dir(),
                "moment": moment,
                "instant": instant,
                **context,
            }
        )
        answer = HTMLResponse(text, status, HEADERS)
        if visit.given.get("lang") == visit.lang:
            answer.set_cookie(LANGUAGE_COOKIE, visit.lang, path="/", samesite="strict", httponly=True)
        return answer

    def _action(self, action: Action) -> Callable[[Request], Awaitable[Response]]:
        """A form that was posted: session, token of the form and origin are checked before anything is done."""

        async def act(request: Request) -> Response:
            visit = await self._visit(request)
            if visit.reader is None:
                return self._render(visit, "login", ("login.html", {}), 401)
            try:
                form = await self._checked_form(visit)
                place = await action(visit, form)
            except RequestError as error:
                await self._record(visit, Kind.CONSOLE_VIEW, Outcome.DENIED, error.code, page=request.url.path[:60])
                return self._render(visit, "error", self._refused(visit, error), _status(error))
            return RedirectResponse(place, 303)

        return act

    async def _checked_form(self, visit: Visit) -> dict[str, str]:
        origin = visit.request.headers.get("origin")
        if origin is not None and origin != self._parts.base_url:
            raise ForbiddenError("a form from elsewhere")
        form = await read_form(visit.request)
        if not hmac.compare_digest(form.pop("csrf", "").encode(), visit.csrf.encode()):
            raise ForbiddenError("a form without its token")
        return form

    async def _download(self, request: Request) -> Response:
        visit = await self._visit(request)
        if visit.reader is None:
            return self._render(visit, "login", ("login.html", {}), 401)
        exports = self._parts.pages.office.exports
        try:
            self._parts.pages.office.desk.demand(visit.who, "exports")
            job = await exports.finished(request.path_params["job"])
            if job is None:
                raise NotThereError("There is no such file here.")
            visit.trace.looked_at |= {"export": job.job_id, "digest": job.digest}
            await self._record(visit, Kind.CONSOLE_VIEW, Outcome.OK, None, page="download")
        except RequestError as error:
            await self._record(visit, Kind.CONSOLE_VIEW, Outcome.DENIED, error.code, page="download")
            return self._render(visit, "error", self._refused(visit, error), _status(error))
        return FileResponse(exports.path(job), media_type=job.media_type, filename=job.file_name)

    async def _login(self, request: Request) -> Response:
        try:
            place = self._parts.authorize()
        except RequestError as error:
            visit = visit_of(request)
            return self._render(visit, "error", self._refused(visit, error), _status(error))
        state, verifier = generate_token(32), generate_token(64)
        query = {
            "response_type": "code",
            "client_id": CONSOLE,
            "redirect_uri": self._back,
            "state": state,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        answer = RedirectResponse(f"{place}{'&' if '?' in place else '?'}{urlencode(query)}", 303)
        self._set(answer, LOGIN_COOKIE, f"{state}.{verifier}", "lax", 600)
        return answer

    async def _callback(self, request: Request) -> Response:
        visit = visit_of(request)
        state, _, verifier = request.cookies.get(LOGIN_COOKIE, "").partition(".")
        try:
            if not verifier or not hmac.compare_digest(state.encode(), visit.given.get("state", "").encode()):
                raise UnauthenticatedError("state of another log-in")
            principal = await self._token(request.query_params.get("code", ""), verifier)
            visit.reader = Reader(principal=principal, purpose=None)
            await self._record(visit, Kind.LOGIN, Outcome.OK, None)
            name = await self._parts.sessions.begin(principal)
        except RequestError as error:
            visit.reader = None
            return self._render(visit, "error", self._refused(visit, error), _status(error))
        allowed = [path for path, needed in NAV.values() if self._may(principal, needed)]
        answer = RedirectResponse(allowed[0] if allowed else "/console/", 303)
        self._set(answer, COOKIE, name, "strict", None)
        answer.delete_cookie(LOGIN_COOKIE, path="/console")
        return answer

    def _may(self, principal: Principal, needed: str) -> bool:
        desk = self._parts.pages.office.desk
        return any(desk.allows(Reader(principal=principal, purpose=one), needed) for one in ("AUDIT", "SUPERVISION"))

    async def _token(self, code: str, verifier: str) -> Principal:
        form = {
            "grant_type": "authorization_code",
            "client_id": CONSOLE,
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": verifier,
        }
        body = await self._parts.exchange(form)
        return self._parts.verifier.verify(f"Bearer {body.get('access_token', '')}")

    async def _logout(self, request: Request) -> Response:
        visit = await self._visit(request)
        if visit.reader is not None:
            try:
                await self._checked_form(visit)
            except RequestError as error:
                return self._render(visit, "error", self._refused(visit, error), _status(error))
            await self._record(visit, Kind.LOGOUT, Outcome.OK, None)
            await self._parts.sessions.end(request.cookies[COOKIE])
        answer = RedirectResponse("/console/", 303)
        answer.delete_cookie(COOKIE, path="/console")
        return answer

    async def _authorize(self, request: Request) -> Response:
        """The demo's sign-in page. Nothing is asked for: the demo hands out its personas' tokens anyway."""
        visit, codes = visit_of(request), self._parts.codes
        assert codes is not None
        try:
            if request.method == "POST":
                form = await read_form(request)
                place = codes.sign_in(
                    form, form.get("persona", ""), form.get("officer", ""), form.get("on_behalf_of") or None
                )
                return RedirectResponse(place, 303)
            query = {name: text for name, text in request.query_params.items() if name != "lang"}
            codes.check(query)
        except (AuthorizationRefusedError, AuditArgumentError) as error:
            return self._render(visit, "error", self._refused(visit, error), 400)
        officer = next(iter(codes.personas.values())).officer
        context = {"query": query, "personas": list(codes.personas), "officer": officer}
        return self._render(visit, "authorize", ("authorize.html", context))

    @property
    def _back(self) -> str:
        return f"{self._parts.base_url}/console/callback"

    def _set(self, answer: Response, name: str, value: str, same_site: Any, age_s: int | None) -> None:
        answer.set_cookie(
            name, value, max_age=age_s, path="/console", httponly=True, samesite=same_site, secure=self._secure
        )


def _status(error: HubError) -> int:
    return 404 if isinstance(error, NotThereError) else STATUS.get(error.code, 500)
