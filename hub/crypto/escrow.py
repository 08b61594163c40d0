"""Keys for the day when the key-encryption key is lost: all data keys under one escrow key, that key in m of n shares.

The shares are Shamir's scheme as SLIP-0039 words (library shamir-mnemonic), made to be written on paper and read back;
fewer than m tell nothing. The file alone tells nothing either.
"""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics

from hub.crypto.keyring import KeyFacts, KeyState
from hub.crypto.keystore import KeyStore
from hub.crypto.providers import FileKeyProvider
from hub.crypto.suites import AES_256_GCM, Digest, Suite
from hub.errors import KeyMaterialError

MOST_SHARES = 16
_CONTEXT = "escrow"


def make_escrow(store: KeyStore, *, needed: int, shares: int, suite: Suite = AES_256_GCM) -> tuple[bytes, list[str]]:
    """The escrow file, and `shares` lines of words of which any `needed` open it.

    Raises:
        KeyMaterialError: not 2 <= needed <= shares <= 16.
    """
    if not 2 <= needed <= shares <= MOST_SHARES:
        raise KeyMaterialError(f"needs 2 <= NEEDED <= SHARES <= {MOST_SHARES}", name="escrow")
    ring = store.ring(retired=True)
    facts = store.facts()
    plain = {
        purpose: {
            str(version): [
                b64encode(key).decode(),
                facts[purpose][version].state.value,
                facts[purpose][version].digest.value,
                facts[purpose][version].bits,
            ]
            for version, key in versions.items()
        }
        for purpose, versions in ring.keys.items()
    }
    key = os.urandom(32)
    sealed = FileKeyProvider(key, suite).wrap(_CONTEXT, json.dumps(plain).encode())
    held = {"format": 1, "needed": needed, "shares": shares, "keys": b64encode(sealed).decode()}
    words = generate_mnemonics(1, [(needed, shares)], key)[0]
    return json.dumps(held, indent=1).encode(), words


def restore(store: KeyStore, escrow: bytes, shares: Sequence[str]) -> int:
    """Put every key of an escrow into an empty key directory, wrapped by the store's own provider. How many.

    Raises:
        KeyMaterialError: the directory holds keys; the file is damaged; shares are too few, damaged or another's.
    """
    if (store.directory / "keys.json").exists():
        raise KeyMaterialError("there are keys already; restore into an empty directory", file="keys.json")
    count = 0
    for purpose, versions in _opened(escrow, shares).items():
        for version, (key, state, digest, bits) in versions.items():
            facts = KeyFacts(state=KeyState(state), digest=Digest(digest), bits=bits)
            store.put(purpose, int(version), b64decode(key), facts)
            count += 1
    return count


def _opened(escrow: bytes, shares: Sequence[str]) -> Mapping[str, Mapping[str, tuple[str, str, str, int]]]:
    try:
        sealed = b64decode(json.loads(escrow)["keys"])
    except (ValueError, KeyError, TypeError) as exc:
        raise KeyMaterialError("the escrow file is damaged", name="escrow") from exc
    try:
        key = combine_mnemonics(shares)
    except MnemonicError as exc:
        raise KeyMaterialError("the shares are too few, damaged, or not of one set", name="escrow") from exc
    plain: Mapping[str, Mapping[str, tuple[str, str, str, int]]] = json.loads(
        FileKeyProvider(key, name="these shares").unwrap(_CONTEXT, sealed)
    )
    return plain
