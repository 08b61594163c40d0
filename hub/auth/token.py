"""Strict verification of access tokens (RFC 9068, RFC 8725; the rules are SECURITY section 2)."""

import re
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping
from hashlib import sha256
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from hub.auth.clients import REGION
from hub.auth.principal import Principal
from hub.auth.strict_jws import MAX_BYTES, MalformedTokenError, split_compact
from hub.clock import Clock
from hub.errors import ActorInvalidError, UnauthenticatedError

Key = ECKey | RSAKey | OKPKey
ALGORITHMS: Mapping[str, str] = {"EC": "ES256", "RSA": "PS256", "OKP": "EdDSA"}
LEEWAY_S = 30
MAX_LIFETIME_S = 3600
MAX_ACTORS = 4
"""How many actors a chain of `act` may name, the current one counted."""
_HEADER = {"alg", "typ", "kid"}
_TEXT = re.compile(r"[\x21-\x7e]{1,200}")


class TokenVerifier:
    """Verifies bearer tokens of one issuer. `keys` gives the issuer's keys by kid; `agency_of` the agency of a role.
    Tokens of a client in `disabled` are refused, however valid. `person_of` opens the claim `person`, which names the
    person concerned by the id that the hub gives to the agency of the token; None for an id that names nobody.

    Verified tokens are remembered by hash until they expire, at most `remembered` of them.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: Callable[[], Mapping[str, Key]],
        agency_of: Mapping[str, str],
        clock: Clock,
        is_revoked: Callable[[str], bool] = lambda _jti: False,
        disabled: Container[str] = (),
        person_of: Callable[[str, str], str | None] = lambda _agency, _id: None,
        remembered: int = 10_000,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._agency_of = agency_of
        self._clock = clock
        self._is_revoked = is_revoked
        self._disabled = disabled
        self._person_of = person_of
        self._remembered = remembered
        self._seen: OrderedDict[bytes, tuple[Principal, int]] = OrderedDict()

    def verify(self, authorization: str | None) -> Principal:
        """The principal of an `Authorization` header.

        Raises:
            UnauthenticatedError: there is no token, or one that is wrong in any way.
        """
        token = _bearer(authorization)
        digest = sha256(token.encode("ascii")).digest()
        now = int(self._clock.now().timestamp())
        kept = self._seen.get(digest)
        if kept is None:
            kept = self._verify(token, now)
            self._seen[digest] = kept
            if len(self._seen) > self._remembered:
                self._seen.popitem(last=False)
        principal, not_before = kept
        if now >= principal.expires_at + LEEWAY_S or now < not_before - LEEWAY_S:
            self._seen.pop(digest, None)
            raise UnauthenticatedError("token is not valid now")
        if self._is_revoked(principal.token_id):
            raise UnauthenticatedError("token is revoked")
        if principal.client in self._disabled:
            raise UnauthenticatedError("client is disabled")
        return principal

    def _verify(self, token: str, now: int) -> tuple[Principal, int]:
        try:
            header, claims, _ = split_compact(token)
        except MalformedTokenError as exc:
            raise UnauthenticatedError("malformed token") from exc
        if header.keys() != _HEADER or header["typ"] != "at+jwt" or not isinstance(header["kid"], str):
            raise UnauthenticatedError("header")
        key = self._keys().get(header["kid"])
        if key is None or header["alg"] != ALGORITHMS[key.key_type]:
            raise UnauthenticatedError("key or algorithm")
        try:
            jws.deserialize_compact(token, key, algorithms=[ALGORITHMS[key.key_type]])
        except (JoseError, ValueError, TypeError) as exc:
            raise UnauthenticatedError("signature") from exc
        return self._principal(claims, now)

    def _principal(self, claims: Mapping[str, Any], now: int) -> tuple[Principal, int]:
        self._check_times(claims, now)
        if claims.get("iss") != self._issuer:
            raise UnauthenticatedError("issuer")
        audience = claims.get("aud")
        if not isinstance(audience, list) or self._audience not in audience or not _texts(audience, 10):
            raise UnauthenticatedError("audience")
        client = _claim(claims, "client_id")
        subject = _claim(claims, "sub").removeprefix("officer:")
        if claims["sub"] != f"officer:{subject}" or not subject:
            raise UnauthenticatedError("subject")
        deputy = _deputy(claims.get("act"), client, subject)
        role, agency = _claim(claims, "role"), _claim(claims, "agency")
        if self._agency_of.get(role) != agency:
            raise UnauthenticatedError("role and agency")
        regions, purposes, cases = claims.get("regions"), claims.get("purposes"), claims.get("cases")
        if not _texts(regions, 100) or not all(REGION.fullmatch(region) for region in regions or ()):
            raise UnauthenticatedError("regions")
        if not _texts(purposes, 20) or not (cases is None or _texts(cases, 100)):
            raise UnauthenticatedError("purposes or cases")
        principal = Principal(
            agency=agency,
            role=role,
            officer=deputy or subject,
            client=client,
            regions=tuple(regions or ()),
            purposes=frozenset(purposes or ()),
            cases=None if cases is None else frozenset(cases),
            token_id=_claim(claims, "jti"),
            expires_at=claims["exp"],
            subject=self._subject(claims, agency),
            on_behalf_of=subject if deputy else None,
        )
        return principal, claims["nbf"]

    def _subject(self, claims: Mapping[str, Any], agency: str) -> str | None:
        """Whose own token this is. A claim that names nobody spoils the token: it was meant for somebody."""
        if "person" not in claims:
            return None
        subject = self._person_of(agency, _claim(claims, "person"))
        if subject is None:
            raise UnauthenticatedError("person")
        return subject

    def _check_times(self, claims: Mapping[str, Any], now: int) -> None:
        for name in ("exp", "nbf", "iat"):
            value = claims.get(name)
            if type(value) is not int or not 0 < value < 2**40:
                raise UnauthenticatedError(name)
        if claims["exp"] - claims["iat"] > MAX_LIFETIME_S or claims["exp"] <= claims["iat"]:
            raise UnauthenticatedError("lifetime")
        if claims["iat"] > now + LEEWAY_S or claims["nbf"] > now + LEEWAY_S or claims["exp"] + LEEWAY_S <= now:
            raise UnauthenticatedError("not valid now")


def _bearer(authorization: str | None) -> str:
    """The one token of the header; the scheme is case-insensitive (RFC 9110, section 11.1)."""
    if authorization is None or len(authorization) > MAX_BYTES + 16 or not authorization.isascii():
        raise UnauthenticatedError("no token")
    scheme, separator, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not separator or not token:
        raise UnauthenticatedError("no bearer token")
    return token


def _deputy(act: object, client: str, subject: str) -> str | None:
    """The officer who stands in for the token's subject; None where the client acts for the subject itself.

    The outermost `act` names the current actor: the token's client, or the officer. Earlier actors stand inside it and
    may only be clients: they decide nothing, and no deputy appoints another. Source: RFC 8693, section 4.1.

    Raises:
        ActorInvalidError: the claim is not of this form, or names an officer as their own deputy.
    """
    chain: list[str] = []
    while True:
        if not isinstance(act, dict) or not {"sub"} <= act.keys() <= {"sub", "act"} or len(chain) == MAX_ACTORS:
            raise ActorInvalidError("act is no object of sub and act, or the chain is too long")
        if not isinstance(act["sub"], str) or not _TEXT.fullmatch(act["sub"]):
            raise ActorInvalidError("act names nobody")
        chain.append(act["sub"])
        if "act" not in act:
            break
        act = act["act"]
    if not all(actor.startswith("client:") for actor in chain[1:]):
        raise ActorInvalidError("an officer behind the current actor")
    if chain[0] == f"client:{client}":
        return None
    kind, _, officer = chain[0].partition(":")
    if kind != "officer" or not officer or officer.casefold() == subject.casefold():
        raise ActorInvalidError("act names neither the client nor another officer")
    return officer


def _claim(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not _TEXT.fullmatch(value):
        raise UnauthenticatedError(name)
    return value


def _texts(value: object, most: int) -> bool:
    """Whether `value` is a list of at most `most` short plain texts, none twice."""
    return (
        isinstance(value, list)
        and len(value) <= most
        and all(isinstance(item, str) and _TEXT.fullmatch(item) for item in value)
        and len(set(value)) == len(value)
    )
