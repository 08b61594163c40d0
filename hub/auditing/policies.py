"""The texts of every policy that was ever in force, by digest: evidence packages and comparisons need old ones too."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import orjson
from sqlalchemy import insert, select

from hub.audit.entry import Draft, Outcome
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.auditing.tables import audit_policy
from hub.clock import Clock
from hub.errors import StoreError
from hub.store.engine import Store


class PolicyTexts:
    def __init__(self, store: Store, log: AuditLog, clock: Clock) -> None:
        self._store = store
        self._log = log
        self._clock = clock

    async def start(self, digest: str, files: Mapping[str, str]) -> None:
        """Keep the texts that a process starts with. Where others were before, that they changed is an entry.

        Raises:
            StoreError: the database does not answer. AuditUnavailableError: the log cannot be written.
        """
        known = await self.versions()
        if await self.keep(digest, files) and known:
            draft = Draft(kind=Kind.POLICY, request_id="startup", policy_digest=digest, outcome=Outcome.OK)
            await self._log.append(draft)

    async def keep(self, digest: str, files: Mapping[str, str]) -> bool:
        """Store texts (name → text), before anything is decided by them; whether they were not there yet.

        Raises:
            StoreError: the database does not answer.
        """
        if await self.of([digest]):
            return False
        since = int(self._clock.now().timestamp() * 1_000_000)
        row = {"digest": digest, "since_us": since, "files": orjson.dumps(dict(files)).decode()}
        try:
            async with self._store.write() as connection:
                await connection.execute(insert(audit_policy).values(row))
        except StoreError:
            if not await self.of([digest]):
                raise
            return False  # another process was faster
        return True

    async def versions(self) -> Sequence[tuple[str, int]]:
        """Digest and first use (microseconds) of every policy, oldest first."""
        statement = select(audit_policy.c.digest, audit_policy.c.since_us).order_by(audit_policy.c.since_us)
        async with self._store.read() as connection:
            return [(row.digest, row.since_us) for row in await connection.execute(statement)]

    async def of(self, digests: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Digest → file → text, of those that are known."""
        if not digests:
            return {}
        statement = select(audit_policy.c.digest, audit_policy.c.files).where(audit_policy.c.digest.in_(digests))
        async with self._store.read() as connection:
            rows = (await connection.execute(statement)).all()
        return {row.digest: orjson.loads(row.files) for row in sorted(rows)}


def policy_files(directories: Sequence[Path]) -> dict[str, str]:
    """Name → text of all files of a policy."""
    paths = [path for directory in directories for path in directory.iterdir() if path.suffix in _KINDS]
    return {path.name: path.read_text("utf-8") for path in sorted(paths, key=lambda path: path.name)}


_KINDS = frozenset({".cedar", ".cedarschema", ".toml"})
