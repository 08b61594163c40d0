"""Export jobs for the engine: asked for by a command, listed, and named where their file is."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub.audit.entry import Draft, Outcome, asked_by
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.auditing.desk import AuditArgumentError, AuditDesk, Reader
from hub.auditing.exports import Exports, Job, said
from hub.auth.decision import DenialCode
from hub.casework.commands import ProblemCode
from hub.clock import moment_of
from hub.crypto.pairwise import Pseudonyms
from hub.engine.execute import FieldCall
from hub.gateway.reading import Denied
from hub.schema.audit_export_types import AuditExportFormat, AuditExportState
from hub.schema.audit_roots import filter_of
from hub.schema.context import OperationContext
from hub.schema.problem import Problematic, check_mutation_id

LIST = "auditExports"
COMMAND = "requestAuditExport"
MAX_FIRST = 100


class ExportFetcher:
    FIELDS = (LIST,)

    def __init__(self, desk: AuditDesk, exports: Exports, log: AuditLog, names: Pseudonyms, *, base_url: str) -> None:
        self._desk = desk
        self._exports = exports
        self._log = log
        self._names = names
        self._base_url = base_url

    async def fetch(self, context: OperationContext, calls: Sequence[FieldCall]) -> Sequence[Sequence[Any]]:
        return [[await self._list(context, call.arguments)] * len(call.parents) for call in calls]

    async def command(self, context: OperationContext, given: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a file; the job, and beside it the audit entry as `entry`. The same id is the same job.

        Raises:
            Problematic: it came to nothing.
        """
        mutation_id = check_mutation_id(given)
        reader = Reader(principal=context.principal, purpose=context.purpose)
        if not self._permitted(context, reader, COMMAND, f"Mutation.{COMMAND}"):
            raise Problematic(ProblemCode.FORBIDDEN, "You may not do this.")
        try:
            wanted = filter_of(self._desk, given.get("filter") or {})
        except AuditArgumentError as error:
            raise Problematic(ProblemCode.INVALID_INPUT, error.public, "filter") from error
        asked = given["format"]
        file_format = str(asked.value if isinstance(asked, AuditExportFormat) else asked)
        principal = reader.principal
        whose = (principal.agency, principal.client, principal.officer, mutation_id)
        job_id = self._names.of("export", "\0".join(whose))
        receipt = await self._log.append(
            Draft(
                kind=Kind.COMMAND,
                request_id=context.request_id,
                **asked_by(principal),
                purpose=context.purpose,
                document=context.document,
                operation=COMMAND,
                policy_digest=context.asker.judge.policy_digest,
                policies=self._desk.allows(reader, COMMAND),
                outcome=Outcome.OK,
                looked_at={"export": job_id, "format": file_format, **said(wanted)},
            )
        )
        job = await self._exports.ask_once(reader, wanted, file_format, job_id)
        if (job.format, job.wanted) != (file_format, wanted):
            text = "This clientMutationId was used before, with other input."
            raise Problematic(ProblemCode.IDEMPOTENCY_CONFLICT, text, "clientMutationId")
        return {**self._shown(job), "entry": receipt.entry_id}

    async def _list(self, context: OperationContext, arguments: Mapping[str, Any]) -> Any:
        reader = Reader(principal=context.principal, purpose=context.purpose)
        if not self._permitted(context, reader, LIST, f"Query.{LIST}"):
            return None
        first = arguments.get("first")
        first = 20 if first is None else first
        if not 1 <= first <= MAX_FIRST:
            return AuditArgumentError(f"`first` is from 1 to {MAX_FIRST}.")
        context.reading.kind = Kind.AUDITOR_READ
        context.reading.looked_at |= {LIST: str(first)}
        return [self._shown(job) for job in await self._exports.jobs(first)]

    def _permitted(self, context: OperationContext, reader: Reader, name: str, coordinate: str) -> bool:
        policies = self._desk.allows(reader, name)
        context.reading.policies.update(policies)
        if not policies:
            context.reading.denied.add(Denied(coordinate=coordinate, code=DenialCode.FIELD_DENIED))
        return bool(policies)

    def _shown(self, job: Job) -> dict[str, Any]:
        done = job.state == AuditExportState.DONE.value
        return {
            "id": job.job_id,
            "format": AuditExportFormat(job.format),
            "state": AuditExportState(job.state),
            "officer": job.officer,
            "created_at": moment_of(job.created_us),
            "done": job.done,
            "entries": job.entries,
            "size": job.size,
            "digest": job.digest or None,
            "code": job.code or None,
            "url": f"{self._base_url}/audit/exports/{job.job_id}" if done else None,
        }
