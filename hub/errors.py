"""Every error the hub raises on purpose; `public` is the only text that leaves the hub.

A code is stable: clients, operators and tests rely on it. `docs/errors.md` lists all with their HTTP status.
"""

from typing import ClassVar


class HubError(Exception):
    """Root of the tree. `str(error)` is for the hub's own log and never holds a personal value."""

    code: ClassVar[str] = "INTERNAL"
    public: ClassVar[str] = "The hub could not answer."


class StartupError(HubError):
    """Something the hub was given to start from is wrong; nothing is started.

    Its text names file, line and name, because the reader is the operator, not a client.
    """

    code = "STARTUP_INVALID"
    public = "The hub is not configured correctly."

    def __init__(self, text: str, *, file: str | None = None, line: int | None = None, name: str | None = None) -> None:
        place = ":".join(str(part) for part in (file, line) if part is not None)
        super().__init__(": ".join(part for part in (place, name, text) if part))
        self.file = file
        self.line = line
        self.name = name


class SettingsError(StartupError):
    code = "SETTINGS_INVALID"


class CatalogueError(StartupError):
    code = "CATALOGUE_INVALID"


class CodeListError(StartupError):
    code = "CODE_LIST_INVALID"


class MappingError(StartupError):
    code = "MAPPING_INVALID"


class PolicyError(StartupError):
    code = "POLICY_INVALID"


class CaseworkRulesError(StartupError):
    code = "CASEWORK_RULES_INVALID"


class KeyMaterialError(StartupError):
    code = "KEYS_INVALID"


class StoreError(HubError):
    """The hub's own database does not answer or is not at the schema version this program needs."""

    code = "STORE_UNAVAILABLE"


class RequestError(HubError):
    """A request that is refused as a whole. `code` is an error code of the API, `public` its fixed text."""

    code = "BAD_REQUEST"
    public = "The request is not well formed."


class UnauthenticatedError(RequestError):
    code = "UNAUTHENTICATED"
    public = "A valid access token is required."


class ActorInvalidError(UnauthenticatedError):
    """The token is signed, but does not say in a form that the hub takes who acts for whom."""

    code = "ACTOR_INVALID"
    public = "The `act` claim of the access token does not name who acts in a form that is taken here."


class ForbiddenError(RequestError):
    code = "FORBIDDEN"
    public = "This is not allowed."


class PurposeRequiredError(RequestError):
    code = "PURPOSE_REQUIRED"
    public = "State a purpose in the Hub-Purpose header."


class PurposeNotAllowedError(RequestError):
    code = "PURPOSE_NOT_ALLOWED"
    public = "This purpose is unknown or not in the token."


class RateLimitedError(RequestError):
    code = "RATE_LIMITED"
    public = "Too many requests or persons in this period."

    def __init__(self, text: str, *, retry_after_s: int) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class DeadlineExceededError(RequestError):
    code = "DEADLINE_EXCEEDED"
    public = "The request took too long."


class CostLimitError(RequestError):
    code = "COST_LIMIT"
    public = "The request is too large."


class AuditUnavailableError(RequestError):
    code = "AUDIT_UNAVAILABLE"
    public = "The audit log cannot be written; no answer is given."


class WebhookError(HubError):
    """An endpoint that may not be told anything; its text says why."""

    code = "WEBHOOK_REFUSED"


class SealedValueError(HubError):
    """A sealed value does not open: wrong key, wrong place, or altered."""

    code = "SEALED_VALUE_INVALID"


class KeyExhaustedError(HubError):
    """A data key has sealed as many values as it may; nothing is sealed until keys are rotated."""

    code = "KEYS_EXHAUSTED"


class KeysInUseError(HubError):
    """Keys cannot be changed so now: values stand under them, or another process changes them."""

    code = "KEYS_IN_USE"


class ErasureError(HubError):
    """An erasure is refused: the person is unknown, or the second approval is not another officer's."""

    code = "ERASURE_REFUSED"


class ReplicaError(HubError):
    """A copy of an agency's records did not end well; the text names the agency and the trouble."""

    code = "REPLICA_TROUBLE"
