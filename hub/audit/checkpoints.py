"""Signing where the log stands: at least every 60 s and every 10,000 entries while it grows, cosigned by witnesses.

Any process of the hub may make the next checkpoint; the table has one per size. A log that does not continue its last
checkpoint is never signed again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import func, insert, select, update

from hub.audit.merkle import verify_consistency
from hub.audit.note import Checkpoint, Note, NoteError, Signature, Signer, VerifierKey, signed
from hub.audit.tables import audit_checkpoint
from hub.audit.tiles import TileFiles
from hub.audit.tree import Tree
from hub.audit.witnessing import WitnessSeen, WitnessSilentError
from hub.clock import Clock
from hub.errors import HubError, StoreError
from hub.failpoints import failpoint
from hub.store.engine import Store

EVERY_S = 30.0
EVERY_ENTRIES = 10_000
LOOK_EVERY_S = 1.0
WITNESS_AGAIN_S = 10.0
_log = structlog.get_logger(__name__)


class LogBrokenError(HubError):
    """The log does not continue its own last checkpoint: entries were changed or lost. It is not signed."""

    code = "LOG_BROKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A checkpoint with its signatures. `witnesses`: how many cosigned it. `time_us`: when it was made."""

    checkpoint: Checkpoint
    note: Note
    time_us: int
    witnesses: int


class Checkpoints:
    """`files`: where the tiles are published, if anywhere."""

    def __init__(
        self,
        store: Store,
        signer: Signer,
        clock: Clock,
        *,
        witnesses: Sequence[WitnessSeen] = (),
        files: TileFiles | None = None,
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._witnesses = witnesses
        self._files = files
        self._asked_at = -WITNESS_AGAIN_S
        self.tree = Tree(store)

    @property
    def key(self) -> VerifierKey:
        return self._signer.key

    async def latest(self) -> Stored | None:
        """The newest checkpoint, if there is one yet."""
        return await self._stored(None)

    async def run(self) -> None:
        """Make checkpoints as they fall due, until cancelled. What fails is told once a minute and tried again."""
        while True:
            try:
                await self.make()
            except (HubError, NoteError, OSError) as error:
                _log.error("checkpoint", code=getattr(error, "code", "FAILED"), text=str(error))
                await asyncio.sleep(60 if isinstance(error, LogBrokenError) else 5)
            await asyncio.sleep(LOOK_EVERY_S)

    async def make(self, *, force: bool = False) -> Stored | None:
        """Make a checkpoint if one is due, or with `force` if the log has grown at all; the newest there is after it.

        Raises:
            LogBrokenError: the log does not continue its last checkpoint. StoreError: the database does not answer.
        """
        size, _, root = await self.tree.head()
        last = await self.latest()
        now_us = int(self._clock.now().timestamp() * 1_000_000)
        if size and (last is None or self._is_due(last, size, now_us, force=force)):
            await self._check(last, size, root)
            last = await self._sign(Checkpoint(origin=self.key.name, size=size, root=root), now_us)
        if last is None or last.witnesses >= len(self._witnesses):
            return last
        now = self._clock.monotonic()
        if force or now - self._asked_at >= WITNESS_AGAIN_S:
            self._asked_at = now
            last = await self._cosign(last)
        return last

    def _is_due(self, last: Stored, size: int, now_us: int, *, force: bool) -> bool:
        grown = size - last.checkpoint.size
        if grown < 0:
            raise LogBrokenError(f"the log has {size} entries, its last checkpoint {last.checkpoint.size}")
        age_s = abs(now_us - last.time_us) / 1_000_000  # a clock set back makes one too many, not none
        return grown > 0 and (force or grown >= EVERY_ENTRIES or age_s >= EVERY_S)

    async def _check(self, last: Stored | None, size: int, root: bytes) -> None:
        if await self.tree.root(size) != root:
            raise LogBrokenError("the leaf hashes do not give the root of the head")
        if last is None:
            return
        old = last.checkpoint
        proof = await self.tree.consistency(old.size, size)
        if not verify_consistency(old=old.size, size=size, old_root=old.root, root=root, proof=proof):
            raise LogBrokenError(f"the log does not continue its checkpoint of {old.size} entries")

    async def _sign(self, checkpoint: Checkpoint, now_us: int) -> Stored:
        note = signed(checkpoint, [self._signer])
        failpoint("audit.checkpoint")
        row = {"size": checkpoint.size, "time_us": now_us, "note": bytes(note).decode(), "witnesses": 0}
        try:
            async with self._store.write() as connection:
                await connection.execute(insert(audit_checkpoint).values(row))
        except StoreError:
            other = await self._stored(checkpoint.size)  # another process was faster, or the database is gone
            if other is None:
                raise
            return other
        if self._files is not None:
            await self._files.publish(self.tree, note)
        return Stored(checkpoint=checkpoint, note=note, time_us=now_us, witnesses=0)

    async def _cosign(self, last: Stored) -> Stored:
        size = last.checkpoint.size
        asked = [self._ask(witness, last) for witness in self._witnesses]
        fresh = [one for one in await asyncio.gather(*asked) if one is not None]
        if not fresh:
            return last
        by = {(one.name, one.key_id) for one in fresh}
        kept = [one for one in last.note.signatures if (one.name, one.key_id) not in by]
        note = Note(text=last.note.text, signatures=(*kept, *fresh))
        witnesses = sum(note.is_signed_by(witness.key) for witness in self._witnesses)
        changed = update(audit_checkpoint).where(audit_checkpoint.c.size == size)
        async with self._store.write() as connection:
            await connection.execute(changed.values(note=bytes(note).decode(), witnesses=witnesses))
        if self._files is not None:
            await self._files.publish(self.tree, note)
        return Stored(checkpoint=last.checkpoint, note=note, time_us=last.time_us, witnesses=witnesses)

    async def _ask(self, witness: WitnessSeen, last: Stored) -> Signature | None:
        size = last.checkpoint.size
        try:
            return await witness.cosign(last.note, size, partial(self.tree.consistency, size=size))
        except WitnessSilentError as error:
            _log.warning("witness", name=witness.key.name, size=size, text=str(error))
            return None

    async def _stored(self, size: int | None) -> Stored | None:
        statement = select(audit_checkpoint)
        newest = select(func.max(audit_checkpoint.c.size)).scalar_subquery()
        statement = statement.where(audit_checkpoint.c.size == (newest if size is None else size))
        async with self._store.read() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return None
        try:
            note = Note.parse(row.note.encode())
            checkpoint = Checkpoint.parse(note.text)
        except NoteError as exc:
            raise LogBrokenError("the last checkpoint is not readable") from exc
        if checkpoint.size != row.size or not note.is_signed_by(self.key):
            raise LogBrokenError("the last checkpoint is not signed by this log's key")
        return Stored(checkpoint=checkpoint, note=note, time_us=row.time_us, witnesses=row.witnesses)
