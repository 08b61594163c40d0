"""Signed bundles of small policy directories, for tests of what brings them into force."""

from pathlib import Path

from joserfc.jwk import OKPKey

from hub.auth.policy_bundle import sign
from hub.auth.policy_holder import Policy, PolicyHolder
from hub.auth.policy_loader import PolicyLoader
from hub.auth.policy_watch import Change, PolicyStore, PolicyWatcher
from tests.auth.parts import bundle, catalogue, judge, purposes

KEY = OKPKey.generate_key("Ed25519")
STRANGER = OKPKey.generate_key("Ed25519")
LOADER = PolicyLoader(catalogue=catalogue(), purposes=purposes())
RULE = """
@id("hub.FG1.tax")
@basis("Notice [R]")
@explain("Tax officers see identity. / 税务可见身份信息。")
permit (principal == Hub::Role::"tax", action == Hub::Action::"{action}", resource in Hub::Group::"FG1");
"""
CASE = """
[[case]]
name = "tax officers and identity"
role = "tax"
purpose = "TAX_RELIEF"
facts = []
expect = {{ "Person.name" = "{effect}" }}
"""


def files(action: str = "readMasked", effect: str = "masked") -> dict[str, str]:
    return {"hub.cedar": RULE.format(action=action), "cases/tax.toml": CASE.format(effect=effect)}


def signed(version: int, given: dict[str, str] | None = None, key: OKPKey = KEY) -> bytes:
    return sign(files() if given is None else given, version=version, key=key)


def store(folder: Path, *keys: OKPKey) -> PolicyStore:
    folder.mkdir(exist_ok=True)
    return PolicyStore(
        published=folder / "bundle.json",
        accepted=folder / "accepted.json",
        trusted={key.thumbprint(): OKPKey.import_key(key.as_pem(private=False)) for key in keys or (KEY,)},
    )


class Watched:
    """A watcher with what it announced."""

    def __init__(self, folder: Path, clock, policy: Policy | None = None) -> None:
        self.store = store(folder)
        self.holder = PolicyHolder(policy or Policy(judge=judge()))
        self.changes: list[Change] = []
        self.fails: Exception | None = None
        self.watcher = PolicyWatcher(
            store=self.store, loader=LOADER, holder=self.holder, announce=self._announce, clock=clock
        )

    async def _announce(self, change: Change) -> None:
        if self.fails is not None:
            raise self.fails
        self.changes.append(change)

    async def publish(self, data: bytes) -> None:
        self.store.published.write_bytes(data)
        await self.watcher.look()


__all__ = ["CASE", "KEY", "LOADER", "RULE", "STRANGER", "Watched", "bundle", "files", "signed", "store"]
