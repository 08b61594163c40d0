"""Authorization code with PKCE at the built-in issuer, for the console and officers of the demo only.

A code is a short-lived signed text that says for whom it is, where it goes and what proves possession; it works once in
a process. Source: RFC 6749 section 4.1, RFC 7636 (S256 only).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationCodeGrant, ClientMixin
from authlib.oauth2.rfc7636 import CodeChallenge
from joserfc import jwt
from joserfc.errors import JoseError

from hub.auth.issuer import OFFICER, IssuerKey, PlainRequest, TokenEndpoint
from hub.auth.personas import Persona
from hub.clock import Clock
from hub.errors import RequestError

CONSOLE = "console"
CODE_S = 60
PERSONAS = ("auditor", "county-office", "province-office")
"""Roles that the console lets in."""


class AuthorizationRefusedError(RequestError):
    public = "This request for authorization is not well formed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Who signed in."""

    persona: Persona
    officer: str
    on_behalf_of: str | None = None


class _Console(ClientMixin):  # type: ignore[misc]  # authlib has no types
    def __init__(self, redirect_uri: str) -> None:
        self.client_id = CONSOLE
        self._redirect_uri = redirect_uri

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self._redirect_uri

    def get_allowed_scope(self, _scope: str) -> str:
        return ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self._redirect_uri

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "none" and endpoint == "token"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"


class _Code:
    """What a code says."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.said = said
        self.code_challenge = said["challenge"]
        self.code_challenge_method = "S256"

    def get_redirect_uri(self) -> str:
        return str(self.said["redirect"])

    def get_scope(self) -> str:
        return ""


class _Challenge(CodeChallenge):  # type: ignore[misc]
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)
    DEFAULT_CODE_CHALLENGE_METHOD = "S256"


class CodeIssuer:
    """Adds the grant to a token endpoint. `sign_in` is what the page of the demo does for an officer."""

    def __init__(
        self,
        endpoint: TokenEndpoint,
        key: IssuerKey,
        clock: Clock,
        *,
        redirect_uri: str,
        personas: Mapping[str, Persona],
    ) -> None:
        self._endpoint = endpoint
        self._key = key
        self._clock = clock
        self.personas = {name: personas[name] for name in PERSONAS if name in personas}
        endpoint.register_public(_Console(redirect_uri))
        endpoint.register_grant(_grant(self), [_Challenge(required=True)])

    def check(self, query: Mapping[str, str]) -> None:
        """Raises AuthorizationRefusedError: no page is shown for this request."""
        try:
            self._endpoint.get_consent_grant(PlainRequest("GET", self._uri, query, {}), None)
        except OAuth2Error as exc:
            raise AuthorizationRefusedError("authorization request") from exc
        if not query.get("code_challenge") or query.get("code_challenge_method") != "S256":
            raise AuthorizationRefusedError("no S256 challenge")

    def sign_in(self, query: Mapping[str, str], persona: str, officer: str, on_behalf_of: str | None = None) -> str:
        """Where to send the browser, with the code. `on_behalf_of`: the officer whom this one stands in for.

        Raises:
            AuthorizationRefusedError: the request is not well formed, or there is no such persona or officer.
        """
        self.check(query)
        if persona not in self.personas or not OFFICER.fullmatch(officer):
            raise AuthorizationRefusedError("no such officer")
        if on_behalf_of is not None and (not OFFICER.fullmatch(on_behalf_of) or on_behalf_of == officer):
            raise AuthorizationRefusedError("no such officer to stand in for")
        code = self._code(query, Signed(persona=self.personas[persona], officer=officer, on_behalf_of=on_behalf_of))
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query.get('state', '')})}"

    def _code(self, query: Mapping[str, str], who: Signed) -> str:
        said = {
            "use": "code",
            "persona": who.persona.name,
            "officer": who.officer,
            "for": who.on_behalf_of,
            "redirect": query["redirect_uri"],
            "challenge": query["code_challenge"],
            "jti": secrets.token_urlsafe(12),
            "exp": int(self._clock.now().timestamp()) + CODE_S,
        }
        return jwt.encode({"alg": "ES256", "typ": "code+jwt"}, said, self._key.key, algorithms=["ES256"])

    def open(self, code: str) -> _Code | None:
        """A code of ours that still holds; its first use ends it."""
        try:
            token = jwt.decode(code, self._key.key, algorithms=["ES256"])
        except (JoseError, ValueError):
            return None
        said = token.claims
        if token.header.get("typ") != "code+jwt" or said.get("use") != "code":
            return None
        if said["exp"] < self._clock.now().timestamp() or not self._endpoint.first_use("code", said["jti"]):
            return None
        return _Code(said)

    def signed(self, code: _Code) -> Signed:
        said = code.said
        persona = self.personas[said["persona"]]
        return Signed(persona=persona, officer=said["officer"], on_behalf_of=said["for"])

    @property
    def _uri(self) -> str:
        return self._endpoint.uri.replace("/token", "/authorize")


def _grant(owner: CodeIssuer) -> type[AuthorizationCodeGrant]:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

        def query_authorization_code(self, code: str, _client: Any) -> _Code | None:
            return owner.open(code)

        def delete_authorization_code(self, authorization_code: _Code) -> None:
            """Used up when it was opened."""

        def authenticate_user(self, authorization_code: _Code) -> Signed:
            return owner.signed(authorization_code)

        def save_authorization_code(self, code: str, request: Any) -> None:
            """Codes carry what they mean."""

    return Grant
