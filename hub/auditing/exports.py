"""Export jobs: asked for once, run in the background by any process, their files kept under the hub's own directory.

A job exports entries up to the checkpoint that stood when it was asked for, so that it always gives the same bytes.
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.audit.checkpoints import Checkpoints
from hub.audit.entry import Draft, Outcome
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.audit.note import Checkpoint, Note
from hub.audit.queries import MAX_FIRST, AuditQueries, EntryFilter
from hub.audit.reader import EntryRow, show
from hub.audit.tables import audit_entry
from hub.auditing.desk import AuditArgumentError, Reader
from hub.auditing.evidence import EVIDENCE_ENTRIES, proof_line, write_evidence
from hub.auditing.formats import WRITERS, About, TooManyEntriesError
from hub.auditing.policies import PolicyTexts
from hub.auditing.tables import audit_export
from hub.clock import Clock
from hub.errors import HubError, StoreError
from hub.store.engine import Store

EVIDENCE = "evidence"
FORMATS = (*WRITERS, EVIDENCE)
MOST_ENTRIES = 1_000_000
LOOK_EVERY_S = 1.0
DEAD_AFTER_US = 60_000_000
PAGE = 500
_ENTRY = [audit_entry.c[name] for name in EntryRow._fields]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`state`: WAITING, RUNNING, DONE or FAILED (then `code` says why). `done` of `entries` are written."""

    job_id: str
    created_us: int
    officer: str
    format: str
    wanted: EntryFilter
    note: str
    state: str
    done: int
    entries: int
    digest: str
    size: int
    code: str

    @property
    def ending(self) -> str:
        return "zip" if self.format == EVIDENCE else WRITERS[self.format][1]

    @property
    def file_name(self) -> str:
        return f"audit-{self.job_id[:8]}.{self.ending}"

    @property
    def media_type(self) -> str:
        return "application/zip" if self.format == EVIDENCE else WRITERS[self.format][2]


class Exports:
    def __init__(
        self,
        *,
        store: Store,
        queries: AuditQueries,
        checkpoints: Checkpoints,
        log: AuditLog,
        policies: PolicyTexts,
        clock: Clock,
        directory: Path,
    ) -> None:
        self._store = store
        self._queries = queries
        self._checkpoints = checkpoints
        self._log = log
        self._policies = policies
        self._clock = clock
        self._directory = directory
        self._insert = (sqlite if store.dialect == "sqlite" else postgresql).insert

    async def ask_once(self, reader: Reader, wanted: EntryFilter, file_format: str, job_id: str) -> Job:
        """As `ask`; the job of this id that there is already, whatever it is for, else this one."""
        if await self.job(job_id) is None:
            await self.ask(reader, wanted, file_format, job_id=job_id)
        job = await self.job(job_id)
        assert job is not None
        return job

    async def ask(self, reader: Reader, wanted: EntryFilter, file_format: str, *, job_id: str | None = None) -> str:
        """Enter a job; its id. Who may is asked before.

        Raises:
            AuditArgumentError: there is no such format. StoreError: the database does not answer.
        """
        if file_format not in FORMATS:
            raise AuditArgumentError("`format` is one of " + ", ".join(FORMATS) + ".")
        last = await self._checkpoints.make(force=True)
        if last is None:
            raise StoreError("there is no checkpoint")
        principal, now = reader.principal, self._now_us()
        job_id = job_id or secrets.token_urlsafe(18)
        row = {
            "job_id": job_id,
            "created_us": now,
            "touched_us": now,
            "agency": principal.agency,
            "client": principal.client,
            "officer": principal.officer,
            "on_behalf_of": principal.on_behalf_of or "",
            "role": principal.role,
            "purpose": reader.purpose or "",
            "format": file_format,
            "wanted": orjson.dumps(said(wanted), option=orjson.OPT_SORT_KEYS).decode(),
            "note": bytes(last.note).decode(),
            "state": "WAITING",
            "done": 0,
            "entries": 0,
            "digest": "",
            "size": 0,
            "code": "",
        }
        async with self._store.write() as connection:
            await connection.execute(self._insert(audit_export).values(row).on_conflict_do_nothing())
        return job_id

    async def jobs(self, limit: int = 50) -> list[Job]:
        """The newest jobs."""
        statement = select(audit_export).order_by(audit_export.c.created_us.desc()).limit(limit)
        async with self._store.read() as connection:
            return [_job(row) for row in (await connection.execute(statement)).mappings()]

    async def job(self, job_id: str) -> Job | None:
        async with self._store.read() as connection:
            found = await connection.execute(select(audit_export).where(audit_export.c.job_id == job_id))
            row = found.mappings().one_or_none()
        return _job(row) if row else None

    async def finished(self, job_id: str) -> Job | None:
        """The job, if its file is there."""
        job = await self.job(job_id)
        return job if job is not None and job.state == "DONE" and self.path(job).is_file() else None

    def path(self, job: Job) -> Path:
        return self._directory / f"{job.job_id}.{job.ending}"

    async def run(self) -> None:
        """Run jobs as they come, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                while await self.turn():
                    pass
            except HubError as error:
                _log.error("exports", code=error.code, text=str(error))
                await asyncio.sleep(5)

    async def turn(self) -> bool:
        """Run one job that waits, or whose process died; whether there was one."""
        row = await self._claim()
        if row is None:
            return False
        job = _job(row)
        try:
            made = await self._make(job)
            outcome, change = Outcome.OK, {"state": "DONE", "digest": made[0], "size": made[1], "code": ""}
        except (HubError, OSError, ValueError) as error:
            code = error.code if isinstance(error, HubError) else "EXPORT_FAILED"
            _log.error("export", job=job.job_id, code=code, text=str(error))
            outcome, change = Outcome.FAILED, {"state": "FAILED", "code": code}
        await self._record(row, job, outcome, change)
        await self._change(job.job_id, change)
        return True

    async def _record(self, row: Any, job: Job, outcome: Outcome, change: dict[str, Any]) -> None:
        done = await self.job(job.job_id)
        names = ("agency", "client", "officer", "role", "purpose")
        draft = Draft(
            kind=Kind.EXPORT,
            request_id=job.job_id,
            **{name: row[name] for name in names},
            on_behalf_of=row["on_behalf_of"] or None,
            outcome=outcome,
            code=change.get("code") or None,
            answer_bytes=change.get("size"),
            answer_digest=change.get("digest"),
            note={"entries": done.done if done else 0},
            looked_at={"format": job.format, **said(job.wanted)},
        )
        await self._log.append(draft)

    async def _claim(self) -> Any:
        now = self._now_us()
        table = audit_export.c
        free = (table.state == "WAITING") | ((table.state == "RUNNING") & (table.touched_us < now - DEAD_AFTER_US))
        async with self._store.read() as connection:
            oldest = select(audit_export).where(free).order_by(table.created_us).limit(1)
            row = (await connection.execute(oldest)).mappings().one_or_none()
        if row is None:
            return None
        mine = update(audit_export).where(table.job_id == row["job_id"], free)
        async with self._store.write() as connection:
            taken = await connection.execute(mine.values(state="RUNNING", touched_us=now, done=0))
        return row if taken.rowcount == 1 else None

    async def _make(self, job: Job) -> tuple[str, int]:
        """Write the file; digest and size of it."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        checkpoint = Checkpoint.parse(Note.parse(job.note.encode()).text)
        root = checkpoint.root.hex()
        about = About(wanted=said(job.wanted), origin=checkpoint.origin, size=checkpoint.size, root=root)
        numbers = await self._numbers(job, checkpoint.size)
        path = self.path(job)
        fresh = path.with_name(f".{path.name}.new")
        os.close(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        try:
            if job.format == EVIDENCE:
                await self._make_evidence(fresh, job, numbers, about)
            else:
                await self._make_file(fresh, job, numbers, about)
            digest, size = await asyncio.to_thread(_digest, fresh)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        return digest, size

    async def _numbers(self, job: Job, upto: int) -> list[int]:
        """Numbers of the wanted entries, oldest first."""
        found: list[int] = []
        before: int | None = upto + 1
        while before is not None:
            page = await self._queries.find(job.wanted, first=MAX_FIRST, before=before)
            found += [row.seq for row in page.entries]
            if len(found) > MOST_ENTRIES:
                raise TooManyEntriesError(f"more than {MOST_ENTRIES} entries")
            before = page.end if page.more else None
        await self._change(job.job_id, {"entries": len(found)})
        return found[::-1]

    async def _rows(self, job: Job, numbers: Sequence[int], start: int) -> list[EntryRow]:
        chosen = select(*_ENTRY).where(audit_entry.c.seq.in_(numbers[start : start + PAGE]))
        async with self._store.read() as connection:
            rows = (await connection.execute(chosen.order_by(audit_entry.c.seq))).all()
        await self._change(job.job_id, {"done": min(len(numbers), start + PAGE)})
        return [EntryRow(*row) for row in rows]

    async def _make_file(self, path: Path, job: Job, numbers: Sequence[int], about: About) -> None:
        """The writer runs in a thread and draws pages from here, so that nothing is held whole."""
        loop = asyncio.get_running_loop()

        def entries() -> Iterator[dict[str, Any]]:
            for start in range(0, len(numbers), PAGE):
                rows = asyncio.run_coroutine_threadsafe(self._rows(job, numbers, start), loop).result()
                yield from map(show, rows)

        await asyncio.to_thread(WRITERS[job.format][0], path, entries(), about)

    async def _make_evidence(self, path: Path, job: Job, numbers: Sequence[int], about: About) -> None:
        if len(numbers) > EVIDENCE_ENTRIES:
            raise TooManyEntriesError(f"more than {EVIDENCE_ENTRIES} entries")
        rows: list[EntryRow] = []
        proofs: list[bytes] = []
        for start in range(0, len(numbers), PAGE):
            for row in await self._rows(job, numbers, start):
                rows.append(row)
                proofs.append(proof_line(row, await self._checkpoints.tree.inclusion(row.seq - 1, about.size)))
        digests = {show(row).get("policyDigest", "") for row in rows}
        policies = await self._policies.of(digests)
        key = self._checkpoints.key
        await asyncio.to_thread(
            write_evidence, path, rows, proofs, about=about, note=job.note, key=key, policies=policies
        )

    async def _change(self, job_id: str, values: dict[str, Any]) -> None:
        changed = update(audit_export).where(audit_export.c.job_id == job_id)
        async with self._store.write() as connection:
            await connection.execute(changed.values(**values, touched_us=self._now_us()))

    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)


def said(wanted: EntryFilter) -> dict[str, str]:
    """The filter as texts, without what is not asked."""
    return {name: str(value) for name, value in asdict(wanted).items() if value is not None}


def filter_of(texts: dict[str, str]) -> EntryFilter:
    """The filter of which `said` made `texts`."""
    made: dict[str, Any] = dict(texts)
    made |= {name: int(texts[name]) for name in ("from_us", "to_us") if name in texts}
    made |= {"kind": Kind(texts["kind"])} if "kind" in texts else {}
    return EntryFilter(**made)


def _job(row: Any) -> Job:
    names = [name for name in Job.__dataclass_fields__ if name != "wanted"]
    return Job(**{name: row[name] for name in names}, wanted=filter_of(orjson.loads(row["wanted"])))


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
