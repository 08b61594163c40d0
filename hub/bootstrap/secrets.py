"""Opens the keys of a hub and makes of them what seals, opens, indexes and names persons."""

from dataclasses import dataclass

from hub.crypto.blind_index import BlindIndex
from hub.crypto.keyring import KeyRing, open_key_ring
from hub.crypto.opener import Opener
from hub.crypto.pairwise import PairwiseIds, Pseudonyms
from hub.crypto.sealing import Sealer
from hub.domain.agencies import HUB
from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes_reader import read_codes
from hub.identity.vault import VAULT
from hub.settings import Settings

VAULT_BITS = 9  # the same rule for a vault of a hundredth as many records
BLIND_BITS = 16  # sqrt(X) < 2^16 < X / 2 for the province's 172,000 persons


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What is made of the key ring."""

    sealer: Sealer
    opener: Opener
    pseudonyms: Pseudonyms
    ids: PairwiseIds
    numbers: BlindIndex
    keys: BlindIndex
    vault_numbers: BlindIndex
    vault_keys: BlindIndex


def build_secrets(ring: KeyRing) -> Secrets:
    return Secrets(
        sealer=Sealer(ring),
        opener=Opener(ring),
        pseudonyms=Pseudonyms(ring.current("pseudonym")[1]),
        ids=PairwiseIds(ring.current("pairwise")[1]),
        numbers=BlindIndex(key=ring.current("index:identityNumber")[1], field="identityNumber", bits=BLIND_BITS),
        keys=BlindIndex(key=ring.current("index:agencyKey")[1], field="agencyKey", bits=BLIND_BITS),
        vault_numbers=BlindIndex(key=ring.current("index:vaultNumber")[1], field="vaultNumber", bits=VAULT_BITS),
        vault_keys=BlindIndex(key=ring.current("index:vaultKey")[1], field="vaultKey", bits=VAULT_BITS),
    )


def build_key_ring(settings: Settings, catalogue: Catalogue | None = None) -> KeyRing:
    """Open the hub's keys; in demo mode make what is missing."""
    catalogue = catalogue or read_catalogue(read_codes())
    owners = {HUB, VAULT, *(record.agency for record in catalogue.agency_types() if record.agency)}
    purposes = {f"seal:{owner}" for owner in owners}
    purposes |= {
        "index:identityNumber",
        "index:agencyKey",
        "index:vaultNumber",
        "index:vaultKey",
        "pairwise",
        "pseudonym",
    }
    return open_key_ring(settings.hub_dir / "keys", frozenset(purposes), create=settings.demo)
