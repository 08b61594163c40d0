"""Brings a newly published policy bundle into force while the server runs, or refuses it and says so.

The published file is looked at every `LOOK_EVERY_S`. What is refused never replaces what is in force: a wrong
signature, rules that are not valid, cases that do not hold, a version that is not above the one in force (roll-back).
The last bundle that came into force is kept beside it, so that a restart neither falls back nor forgets the number.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from joserfc.jwk import OKPKey

from hub.auth.policy_bundle import MAX_BYTES, SignedBundle, open_signed
from hub.auth.policy_holder import Policy, PolicyHolder
from hub.auth.policy_loader import PolicyLoader
from hub.clock import Clock
from hub.errors import HubError, PolicyError, RequestError

LOOK_EVERY_S = 2.0
STALE_AFTER_S = 60.0
"""A watcher that has not looked for so long is not watching: readiness says so."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of a published bundle. `refused` is None for one that comes into force, else why it does not.

    `files`: name → text of the policy of `digest`.
    """

    digest: str
    version: int
    previous: int
    refused: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)


Announce = Callable[[Change], Awaitable[None]]


class RollBackError(PolicyError):
    """A bundle that is not newer than the one in force."""

    code = "POLICY_ROLL_BACK"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStore:
    """Where bundles are: `published` is what officers put there, `accepted` what came into force last."""

    published: Path
    accepted: Path
    trusted: Mapping[str, OKPKey]

    def read(self, path: Path) -> tuple[SignedBundle, bytes] | None:
        """The signed bundle of a file with the file's bytes, None if there is no file.

        Raises:
            PolicyError: it is not signed by a trusted key.
        """
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise PolicyError("cannot be read", file=path.name) from exc
        return open_signed(data, self.trusted), data

    def keep(self, bundle: SignedBundle, data: bytes) -> None:
        """Make `bundle` the accepted one, unless another process has gone further already."""
        held = self.read(self.accepted)
        if held is None or held[0].version < bundle.version:
            replace_file(self.accepted, data)


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` so that a reader sees the old file or the new one, and a crash leaves one of them."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def first_policy(store: PolicyStore, loader: PolicyLoader, embedded: Policy, *, signed_only: bool) -> Policy:
    """What a server starts with: the newest bundle that is valid, or the rules of the tree where none was published.

    Raises:
        PolicyError: a bundle was accepted or published and is not valid now; the rules of the tree do not stand in.
    """
    accepted = store.read(store.accepted)
    if accepted is not None:
        return loader.policy(accepted[0])  # one published since is taken, or refused, by the first look
    published = store.read(store.published)
    if published is not None:
        policy = loader.policy(published[0])
        store.keep(*published)
        return policy
    if signed_only:
        raise PolicyError("no signed bundle is published and HUB_POLICY_SIGNED_ONLY is set")
    return embedded


class PolicyWatcher:
    """`announce` makes a change known before it takes effect; if it cannot, the change waits for the next look."""

    def __init__(
        self, *, store: PolicyStore, loader: PolicyLoader, holder: PolicyHolder, announce: Announce, clock: Clock
    ) -> None:
        self._store = store
        self._loader = loader
        self._holder = holder
        self._announce = announce
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._looked = clock.monotonic()
        self._one_at_a_time = asyncio.Lock()

    @property
    def watching(self) -> bool:
        return self._clock.monotonic() - self._looked < STALE_AFTER_S

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:
                logger.error("policy.look-failed", kind=type(error).__name__, exc_info=True)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Take what was published since the last look into force, or refuse it. Each file is judged once."""
        async with self._one_at_a_time:
            await self._look()

    async def _look(self) -> None:
        mark = self._mark()
        self._looked = self._clock.monotonic()
        if mark is None or mark == self._seen:
            return
        before = self._holder.policy
        policy, refused = await self._judged(before)
        if policy is not None or refused is not None:
            now = policy or before
            change = Change(
                digest=now.judge.policy_digest,
                version=now.version,
                previous=before.version,
                refused=refused,
                files=now.files,
            )
            try:
                await self._announce(change)
            except RequestError as error:
                logger.error("policy.unannounced", code=error.code, version=change.version)
                return
        self._seen = mark
        if refused is not None:
            logger.error("policy.refused", reason=refused, in_force=before.version)
        elif policy is not None:
            self._holder.swap(policy)
            logger.info("policy.in-force", version=policy.version, digest=policy.judge.policy_digest)

    async def _judged(self, before: Policy) -> tuple[Policy | None, str | None]:
        """The published policy, or why it is refused; neither if it is the one in force."""
        try:
            return await asyncio.to_thread(self._load, before), None
        except HubError as error:
            return None, f"{error.code}: {error}"
        except Exception as error:
            logger.error("policy.crashed", kind=type(error).__name__, exc_info=True)
            return None, f"{PolicyError.code}: {type(error).__name__}"

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            found = self._store.published.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _load(self, before: Policy) -> Policy | None:
        """The policy of the published file; None if it is the one in force. Keeps what it accepts."""
        found = self._store.read(self._store.published)
        if found is None:
            return None
        bundle, data = found
        if bundle.version < before.version:
            raise RollBackError(f"version {bundle.version} is older than {before.version}")
        policy = self._loader.policy(bundle)
        if bundle.version == before.version:
            if policy.judge.policy_digest == before.judge.policy_digest:
                return None
            raise RollBackError(f"version {bundle.version} is in force with other rules")
        self._store.keep(bundle, data)
        return policy
