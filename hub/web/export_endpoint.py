"""`GET /audit/exports/{job}`: the file of an export, for who may export; looked at like a page of the console."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from hub.audit.entry import Draft, Outcome, asked_by
from hub.audit.kinds import Kind
from hub.audit.log import AuditLog
from hub.auditing.desk import Reader
from hub.auditing.exports import Job
from hub.auditing.office import AuditOffice
from hub.auth.principal import Principal
from hub.errors import AuditUnavailableError, RequestError, UnauthenticatedError
from hub.schema.errors import EVERY_STATUS
from hub.web.graphql_endpoint import Verifier, error_body
from hub.web.headers import RequestHeaders, purpose_of, request_id_of
from hub.web.negotiation import LEGACY

RULE = "auditExports"


class RefusedExportError(RequestError):
    """`entry`: of the refusal."""

    def __init__(self, entry: str) -> None:
        super().__init__(self.public)
        self.entry = entry


class ExportForbiddenError(RefusedExportError):
    code = "FORBIDDEN"
    public = "Files of the log are not for you."


class NoExportError(RefusedExportError):
    code = "NOT_FOUND"
    public = "There is no such file."


class ExportEndpoint:
    def __init__(
        self,
        *,
        verifier: Verifier,
        office: AuditOffice,
        log: AuditLog,
        policy_digest: Callable[[], str],
        challenge: str,
        count_refusal: Callable[[str], None],
    ) -> None:
        self._verifier = verifier
        self._office = office
        self._log = log
        self._policy_digest = policy_digest
        self._challenge = challenge
        self._count_refusal = count_refusal

    async def answer(self, request: Request) -> Response:
        headers = RequestHeaders(request.scope["headers"])
        request_id = request_id_of(headers)
        shown = {"X-Request-Id": request_id, "Cache-Control": "no-store"}
        try:
            principal = self._verifier.verify(headers.single("authorization"))
        except UnauthenticatedError as error:
            self._count_refusal(error.code)
            return Response(error_body(error, request_id), 401, {**shown, "WWW-Authenticate": self._challenge}, LEGACY)
        try:
            job = await self._answer(principal, purpose_of(headers), request.path_params["job"], request_id)
        except RefusedExportError as error:
            return Response(error_body(error, request_id, error.entry), EVERY_STATUS[error.code], shown, LEGACY)
        except AuditUnavailableError as error:
            return Response(error_body(error, request_id), EVERY_STATUS[error.code], shown, LEGACY)
        return FileResponse(self._office.exports.path(job), 200, shown, job.media_type, filename=job.file_name)

    async def _answer(self, principal: Principal, purpose: str | None, job_id: str, request_id: str) -> Job:
        """The job whose file may be given, once its entry is durable.

        Raises:
            RefusedExportError: not for this officer, or there is none; by then it has its entry. AuditUnavailableError.
        """
        policies = self._office.desk.allows(Reader(principal=principal, purpose=purpose), RULE)
        job = await self._office.exports.finished(job_id) if policies else None
        code = None if job is not None else NoExportError.code if policies else ExportForbiddenError.code
        draft = Draft(
            kind=Kind.AUDITOR_READ,
            request_id=request_id,
            **asked_by(principal),
            purpose=purpose,
            operation="auditExport",
            policy_digest=self._policy_digest(),
            policies=policies,
            outcome=Outcome.OK if job is not None else Outcome.DENIED,
            code=code,
            looked_at={"export": job.job_id, "digest": job.digest} if job is not None else {},
        )
        entry = (await self._log.append(draft)).entry_id
        if job is None:
            raise NoExportError(entry) if policies else ExportForbiddenError(entry)
        return job
