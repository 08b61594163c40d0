"""Sessions of the console: the cookie holds a random name, the store its hash and who it is; no token is kept."""

import secrets
from dataclasses import asdict, dataclass
from hashlib import sha256

import orjson
from sqlalchemy import delete, insert, select

from hub.auditing.tables import audit_session
from hub.auth.principal import Principal
from hub.clock import Clock
from hub.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`csrf` stands in every form of this session."""

    principal: Principal
    csrf: str


class Sessions:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def begin(self, principal: Principal) -> str:
        """The name for the cookie. A session ends with the token that it was begun with."""
        name = secrets.token_urlsafe(32)
        said = {**asdict(principal), "purposes": sorted(principal.purposes)}
        said["cases"] = sorted(principal.cases) if principal.cases is not None else None
        row = {
            "session": _hash(name),
            "principal": orjson.dumps(said).decode(),
            "csrf": secrets.token_urlsafe(24),
            "expires_us": principal.expires_at * 1_000_000,
        }
        async with self._store.write() as connection:
            await connection.execute(delete(audit_session).where(audit_session.c.expires_us < self._now_us()))
            await connection.execute(insert(audit_session).values(row))
        return name

    async def find(self, name: str | None) -> Session | None:
        if not name or len(name) > 100:
            return None
        chosen = select(audit_session).where(audit_session.c.session == _hash(name))
        async with self._store.read() as connection:
            row = (await connection.execute(chosen)).one_or_none()
        if row is None or row.expires_us <= self._now_us():
            return None
        said = orjson.loads(row.principal)
        said |= {"regions": tuple(said["regions"]), "purposes": frozenset(said["purposes"])}
        said["cases"] = frozenset(said["cases"]) if said["cases"] is not None else None
        return Session(principal=Principal(**said), csrf=row.csrf)

    async def end(self, name: str) -> None:
        async with self._store.write() as connection:
            await connection.execute(delete(audit_session).where(audit_session.c.session == _hash(name)))

    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)


def _hash(name: str) -> str:
    return sha256(name.encode()).hexdigest()
