"""Sealed delivery: a value encrypted to the key that an agency's client has registered, as a compact JWE.

The officer's front-end sees a text it cannot read; the agency's own system opens it. The plaintext is a JSON object
`{coordinate, value, pad}`: the coordinate binds the value to its field, the pad hides its length within a step.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from hub.auth.clients import Client
from hub.auth.principal import Principal
from hub.errors import SettingsError

ALGORITHM, ENCRYPTION = "ECDH-ES+A256KW", "A256GCM"
PAD_BYTES = 64
_CURVES = frozenset({"P-256", "P-384", "P-521", "X25519"})


class Recipients:
    """The encryption keys of registered clients, by client id."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._agency_of = {name: client.agency for name, client in clients.items() if client.encryption_jwk is not None}
        self._keys = {
            name: read_encryption_key(client.encryption_jwk, name)
            for name, client in clients.items()
            if client.encryption_jwk is not None
        }

    def of(self, principal: Principal) -> str | None:
        """Whose key a sealed delivery to `principal` is encrypted to; None where there is none, and so no delivery.

        The client must be of the agency that asks: the key is the agency's.
        """
        return principal.client if self._agency_of.get(principal.client) == principal.agency else None

    def sealing(self, client: str, coordinate: str) -> Callable[[Any], str]:
        """value → compact JWE for `client`. Cost: one key agreement a value, some 0.2 ms."""
        key = self._keys[client]
        header = {"alg": ALGORITHM, "enc": ENCRYPTION, "kid": key.ensure_kid() or key.kid, "cty": "json"}

        def seal(value: Any) -> str:
            return jwe.encrypt_compact(header, _padded(coordinate, value), key, algorithms=[ALGORITHM, ENCRYPTION])

        return seal


def read_encryption_key(jwk: Mapping[str, Any], client: str) -> ECKey | OKPKey:
    """A public key for key agreement.

    Raises:
        SettingsError: it is damaged, private, of an unknown curve, or not meant for encryption.
    """
    if "d" in jwk:
        raise SettingsError("an encryption key is registered by its public part only", name=client)
    if jwk.get("use", "enc") != "enc" or jwk.get("crv") not in _CURVES:
        raise SettingsError(f"an encryption key is of use enc and on one of {', '.join(sorted(_CURVES))}", name=client)
    try:
        kind = OKPKey if jwk.get("kty") == "OKP" else ECKey
        key: ECKey | OKPKey = kind.import_key(dict(jwk))
        _ = key.public_key
    except (JoseError, ValueError, TypeError, KeyError) as exc:
        raise SettingsError("the encryption key is no JWK that can be read", name=client) from exc
    return key


def _padded(coordinate: str, value: Any) -> bytes:
    body = {"coordinate": coordinate, "value": value, "pad": ""}
    length = len(json.dumps(body, ensure_ascii=False).encode())
    body["pad"] = "0" * (-length % PAD_BYTES)
    return json.dumps(body, ensure_ascii=False).encode()
