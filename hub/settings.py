"""What the operator sets, from `HUB_*` environment variables; unsafe or unknown values refuse to start."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.errors import SettingsError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(BaseSettings):
    """One value of this is all that `bootstrap` needs to build a hub."""

    model_config = SettingsConfigDict(env_prefix="HUB_", extra="forbid", frozen=True)

    data_dir: Path = Path(".demo")
    """The data directory; the hub stores only under `data_dir/hub`."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that serve. Limits that are counted in a process are divided among them."""
    url: str | None = None
    """Public base URL, `http://127.0.0.1:8000` form; default from host and port."""
    issuer: str | None = None
    """Issuer of access tokens; default: the hub's own URL (built-in issuer)."""
    database_url: str | None = None
    """SQLAlchemy URL with an async driver; default: SQLite under the data directory."""
    documents_dir: Path | None = None
    """Folder of `*.graphql` documents that clients are known to send; planned at start, where a bad one is told."""
    plugins_dir: Path | None = None
    """Folder with `catalogue/`, `mappings/` and `policies/` of further agencies."""
    demo: bool = False
    """Demo mode: GraphiQL with a persona picker, tokens from `hub token`."""
    policy_trusted_dir: Path | None = None
    """Folder of `*.pem`, the public keys whose policy bundles are believed; default `policy/trusted` in `hub_dir`."""
    policy_signed_only: bool = False
    """Whether to refuse to start by the rules of the program's tree."""
    request_deadline_s: float = Field(default=5.0, gt=0, le=60)
    agency_deadline_s: float = Field(default=1.5, gt=0, le=30)
    agency_concurrency: int = Field(default=8, ge=1, le=256)
    replica_batch: int = Field(default=200, ge=1, le=500)
    """Records that are copied at a time; with all their lists they must fit in an agency's answer."""
    store_readers: int = Field(default=8, ge=1, le=64)
    """Connections that the read path keeps to the hub's own database."""
    webhook_hosts: tuple[str, ...] = ()
    """Hosts that webhooks may go to; empty: none."""
    nats_url: str | None = None
    """NATS server with JetStream, `tls://host:4222`, over which workers tell gateways of events; default: none."""
    nats_token_file: Path | None = None
    persons_per_hour: int = Field(default=500, ge=1)
    crypto_suite: Literal["aes", "aes-siv", "sm"] = "aes"
    """What new values are sealed with: AES-256-GCM, AES-256-GCM-SIV, or SM4-GCM with SM3."""
    expected_persons: int = Field(default=172_000, ge=1)
    """Persons that the index is meant for; sets the length of blind indexes when their keys are made."""
    key_provider: Literal["file", "pkcs11", "vault"] = "file"
    """Where the key-encryption key is."""
    key_passphrase: SecretStr | None = None
    key_file: Path | None = None
    """A passphrase, or the file that holds it: the key-encryption key is then `kek.json`, sealed under it."""
    pkcs11_module: Path | None = None
    pkcs11_label: str = "hub"
    """Label of the token."""
    pkcs11_key: str = "hub-kek"
    pkcs11_pin_file: Path | None = None
    vault_url: str | None = None
    vault_key: str = "hub-kek"
    vault_mount: str = "transit"
    vault_token_file: Path | None = None
    cors_origins: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    """Witnesses that cosign the audit log's checkpoints, each `VKEY URL`."""
    audit_origin: str | None = Field(default=None, pattern=r"^[^\s+]{1,200}$")
    """Name of the audit log in its checkpoints; default: made from its key. Never change it."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("url", "issuer")
    @classmethod
    def _base_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("must be an absolute http(s) URL without query")
        return value.rstrip("/")

    @field_validator("issuer")
    @classmethod
    def _issuer_sealed(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value is not None and parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError("must be an https URL: its keys decide who is who")
        return value

    @field_validator("nats_url")
    @classmethod
    def _nats_sealed(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        local = parts.scheme == "nats" and parts.hostname in LOOPBACK
        if value is not None and not (parts.hostname and (local or parts.scheme == "tls")):
            raise ValueError("must be tls://host:port, or nats:// on this machine")
        return value

    @field_validator("demo")
    @classmethod
    def _demo_on_loopback(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("host") not in LOOPBACK:
            raise ValueError("demo mode hands out tokens to whoever asks; it runs on 127.0.0.1 only")
        return value

    @property
    def keys_dir(self) -> Path:
        return self.hub_dir / "keys"

    @property
    def hub_dir(self) -> Path:
        return self.data_dir / "hub"

    @property
    def disabled_clients_file(self) -> Path:
        return self.hub_dir / "clients-disabled"

    @property
    def policy_dir(self) -> Path:
        return self.hub_dir / "policy"

    @property
    def trusted_dir(self) -> Path:
        return self.policy_trusted_dir or self.policy_dir / "trusted"

    @property
    def base_url(self) -> str:
        return self.url or f"http://{self.host}:{self.port}"

    @property
    def issuer_url(self) -> str:
        return self.issuer or self.base_url

    @property
    def issuer_is_remote(self) -> bool:
        """Whether tokens are another's, and not the built-in issuer's."""
        return self.issuer_url != self.base_url

    @property
    def audience(self) -> str:
        return f"{self.base_url}/graphql"

    @property
    def store_url(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.hub_dir / 'hub.db'}"


def load_settings(**overrides: object) -> Settings:
    """Read the environment; `overrides` (command-line options) win.

    Raises:
        SettingsError: a value is missing, unknown or unsafe; names the variable.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic validates
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        name = "HUB_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(first["msg"], name=name) from exc
