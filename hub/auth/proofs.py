"""Proofs of answers: what an agency keeps instead of the record, signed by the hub under a key of its own.

The key is not the one of access tokens, and neither type nor audience of a proof fits a token, so none is mistaken for
the other. Source: RFC 7515 (JWS), RFC 8725 section 3.11 (explicit typing).
"""

from collections.abc import Mapping
from typing import Any

import orjson
from joserfc import jws

from hub.auth.issuer import IssuerKey
from hub.clock import Clock

TYPE = "hub-predicate+jws"


class ProofSigner:
    """Compact JWS, ES256. Cost: some 0.1 ms a proof."""

    def __init__(self, key: IssuerKey, *, url: str, clock: Clock) -> None:
        self._key = key
        self._url = url
        self._clock = clock

    def prove(self, *, agency: str, person: str, claims: Mapping[str, Any]) -> str:
        """`person` is the id under which `agency` knows the person; to others it says nothing."""
        said = {
            "iss": self._url,
            "aud": agency,
            "sub": person,
            "iat": int(self._clock.now().timestamp()),
            **claims,
        }
        header = {"alg": "ES256", "typ": TYPE, "kid": self._key.kid}
        payload = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        return jws.serialize_compact(header, payload, self._key.key, algorithms=["ES256"])
