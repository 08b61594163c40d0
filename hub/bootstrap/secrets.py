"""Opens the keys of a hub and makes of them what seals, opens, indexes and names persons."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from hub.audit.note import Signer
from hub.audit.signing import open_signer
from hub.crypto.blind_index import RingIndex, bits_for
from hub.crypto.envelope import CLASSES
from hub.crypto.keyring import KeyRing, sealing_purpose
from hub.crypto.keystore import KeyStore, open_key_ring
from hub.crypto.opener import Opener
from hub.crypto.pairwise import PairwiseIds, Pseudonyms
from hub.crypto.providers import KeyProvider, open_file_provider
from hub.crypto.sealing import Sealer
from hub.crypto.suites import SUITE_NAMES
from hub.domain.agencies import HUB
from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes_reader import read_codes
from hub.errors import SettingsError
from hub.identity.links import Matching
from hub.identity.names import NameIndexes
from hub.identity.vault import VAULT
from hub.settings import Settings

VAULT_FEWER_BITS = 7  # a vault holds a hundredth as many records
INDEXES = (
    "identityNumber",
    "agencyKey",
    "name",
    "nameGram",
    "namePinyin",
    "vaultNumber",
    "vaultKey",
    "identityBlock",
    "replicaKey",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What is made of the key ring."""

    sealer: Sealer
    opener: Opener
    pseudonyms: Pseudonyms
    ids: PairwiseIds
    numbers: RingIndex
    keys: RingIndex
    names: NameIndexes
    erased: Pseudonyms
    vault_numbers: RingIndex
    vault_keys: RingIndex
    matching: Matching
    replica_keys: RingIndex


def build_secrets(ring: KeyRing) -> Secrets:
    return Secrets(
        sealer=Sealer(ring),
        opener=Opener(ring),
        pseudonyms=_pseudonyms(ring, "pseudonym"),
        ids=_pairwise(ring),
        numbers=_index(ring, "identityNumber"),
        keys=_index(ring, "agencyKey"),
        names=NameIndexes(
            exact=_index(ring, "name"), grams=_index(ring, "nameGram"), pinyin=_index(ring, "namePinyin")
        ),
        erased=_pseudonyms(ring, "erased"),
        vault_numbers=_index(ring, "vaultNumber", fewer_bits=VAULT_FEWER_BITS),
        vault_keys=_index(ring, "vaultKey", fewer_bits=VAULT_FEWER_BITS),
        matching=Matching(digests=_pseudonyms(ring, "erased"), blocks=_index(ring, "identityBlock")),
        replica_keys=_index(ring, "replicaKey"),
    )


def key_purposes(catalogue: Catalogue) -> frozenset[str]:
    """Every key a hub needs: sealing by owner agency and class, indexes by field, and names."""
    owners = {HUB, VAULT, *(record.agency for record in catalogue.agency_types() if record.agency)}
    sealing = {sealing_purpose(owner, sensitivity) for owner in owners for sensitivity in CLASSES}
    return frozenset(sealing | {f"index:{field}" for field in INDEXES} | {"pairwise", "pseudonym", "erased"})


def build_key_ring(settings: Settings, catalogue: Catalogue | None = None) -> KeyRing:
    """Open the hub's keys; in demo mode make what is missing."""
    catalogue = catalogue or read_catalogue(read_codes())
    suite = SUITE_NAMES[settings.crypto_suite]
    return open_key_ring(
        settings.keys_dir,
        key_purposes(catalogue),
        create=settings.demo,
        provider=build_provider(settings, create=settings.demo),
        suite=suite,
        bits=bits_for(settings.expected_persons),
    )


def build_key_store(settings: Settings, *, create: bool = False) -> KeyStore:
    """The kept keys, for commands that change them."""
    provider = build_provider(settings, create=create)
    suite = SUITE_NAMES[settings.crypto_suite]
    return KeyStore(settings.keys_dir, provider, suite, bits=bits_for(settings.expected_persons))


def build_provider(settings: Settings, *, create: bool) -> KeyProvider:
    """Where the key-encryption key is, by the settings. The libraries of HSM and Vault load only if they are used."""
    if settings.key_provider == "pkcs11":
        if settings.pkcs11_module is None or settings.pkcs11_pin_file is None:
            raise SettingsError("is needed with HUB_KEY_PROVIDER=pkcs11", name="HUB_PKCS11_MODULE, HUB_PKCS11_PIN_FILE")
        module = import_module("hub.crypto.pkcs11_provider")
        token = module.Pkcs11Token(
            module=settings.pkcs11_module,
            token=settings.pkcs11_label,
            pin=_first_line(settings.pkcs11_pin_file),
            key=settings.pkcs11_key,
        )
        return cast("KeyProvider", module.Pkcs11KeyProvider(token, create=create))
    if settings.key_provider == "vault":
        if settings.vault_url is None or settings.vault_token_file is None:
            raise SettingsError("is needed with HUB_KEY_PROVIDER=vault", name="HUB_VAULT_URL, HUB_VAULT_TOKEN_FILE")
        module = import_module("hub.crypto.vault_provider")
        return cast(
            "KeyProvider",
            module.VaultKeyProvider(
                url=settings.vault_url,
                token=_first_line(settings.vault_token_file),
                key=settings.vault_key,
                mount=settings.vault_mount,
            ),
        )
    return open_file_provider(
        settings.keys_dir, SUITE_NAMES[settings.crypto_suite], create=create, passphrase=_passphrase(settings)
    )


def _passphrase(settings: Settings) -> bytes | None:
    if settings.key_passphrase is not None:
        return settings.key_passphrase.get_secret_value().encode()
    return None if settings.key_file is None else _first_line(settings.key_file).encode()


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as exc:
        raise SettingsError("cannot be read", file=path.name) from exc
    if not lines or not lines[0]:
        raise SettingsError("is empty", file=path.name)
    return lines[0]


def _index(ring: KeyRing, field: str, *, fewer_bits: int = 0) -> RingIndex:
    return RingIndex(ring, f"index:{field}", field, fewer_bits=fewer_bits)


def _pseudonyms(ring: KeyRing, purpose: str) -> Pseudonyms:
    version, key = ring.current(purpose)
    return Pseudonyms(key, ring.known(purpose, version).digest)


def _pairwise(ring: KeyRing) -> PairwiseIds:
    version, key = ring.current("pairwise")
    return PairwiseIds(key, ring.known("pairwise", version).digest)


def build_audit_signer(settings: Settings, *, create: bool = False) -> Signer:
    """The key that signs the audit log's checkpoints; made in demo mode and by `hub migrate`."""
    path = settings.hub_dir / "keys" / "audit.pem"
    return open_signer(path, name=settings.audit_origin, create=create or settings.demo)
