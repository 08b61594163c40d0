"""Opens the keys of a hub and makes of them what seals, opens, indexes and names persons."""

from dataclasses import dataclass

from hub.audit.note import Signer
from hub.audit.signing import open_signer
from hub.crypto.blind_index import BlindIndex
from hub.crypto.keyring import KeyRing, open_key_ring
from hub.crypto.opener import Opener
from hub.crypto.pairwise import PairwiseIds, Pseudonyms
from hub.crypto.sealing import Sealer
from hub.domain.agencies import HUB
from hub.domain.catalogue import Catalogue
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes_reader import read_codes
from hub.settings import Settings

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


def build_secrets(ring: KeyRing) -> Secrets:
    return Secrets(
        sealer=Sealer(ring),
        opener=Opener(ring),
        pseudonyms=Pseudonyms(ring.current("pseudonym")[1]),
        ids=PairwiseIds(ring.current("pairwise")[1]),
        numbers=BlindIndex(key=ring.current("index:identityNumber")[1], field="identityNumber", bits=BLIND_BITS),
        keys=BlindIndex(key=ring.current("index:agencyKey")[1], field="agencyKey", bits=BLIND_BITS),
    )


def build_key_ring(settings: Settings, catalogue: Catalogue | None = None) -> KeyRing:
    """Open the hub's keys; in demo mode make what is missing."""
    catalogue = catalogue or read_catalogue(read_codes())
    owners = {HUB, *(record.agency for record in catalogue.agency_types() if record.agency)}
    purposes = {f"seal:{owner}" for owner in owners}
    purposes |= {"index:identityNumber", "index:agencyKey", "pairwise", "pseudonym"}
    return open_key_ring(settings.hub_dir / "keys", frozenset(purposes), create=settings.demo)


def build_audit_signer(settings: Settings, *, create: bool = False) -> Signer:
    """The key that signs the audit log's checkpoints; made in demo mode and by `hub migrate`."""
    path = settings.hub_dir / "keys" / "audit.pem"
    return open_signer(path, name=settings.audit_origin, create=create or settings.demo)
