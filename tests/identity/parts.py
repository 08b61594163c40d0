"""Everything that links records, over one store, with members given by their traits."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from sqlalchemy import select

from hub.bootstrap.linking import Linking, build_linking
from hub.crypto.blind_index import BlindIndex
from hub.crypto.keyring import KeyRing
from hub.crypto.opener import Opener
from hub.crypto.pairwise import Pseudonyms
from hub.crypto.sealing import Sealer
from hub.domain.identity_number import check_character
from hub.identity.importer import Importer
from hub.identity.links import Matching
from hub.identity.matching.weights import Model, read_model
from hub.identity.names import NameIndexes
from hub.identity.tables import link, person
from hub.identity.vault import Vault

AGENCIES = ("justice", "police", "social-security", "civil-affairs", "tax")
RING = KeyRing(
    keys={
        "seal:hub:2": {1: bytes(31) + b"n"},
        "seal:hub:3": {1: bytes(32)},
        "seal:vault:3": {1: bytes(30) + b"vn"},
        **{f"seal:{agency}:2": {1: bytes(31) + bytes([n + 1])} for n, agency in enumerate(AGENCIES)},
    }
)


def index(name: str) -> BlindIndex:
    return BlindIndex(key=name.encode().ljust(32, b"."), field=name, bits=30)


SECRETS = SimpleNamespace(
    sealer=Sealer(RING),
    opener=Opener(RING),
    keys=index("agencyKey"),
    erased=Pseudonyms(b"d" * 32),
    matching=Matching(digests=Pseudonyms(b"d" * 32), blocks=index("identityBlock")),
)
MODEL = read_model()


@dataclass
class Record:
    key: str
    values: dict = field(default_factory=dict)


@dataclass
class Source:
    records: list[Record]

    async def scan(self, _coordinates, *, batch):
        for start in range(0, len(self.records), batch):
            yield self.records[start : start + batch]


def number(order: int, birth: str = "1980-03-05") -> str:
    body = f"360700{birth.replace('-', '')}{order:03d}"
    return body + check_character(body)


def record(key: str, **traits: str) -> Record:
    return Record(key, {f"index.{'called' if name == 'name' else name}": value for name, value in traits.items()})


def person_record(key: str, order: int, **other: str) -> Record:
    """A record of made-up person `order`, with everything right unless told otherwise; "" leaves a trait out."""
    traits = {
        "number": number(order),
        "name": f"王{'伟芳娜敏静丽强磊军洋'[order % 10]}{'刚文辉玲建国华志海云'[order // 10 % 10]}",
        "birth": "1980-03-05",
        "sex": "M",
        "county": "360702",
        "address": f"江西省赣州市章贡区水口镇红旗大道{order + 1}号",
        "phone": f"138{order:08d}",
        **other,
    }
    return record(key, **{name: value for name, value in traits.items() if value})


def linking(store, clock, model: Model = MODEL) -> Linking:
    return build_linking(store, SECRETS, clock, model)


def importer(store, clock) -> Importer:
    return Importer(
        store=store,
        sealer=SECRETS.sealer,
        opener=SECRETS.opener,
        numbers=index("identityNumber"),
        keys=SECRETS.keys,
        names=NameIndexes(exact=index("name"), grams=index("nameGram"), pinyin=index("namePinyin")),
        erased=SECRETS.erased,
        clock=clock,
        matching=SECRETS.matching,
        vault=Vault(
            sealer=SECRETS.sealer,
            opener=SECRETS.opener,
            numbers=index("vaultNumber"),
            keys=index("vaultKey"),
            clock=clock,
        ),
    )


async def members(store, clock, records: list[Record]) -> dict[str, str]:
    """Import members. Returns justice key → person."""
    await importer(store, clock).run(Source(records))
    named = {SECRETS.matching.record("justice", one.key): one.key for one in records}
    async with store.read() as connection:
        rows = await connection.execute(select(link.c.record, link.c.person_id).where(link.c.record.in_(named)))
        return {named[row[0]]: row[1] for row in rows}


async def state(store, clock) -> dict:
    """Everything that a change of links may change, opened: links by record, and who is hidden."""
    ledger = linking(store, clock).ledger
    async with store.read() as connection:
        people = (await connection.execute(select(person.c.person_id, person.c.vaulted, person.c.merged_into))).all()
        held = [one for row in people for one in await ledger.of_person(connection, row[0])]
    return {
        "links": {one.record: one for one in held},
        "people": {row[0]: (bool(row[1]), row[2]) for row in people},
    }


async def clusters(store, clock) -> dict[str, str]:
    """Record → person."""
    return {name: one.person_id for name, one in (await state(store, clock))["links"].items()}
