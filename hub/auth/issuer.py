"""The built-in issuer: its key, its tokens, and `/oauth/token` for registered clients.

Client credentials with private_key_jwt (RFC 7523), the grant run by authlib. The client names the officer it acts for
in the parameter `officer`; the token's subject is that officer, its actor the client (RFC 8693, section 4.1). With
`on_behalf_of` the officer stands in for another one, who is then the subject, and the actor is the officer.
"""

import os
import re
import secrets
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientCredentialsGrant,
    ClientMixin,
    JsonRequest,
    OAuth2Payload,
    OAuth2Request,
)
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from hub.auth.clients import Client
from hub.auth.personas import Persona
from hub.auth.principal import Principal
from hub.clock import Clock
from hub.errors import KeyMaterialError

LIFETIME_S = 3600
OFFICER = re.compile(r"[A-Za-z0-9-]{1,64}")


class IssuerKey:
    """The issuer's ES256 key, kept as PKCS#8 PEM."""

    def __init__(self, pem: bytes) -> None:
        try:
            self.key = ECKey.import_key(pem)
        except ValueError as exc:
            raise KeyMaterialError("is no EC private key", name="issuer") from exc
        self.kid = self.key.thumbprint()

    def public_keys(self) -> Mapping[str, ECKey]:
        return {self.kid: self.key}

    def jwks(self) -> dict[str, Any]:
        """The public key set (RFC 7517)."""
        public = self.key.as_dict(private=False)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "ES256"}]}


def open_issuer_key(path: Path, *, create: bool) -> IssuerKey:
    """Read the PEM, or make one (development and demo)."""
    if not path.exists():
        if not create:
            raise KeyMaterialError("is missing", file=path.name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(ECKey.generate_key("P-256").as_pem(private=True))
    if path.stat().st_mode & 0o077:
        raise KeyMaterialError("may be read by others; set mode 0600", file=path.name)
    return IssuerKey(path.read_bytes())


class Issuer:
    """Mints access tokens with the claims of DESIGN section 4."""

    def __init__(self, key: IssuerKey, *, url: str, audience: str, clock: Clock) -> None:
        self._key = key
        self._url = url
        self._audience = audience
        self._clock = clock

    @property
    def url(self) -> str:
        return self._url

    def mint(
        self,
        *,
        officer: str,
        client: str,
        agency: str,
        role: str,
        regions: tuple[str, ...],
        purposes: tuple[str, ...],
        cases: tuple[str, ...] | None = None,
        person: str | None = None,
        on_behalf_of: str | None = None,
    ) -> str:
        """A signed token. `person`: the id, as the token's agency knows it, of the person whose own token it is.
        `on_behalf_of`: the officer whom `officer` stands in for.
        """
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self._url,
            "aud": [self._audience],
            "sub": f"officer:{on_behalf_of or officer}",
            "client_id": client,
            "act": {"sub": f"officer:{officer}" if on_behalf_of else f"client:{client}"},
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_S,
            "agency": agency,
            "role": role,
            "regions": list(regions),
            "purposes": list(purposes),
        }
        if cases is not None:
            claims["cases"] = list(cases)
        if person is not None:
            claims["person"] = person
        header = {"alg": "ES256", "typ": "at+jwt", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key.key, algorithms=["ES256"])

    def principal_of(self, persona: Persona) -> Principal:
        """The principal that a token of `persona` stands for."""
        return Principal(
            agency=persona.agency,
            role=persona.name,
            officer=persona.officer,
            client=f"demo-{persona.name}",
            regions=persona.regions,
            purposes=frozenset(persona.purposes),
            cases=None,
            token_id="",
            expires_at=0,
        )

    def mint_for(
        self,
        persona: Persona,
        *,
        officer: str | None = None,
        purposes: tuple[str, ...] | None = None,
        cases: tuple[str, ...] | None = None,
        person: str | None = None,
        on_behalf_of: str | None = None,
    ) -> str:
        return self.mint(
            officer=officer or persona.officer,
            client=f"demo-{persona.name}",
            agency=persona.agency,
            role=persona.name,
            regions=persona.regions,
            purposes=purposes if purposes is not None else persona.purposes,
            cases=cases,
            person=person,
            on_behalf_of=on_behalf_of,
        )


class _Registered(ClientMixin):  # type: ignore[misc]  # authlib has no types
    def __init__(self, client: Client) -> None:
        self.client = client
        self.client_id = client.client_id

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, _scope: str) -> str:
        return ""

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "private_key_jwt" and endpoint == "token"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"

    def check_response_type(self, _response_type: str) -> bool:
        return False


class _Assertion(JWTBearerClientAssertion):  # type: ignore[misc]
    """private_key_jwt against registered keys; each assertion works once."""

    CLIENT_AUTH_METHOD = "private_key_jwt"

    def __init__(self, server: "TokenEndpoint", audiences: list[str]) -> None:
        super().__init__(validate_jti=True)
        self._owner = server
        self._audiences = audiences

    def get_audiences(self) -> list[str]:
        return self._audiences

    def validate_jti(self, claims: Mapping[str, Any], jti: str) -> bool:
        return self._owner.first_use(str(claims.get("sub")), jti)

    def resolve_client_public_key(self, client: _Registered, headers: Mapping[str, Any] | None = None) -> Any:
        return KeySet.import_key_set({"keys": [dict(client.client.jwk)]})


class _Payload(OAuth2Payload):  # type: ignore[misc]
    def __init__(self, form: Mapping[str, str]) -> None:
        self._form = form

    @property
    def data(self) -> Mapping[str, str]:
        return self._form

    @property
    def datalist(self) -> dict[str, list[str]]:
        return {name: [value] for name, value in self._form.items()}


class PlainRequest(OAuth2Request):  # type: ignore[misc]
    def __init__(self, method: str, uri: str, form: Mapping[str, str], headers: Mapping[str, str]) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = _Payload(form)
        self._form = form

    @property
    def args(self) -> Mapping[str, str]:
        return {}

    @property
    def form(self) -> Mapping[str, str]:
        return self._form


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("private_key_jwt",)


class TokenEndpoint(AuthorizationServer):  # type: ignore[misc]
    """`/oauth/token` without a web framework: a form in, (status, headers, JSON) out."""

    def __init__(self, issuer: Issuer, clients: Mapping[str, Client], disabled: Container[str] = ()) -> None:
        super().__init__()
        self._issuer = issuer
        self._clients = clients
        self._disabled = disabled
        self._public: dict[str, Any] = {}
        self._used: dict[tuple[str, str], None] = {}
        self._form: Mapping[str, str] = {}  # of the request being answered; `answer` never awaits
        self.uri = f"{issuer.url}/oauth/token"
        self.register_client_auth_method("private_key_jwt", _Assertion(self, [self.uri, issuer.url]))
        self.register_token_generator("default", self._token)
        self.register_grant(_Grant)

    def answer(
        self, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        """Run the grant. Errors are those of RFC 6749, section 5.2.

        An officer who cannot be named is refused: the entry would name somebody else. So is one who stands in for
        himself, or whom nobody names.
        """
        named = [form[name] for name in ("officer", "on_behalf_of") if name in form]
        if not all(map(OFFICER.fullmatch, named)) or ("on_behalf_of" in form and len(set(named)) != 2):
            return 400, {"Cache-Control": "no-store"}, {"error": "invalid_request"}
        self._form = form
        status, body, sent = self.create_token_response(PlainRequest("POST", self.uri, form, headers))
        return status, {**dict(sent), "Cache-Control": "no-store"}, body

    def first_use(self, client: str, jti: str) -> bool:
        if (client, jti) in self._used:
            return False
        self._used[client, jti] = None
        if len(self._used) > 10_000:
            del self._used[next(iter(self._used))]
        return True

    def register_public(self, client: ClientMixin) -> None:
        """A client without a key of its own, which must prove possession of its codes (PKCE)."""
        self._public[client.client_id] = client

    def query_client(self, client_id: str) -> ClientMixin | None:
        if client_id in self._public:
            return self._public[client_id]
        client = None if client_id in self._disabled else self._clients.get(client_id)
        return _Registered(client) if client else None

    def save_token(self, token: Mapping[str, Any], request: OAuth2Request) -> None:
        """Tokens are self-contained; nothing is kept."""

    def create_oauth2_request(self, request: PlainRequest) -> PlainRequest:
        return request

    def create_json_request(self, request: PlainRequest) -> JsonRequest:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
        return status, body, headers

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def _token(self, *, client: Any, user: Any = None, **_: Any) -> dict[str, Any]:
        if user is not None:  # authorization code: an officer of the demo, at the console
            token = self._issuer.mint_for(user.persona, officer=user.officer, on_behalf_of=user.on_behalf_of)
            return {"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_S}
        registered = client.client
        token = self._issuer.mint(
            officer=self._form.get("officer", registered.client_id),
            client=registered.client_id,
            agency=registered.agency,
            role=registered.role,
            regions=registered.regions,
            purposes=registered.purposes,
            on_behalf_of=self._form.get("on_behalf_of"),
        )
        return {"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_S}
