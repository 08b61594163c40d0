"""The demo from nothing: agencies, index, hub, tokens; ends everything it started."""

import asyncio
import fcntl
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.clock import today
from hub.demo.agencies.process import MARKER, die_with_parent, made_on
from hub.demo.cases import open_cases
from hub.demo.launch import AgencyFleet, NotReadyError
from hub.demo.population import World, someone
from hub.demo.progress import Display
from hub.domain.agencies import JUSTICE, POLICE
from hub.domain.identity_number import IdentityNumber
from hub.errors import SettingsError
from hub.identity.index import Inquiry
from hub.identity.leaving import retire
from hub.identity.references import CaseReference
from hub.settings import Settings, load_settings
from hub.store.migration import migrate

READY_WITHIN_S = 60.0
RENEW_EVERY_S = 25 * 60.0
PEOPLE_SHOWN = 80
QUERY_FILES = {
    "judicial-office": Path(__file__).with_name("first_query.graphql"),
    "tax": Path(__file__).with_name("first_query_tax.graphql"),
}
"""A first query by persona: each asks for what its view holds."""
STORIES_FROM = 60  # among the shown persons: those who have a case in some state already

words = Console(stderr=True, highlight=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a demo needs to know of its people."""

    inside: tuple[str, ...]
    outside: tuple[str, ...]
    cases: dict[str, str]


def run_demo(
    *, data: Path, port: int, people: int, seed: int, worker: bool = True, modes: Mapping[str, str] | None = None
) -> int:
    """Run until SIGINT or SIGTERM. Returns the exit code. `worker`: whether a worker runs beside the server.

    `modes`: agencies that are not asked live, with how they are asked.

    Raises:
        StartupError: the port or the data directory is taken, or a process of the demo ended by itself.
    """
    settings = load_settings(data_dir=data, port=port, demo=True, persons_per_hour=100_000)
    _check_port(settings)
    with _alone(data):
        (data / "demo.json").unlink(missing_ok=True)  # of an earlier run; whoever waits for it waits for this one
        return _run(settings, people, seed, worker=worker, modes=modes or {})


def _run(settings: Settings, people: int, seed: int, *, worker: bool, modes: Mapping[str, str]) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    fleet = AgencyFleet(directory=settings.data_dir / "agencies", people=people, seed=seed)
    children: list[subprocess.Popen[bytes]] = []
    try:
        _say(f"starting five simulated agencies ({people} persons released from prison, {2 * people} others) …")
        with Display(words) as display:
            fleet.progress = display.report
            fleet.start()
        _write_endpoints(settings, fleet, modes)
        prepared = asyncio.run(_prepare(settings, people, seed))
        children.append(_child(settings, "serve", "--port", str(settings.port)))
        _await_ready(settings, children[0])
        if worker:
            children.append(_child(settings, "worker"))
        _write_demo_file(settings, prepared)
        _show(settings, prepared, time.monotonic() - started)
        _stay(settings, prepared, fleet, children)
    except KeyboardInterrupt:
        return 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must leave no child behind
        for child in reversed(children):
            _end(child)
        fleet.stop()


async def _prepare(settings: Settings, people: int, seed: int) -> Prepared:
    """Migrate, build the index from justice, open the demo's cases."""
    hub = build_hub(settings)
    try:
        await migrate(hub.store)
        _say("building the person index …")
        begun = hub.clock.now()
        with Display(words) as display:
            report = await hub.importer.run(
                hub.sources["justice"].connector, lambda done: display.report("person index", done, people)
            )
        await retire(hub.store, begun)  # members of another --people or --seed made before in this directory
        _say(
            f"  {report.members} members, {report.without_number} without a valid number, {report.ambiguous} ambiguous"
        )
        kept = await hub.importer.keep_vaulted(POLICE, hub.sources[POLICE].connector)
        _say(f"  {kept} punishments sealed by law are in the vault")
        await _link(hub, people)
        await _copy(hub, people)
        world = World(seed=seed, members=people, today=_made_on(settings) or today(hub.clock))
        inside, outside = await _choose(hub, world)
        return Prepared(inside=inside, outside=outside, cases=await _open_cases(hub, inside))
    finally:
        await hub.close()


async def _link(hub: Hub, people: int) -> None:
    """Link what the other agencies have to the members."""
    linked = asked = 0
    with Display(words) as display:
        for agency, mapping in hub.rules.mappings.items():
            if agency == JUSTICE or not mapping.index or agency not in hub.sources:
                continue
            report = await hub.linking.linker.run(
                agency, hub.sources[agency].connector, _told(display, f"links of {agency}", 3 * people)
            )
            linked, asked = linked + report.linked + report.kept, asked + report.asked
    _say(f"  {linked} records of other agencies linked to members, {asked} wait for a decision")


async def _copy(hub: Hub, people: int) -> None:
    """First copies of the agencies that are answered for by one."""
    with Display(words) as display:
        for agency in hub.copier.agencies:
            copy = await hub.copier.copy(agency, anyway=True, told=_told(display, f"copy of {agency}", 3 * people))
            _say(f"  {copy.added} records of {agency} copied {copy.trouble}".rstrip())


def _told(display: Display, what: str, total: int) -> Callable[[int], None]:
    return lambda done: display.report(what, min(done, total), total)


async def _choose(hub: Hub, world: World) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Numbers of members in term in the demo county, and of members elsewhere, as the index itself sees them."""
    numbers = [someone(world, index).number for index in range(min(300, world.members)) if index % 3 != 2]
    office = Inquiry(principal=hub.issuer.principal_of(hub.rules.personas["judicial-office"]), purpose="HANDOVER")
    found = await hub.index.find(office, [IdentityNumber.parse(number) for number in numbers])
    facts = {number: known.facts for number, known in found.items()}
    inside = [number for number in numbers if number in found and facts[number].jurisdiction and facts[number].term]
    outside = [number for number in numbers if number in found and not facts[number].jurisdiction]
    return tuple(inside[:PEOPLE_SHOWN]), tuple(outside[:PEOPLE_SHOWN])


async def _open_cases(hub: Hub, inside: Sequence[str]) -> dict[str, str]:
    """An open case at every agency for each shown person; returns the case of the first person by agency."""
    office = hub.issuer.principal_of(hub.rules.personas["judicial-office"])
    inquiry = Inquiry(principal=office, purpose="HANDOVER", region=True)
    found = await hub.index.find(inquiry, [IdentityNumber.parse(number) for number in inside])
    agencies = tuple(dict.fromkeys(persona.agency for persona in hub.rules.personas.values() if persona.purpose))
    cases = [
        CaseReference(
            case_id=f"CASE-{order:04d}-{agency}",
            person_id=found[number].member.member_id,
            agency=agency,
            region=found[number].member.responsible_region,
        )
        for order, number in enumerate(inside, 1)
        for agency in agencies
    ]
    await hub.references.put_cases(cases)
    await open_cases(hub, [found[number].member.member_id for number in inside[STORIES_FROM:] if number in found])
    return {agency: f"CASE-0001-{agency}" for agency in agencies}


def _made_on(settings: Settings) -> date | None:
    """The day for which the simulated data were made."""
    directory = settings.data_dir / "agencies" / "justice"
    return made_on(directory) if (directory / MARKER).exists() else None


def _write_endpoints(settings: Settings, fleet: AgencyFleet, modes: Mapping[str, str]) -> None:
    secrets = settings.hub_dir / "secrets"
    secrets.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = ["# Written by `hub demo`: where the simulated agencies are."]
    for agency, endpoint in sorted(fleet.endpoints.items()):
        lines += ["", f'[agencies."{agency}"]']
        lines += [f"{name} = {json.dumps(endpoint[name])}" for name in ("url", "path") if name in endpoint]
        if agency in modes:
            lines.append(f"mode = {json.dumps(modes[agency])}")
        if "api_key" in endpoint:
            path = secrets / f"{agency}.key"
            _write_private(path, endpoint["api_key"])
            lines.append(f"api_key_file = {json.dumps(str(path.resolve()))}")
    _write_private(settings.hub_dir / "agencies.toml", "\n".join([*lines, ""]))


def _child(settings: Settings, *arguments: str) -> subprocess.Popen[bytes]:
    """A process of the installed command on this data; it ends with the demo."""
    environment = {**os.environ, "HUB_DEMO": "true", "HUB_PERSONS_PER_HOUR": str(settings.persons_per_hour)}
    environment["HUB_URL"] = settings.base_url
    command = [sys.executable, "-m", "hub.cli.main", *arguments, "--data", str(settings.data_dir)]
    end = die_with_parent  # before exec: no other thread runs here, and no child may outlive its demo
    return subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=end)  # noqa: PLW1509


def _await_ready(settings: Settings, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end:
        if server.poll() is not None:
            raise NotReadyError("ended before it was ready", name="hub")
        try:
            with urllib.request.urlopen(f"{settings.base_url}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise NotReadyError(f"not ready within {READY_WITHIN_S:.0f} s", name="hub")


def _write_demo_file(settings: Settings, prepared: Prepared) -> dict[str, Any]:
    hub = build_hub(settings)
    personas = {
        name: {
            "token": hub.issuer.mint_for(persona),
            "purpose": persona.purpose,
            "case": prepared.cases.get(persona.agency),
            "role": name,
            "agency": persona.agency,
            "regions": list(persona.regions),
        }
        for name, persona in hub.rules.personas.items()
    }
    asyncio.run(hub.store.close())
    held = {
        "version": 1,
        "url": settings.base_url,
        "issuer": settings.issuer_url,
        "audience": settings.audience,
        "personas": personas,
        "people": {"in": list(prepared.inside), "out": list(prepared.outside)},
        "signingKey": str((settings.hub_dir / "keys" / "issuer.pem").resolve()),
        "kid": hub.issuer_key.kid,
    }
    _write_private(settings.data_dir / "demo.json", json.dumps(held, ensure_ascii=False, indent=1))
    return held


def _show(settings: Settings, prepared: Prepared, took_s: float) -> None:
    held = json.loads((settings.data_dir / "demo.json").read_text("utf-8"))
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"\nready after {took_s:.0f} s")
    for name, path in (
        ("GraphQL", "/graphql"),
        ("GraphiQL", "/graphiql"),
        ("schema", "/schema.graphql"),
        ("health", "/readyz"),
    ):
        out.print(f"  {name:9} {settings.base_url}{path}")
    out.print("\none token per persona (also in demo.json; renewed before they expire):")
    for name, persona in held["personas"].items():
        out.print(f"  {name:16} {persona['token']}")
    number = prepared.inside[0]
    for persona, file in QUERY_FILES.items():
        known = held["personas"][persona]
        out.print(f"\na first query, ready to paste, as {persona}:\n")
        query = " ".join(file.read_text("utf-8").split())
        print(first_query(settings, query, number, persona, known["purpose"], known["case"]))
    out.print("\nCtrl-C ends everything.")


def first_query(settings: Settings, query: str, number: str, persona: str, purpose: str, case: str | None) -> str:
    """A curl command that works as it stands."""
    body = json.dumps({"query": query, "variables": {"number": number}}, ensure_ascii=False)
    lines = [
        f"curl -s {settings.base_url}/graphql",
        f'-H "Authorization: Bearer $(.venv/bin/hub token {persona} --data {shlex.quote(str(settings.data_dir))})"',
        f"-H 'Hub-Purpose: {purpose}'",
        *([f"-H 'Hub-Case: {case}'"] if case else []),
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(body)}",
    ]
    return " \\\n  ".join(lines)


def _stay(
    settings: Settings, prepared: Prepared, fleet: AgencyFleet, children: Sequence[subprocess.Popen[bytes]]
) -> NoReturn:
    """Until a signal; renews the tokens in time.

    Raises:
        NotReadyError: a child ended by itself.
    """
    renewed = time.monotonic()
    while True:
        time.sleep(0.5)
        if fleet.ended() or any(child.poll() is not None for child in children):
            raise NotReadyError("ended by itself", name=", ".join(fleet.ended()) or "hub")
        if time.monotonic() - renewed > RENEW_EVERY_S:
            _write_demo_file(settings, prepared)
            renewed = time.monotonic()


def _check_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as exc:
            raise SettingsError(f"port {settings.port} is taken", name="--port") from exc


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Hold the data directory; a second demo in it would end the first one's promises.

    Raises:
        SettingsError: another demo holds it.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise SettingsError("another demo runs there", name="--data") from exc
        yield


def _say(text: str) -> None:
    words.print(text, soft_wrap=True)


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
