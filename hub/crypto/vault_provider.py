"""A key-encryption key of Vault's transit engine: Vault encrypts and decrypts, the key stays there."""

from base64 import b64decode, b64encode
from typing import Any

import hvac
from hvac.exceptions import VaultError
from requests.exceptions import RequestException

from hub.errors import KeyMaterialError

TIMEOUT_S = 5


class VaultKeyProvider:
    """`key` names a key of the transit engine at `mount`; it must be an AEAD key (aes256-gcm96)."""

    def __init__(self, *, url: str, token: str, key: str, mount: str = "transit") -> None:
        self.name = f"Vault key {key}"
        self._key = key
        self._mount = mount
        self._client = hvac.Client(url=url, token=token, timeout=TIMEOUT_S, allow_redirects=False)

    def wrap(self, context: str, key: bytes) -> bytes:
        answer = self._ask("encrypt_data", context, plaintext=b64encode(key).decode(), associated_data=_bound(context))
        return str(answer["ciphertext"]).encode()

    def unwrap(self, context: str, wrapped: bytes) -> bytes:
        answer = self._ask(
            "decrypt_data", context, ciphertext=wrapped.decode("ascii", "replace"), associated_data=_bound(context)
        )
        return b64decode(answer["plaintext"])

    def _ask(self, verb: str, context: str, **sent: str) -> dict[str, Any]:
        try:
            answer = getattr(self._client.secrets.transit, verb)(name=self._key, mount_point=self._mount, **sent)
            found: dict[str, Any] = answer["data"]
        except (VaultError, RequestException, KeyError, TypeError, ValueError) as exc:
            raise KeyMaterialError(f"{self.name} does not answer: {type(exc).__name__}", name=context) from exc
        return found


def _bound(context: str) -> str:
    return b64encode(context.encode()).decode()
