"""An issuer that is not the hub itself: where it is asked, and its keys, kept fresh.

Sources: RFC 8414 (metadata), RFC 7517 (keys), RFC 6749 and RFC 7636 (codes), RFC 8707 (whom a token is for).
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from hub.errors import RequestError, UnauthenticatedError

METADATA = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
MAX_BYTES = 256 * 1024
MAX_KEYS = 50
TIMEOUT_S = 5.0
FRESH_S = 300.0
"""Keys are read anew this often; an issuer publishes a key before it signs with it."""
AGAIN_S = 5.0
RSA_BITS = 2048
Signing = ECKey | OKPKey | RSAKey
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_log = structlog.get_logger(__name__)


class IssuerUnavailableError(RequestError):
    """The issuer does not answer, or not as an issuer does; the text, for the hub's own log, says which."""

    code = "ISSUER_UNAVAILABLE"
    public = "The issuer of tokens does not answer as it should."


class RemoteIssuer:
    """What was last known of it holds while it does not answer. `audience`: whom tokens must be for."""

    def __init__(self, url: str, *, audience: str) -> None:
        self._url = url
        self._audience = audience
        self._metadata: Mapping[str, Any] = {}
        self._keys: Mapping[str, Signing] = {}

    def keys(self) -> Mapping[str, Signing]:
        """Its keys by kid; none before it has answered once."""
        return self._keys

    @property
    def authorization_endpoint(self) -> str:
        """Where somebody signs in.

        Raises:
            IssuerUnavailableError: it has not answered yet, or nobody signs in there.
        """
        return self._endpoint("authorization_endpoint")

    async def refresh(self) -> None:
        """Read metadata and keys anew; what was known stays if any of it is not as it should be.

        Raises:
            IssuerUnavailableError: see above.
        """
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            metadata = await self._read_metadata(session)
            keys = _usable(await _json(session, "GET", _safe(metadata.get("jwks_uri"))))
        self._metadata, self._keys = metadata, keys

    async def run(self) -> None:
        """Keep it fresh, for as long as the server runs."""
        while True:
            try:
                await self.refresh()
                pause_s = FRESH_S
            except IssuerUnavailableError as error:
                _log.warning("issuer", url=self._url, trouble=str(error), keys=len(self._keys))
                pause_s = AGAIN_S
            await asyncio.sleep(pause_s)

    async def exchange(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """What its token endpoint answers.

        Raises:
            UnauthenticatedError: it refuses (RFC 6749, section 5.2). IssuerUnavailableError: it is not reached.
        """
        sent = {**form, "resource": self._audience}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            return await _json(session, "POST", self._endpoint("token_endpoint"), sent)

    async def _read_metadata(self, session: aiohttp.ClientSession) -> Mapping[str, Any]:
        parts = urlsplit(self._url)
        bases = (f"{parts.scheme}://{parts.netloc}{METADATA[0]}{parts.path}", f"{self._url}{METADATA[1]}")
        try:
            metadata = await _json(session, "GET", bases[0])
        except IssuerUnavailableError:
            metadata = await _json(session, "GET", bases[1])
        if metadata.get("issuer") != self._url:
            raise IssuerUnavailableError("it says that it is another (RFC 8414, section 3.3)")
        return metadata

    def _endpoint(self, name: str) -> str:
        return _safe(self._metadata.get(name))


def _safe(url: object) -> str:
    """An URL of the metadata, if what is sent there is read by nobody else."""
    parts = urlsplit(url if isinstance(url, str) else "")
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not isinstance(url, str) or not parts.hostname or not (local or parts.scheme == "https") or parts.fragment:
        raise IssuerUnavailableError("it names no https address for what is needed")
    return url


async def _json(
    session: aiohttp.ClientSession, method: str, url: str, form: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    try:
        async with session.request(method, url, data=form, allow_redirects=False) as answer:
            body = await answer.content.read(MAX_BYTES + 1)
            status = answer.status
            while len(body) <= MAX_BYTES and (more := await answer.content.read(MAX_BYTES)):
                body += more
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise IssuerUnavailableError("it is not reached") from exc
    if form is not None and status in (400, 401):
        raise UnauthenticatedError("the issuer refuses")
    if status != 200 or len(body) > MAX_BYTES:
        raise IssuerUnavailableError(f"it answers {status} with {len(body)} bytes")
    try:
        said = orjson.loads(body)
    except ValueError as exc:
        raise IssuerUnavailableError("it answers no JSON") from exc
    if not isinstance(said, dict):
        raise IssuerUnavailableError("it answers no JSON object")
    return said


def _usable(said: Mapping[str, Any]) -> Mapping[str, Signing]:
    """The keys that can sign tokens; of the others nothing is believed.

    Raises:
        IssuerUnavailableError: there is none, or two have one name.
    """
    given = said.get("keys")
    if not isinstance(given, list) or len(given) > MAX_KEYS:
        raise IssuerUnavailableError("it answers no set of keys")
    keys: dict[str, Signing] = {}
    for one in given:
        kid = one.get("kid") if isinstance(one, dict) else None
        if not isinstance(kid, str) or one.get("use", "sig") != "sig":
            continue
        if kid in keys:
            raise IssuerUnavailableError("two of its keys have one name")
        try:
            key = JWKRegistry.import_key(one)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, Signing) and _signs(key):
            keys[kid] = key
    if not keys:
        raise IssuerUnavailableError("it has no key that signs tokens")
    return keys


def _signs(key: Signing) -> bool:
    if isinstance(key, ECKey):
        return key.curve_name == "P-256"
    if isinstance(key, OKPKey):
        return key.curve_name == "Ed25519"
    return bool(key.public_key.key_size >= RSA_BITS)
