"""A log with everything around it, for tests: entries, checkpoints, a witness without HTTP, index."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.audit.checkpoints import Checkpoints
from hub.audit.entry import Draft, Outcome, Pattern
from hub.audit.log import AuditLog
from hub.audit.note import Note, Signature, Signer, parse_signature
from hub.audit.queries import AuditQueries
from hub.audit.witness import Witness
from hub.audit.witnessing import WitnessSilentError
from hub.store.engine import Store

ORIGIN = "hub.test/audit"
PATTERNS = (
    Pattern(full=("Person.name",), denied=("TaxRecord.arrears",), facts="case jurisdiction"),
    Pattern(masked=("Person.identityNumber",), predicate=("TaxRecord.employedThisMonth",), facts=""),
    Pattern(denied=("JusticeRecord.riskClass",)),
)
OUTCOMES = tuple(Outcome)


def signer(seed: int = 1, name: str = ORIGIN) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def draft(number: int) -> Draft:
    """One of many different operations."""
    return Draft(
        request_id=f"r{number}",
        agency=("tax", "police", "justice")[number % 3],
        officer=f"officer:{number % 7}",
        role="tax",
        purpose=("TAX_RELIEF", None)[number % 2],
        cases=(f"case-{number % 11}",) if number % 4 else (),
        persons=tuple((f"p{(number + k) % 13}", PATTERNS[(number + k) % 3]) for k in range(number % 4)),
        outcome=OUTCOMES[number % 5],
        code="COST_LIMIT" if number % 9 == 0 else None,
    )


@dataclass
class InProcess:
    """A witness asked without HTTP."""

    witness: Witness
    old: int = 0

    @property
    def key(self):
        return self.witness.key

    async def cosign(self, note: Note, size: int, proof) -> Signature:
        reply = self.witness.add_checkpoint(request(self.old, await proof(self.old) if self.old else [], note))
        if reply.status != 200:
            raise WitnessSilentError(f"it refuses with {reply.status}")
        self.old = size
        return parse_signature(reply.body.decode().rstrip("\n"))


def request(old: int, proof: list[bytes], note: Note) -> bytes:
    from base64 import b64encode

    return "\n".join([f"old {old}", *(b64encode(one).decode() for one in proof), "", ""]).encode() + bytes(note)


@dataclass
class Ledger:
    store: Store
    log: AuditLog
    checkpoints: Checkpoints
    queries: AuditQueries

    async def write(self, count: int, first: int = 0, clock=None) -> None:
        for number in range(first, first + count):
            self.log.submit(draft(number))
            if number % (15 if clock is not None else 400) == 0:
                await self.log.close()
                if clock is not None:
                    clock.advance(1)
        await self.log.close()


def ledger(store: Store, clock, **parts) -> Ledger:
    checkpoints = Checkpoints(store, parts.pop("signer", None) or signer(), clock, **parts)
    return Ledger(store, AuditLog(store, clock), checkpoints, AuditQueries(store, checkpoints))


def key_file(folder: Path) -> Path:
    path = folder / "log.vkey"
    path.write_text(f"{signer().key}\n", "utf-8")
    return path
