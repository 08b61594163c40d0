"""Makes the keys of a new deployment, and those that a newer program needs beside the ones there are."""

from sqlalchemy import select

from hub.audit.tables import audit_entry
from hub.auth.issuer import open_issuer_key
from hub.bootstrap.secrets import build_key_store, key_purposes
from hub.crypto.keystore import KEYS_FILE
from hub.errors import KeyMaterialError, StoreError
from hub.rules import Rules
from hub.settings import Settings
from hub.store.engine import open_store
from hub.store.migration import is_current

SIGNING = ("issuer.pem", "proofs.pem")


async def make_keys(settings: Settings, rules: Rules) -> int:
    """Make every key that is missing and touch none that is there; how many data keys there are now.

    Raises:
        StoreError: there is no database, or it is behind this program's schema.
        KeyMaterialError: all data keys are missing and the database is in use: others would open nothing of it.
    """
    store = open_store(settings.store_url, create=False)
    try:
        if not await is_current(store):
            raise StoreError("behind this program's schema; run `hub migrate`")
        async with store.read() as connection:
            in_use = await connection.scalar(select(audit_entry.c.seq).limit(1)) is not None
    finally:
        await store.close()
    if in_use and not (settings.keys_dir / KEYS_FILE).exists():
        raise KeyMaterialError("is missing, and the database is in use; see `hub keys restore`", file=KEYS_FILE)
    keys = build_key_store(settings, create=True)
    keys.ensure(key_purposes(rules.catalogue))
    for name in SIGNING:
        open_issuer_key(settings.keys_dir / name, create=True)
    return len(keys.ring().keys)
