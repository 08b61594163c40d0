"""A key-encryption key that never leaves its token: PKCS#11, mechanism CKM_AES_GCM."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11.exceptions import PKCS11Error, UserAlreadyLoggedIn

from hub.crypto.suites import NONCE_BYTES, TAG_BYTES
from hub.errors import KeyMaterialError

TAG_BITS = TAG_BYTES * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkcs11Token:
    """Which key of which token. `module` is the vendor's library."""

    module: Path
    token: str
    pin: str
    key: str


class Pkcs11KeyProvider:
    """One session, opened at start; with `create` an AES-256 key that cannot be read out is made if there is none."""

    def __init__(self, named: Pkcs11Token, *, create: bool) -> None:
        self.name = f"PKCS#11 token {named.token}"
        try:
            token = pkcs11.lib(str(named.module)).get_token(token_label=named.token)
            self._session = _opened(token, named.pin)
            found = self._find(named.key) or (self._make(named.key) if create else None)
        except (PKCS11Error, RuntimeError) as exc:
            raise KeyMaterialError(f"the token does not open: {type(exc).__name__}", name=self.name) from exc
        if found is None:
            raise KeyMaterialError(f"holds no key {named.key}", name=self.name)
        self._kek: Any = found

    def wrap(self, context: str, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        try:
            sealed: bytes = self._kek.encrypt(
                key, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=self._parameters(nonce, context)
            )
        except PKCS11Error as exc:
            raise KeyMaterialError(f"does not wrap: {type(exc).__name__}", name=self.name) from exc
        return nonce + sealed

    def unwrap(self, context: str, wrapped: bytes) -> bytes:
        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            key: bytes = self._kek.decrypt(
                sealed, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=self._parameters(nonce, context)
            )
        except (PKCS11Error, TypeError, ValueError) as exc:
            raise KeyMaterialError(f"does not unwrap in {self.name}: {type(exc).__name__}", name=context) from exc
        return key

    def close(self) -> None:
        self._session.close()

    def _find(self, label: str) -> Any:
        wanted = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY, pkcs11.Attribute.LABEL: label}
        return next(iter(self._session.get_objects(wanted)), None)

    def _make(self, label: str) -> Any:
        return self._session.generate_key(
            pkcs11.KeyType.AES,
            256,
            label=label,
            store=True,
            capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
            template={pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False},
        )

    def _parameters(self, nonce: bytes, context: str) -> Any:
        return pkcs11.GCMParams(nonce, context.encode(), TAG_BITS)


def _opened(token: Any, pin: str) -> Any:
    """A session. A process logs in once for all its sessions on a token."""
    try:
        return token.open(rw=True, user_pin=pin)
    except UserAlreadyLoggedIn:
        return token.open(rw=True)
