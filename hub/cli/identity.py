"""`hub identity`: linking agencies' records, trying other match weights, changes of links that are the operator's."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from hub.audit.entry import Draft, Outcome, Pattern
from hub.audit.kinds import Kind
from hub.bootstrap.build import build_hub
from hub.bootstrap.parts import Hub
from hub.cli.options import DEFAULT_DATA, DataOption, JsonOption
from hub.cli.progress import progress
from hub.domain.agencies import JUSTICE
from hub.errors import SettingsError
from hub.identity.leaving import retire
from hub.identity.linker import Shadow
from hub.identity.links import LinkError
from hub.identity.matching.weights import read_model
from hub.settings import load_settings

app = typer.Typer(help="Which records are one person.", no_args_is_help=True)
AgencyOption = Annotated[list[str] | None, typer.Option("--agency", help="Only this agency; may be repeated.")]
ByOption = Annotated[str, typer.Option(help="The officer who orders it.")]
ReasonOption = Annotated[str, typer.Option(help="Why; kept sealed.")]
SHOWN = 20
MOST_GONE = 0.1
"""A register that lost more than this part of its members is not believed to be complete."""


@app.callback()
def _group() -> None:
    """Which records are one person."""


@app.command("status")
def status(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """How many records are linked, by agency and method, and how many questions wait."""

    async def run(hub: Hub) -> None:
        figures = await hub.linking.accounts.figures()
        if as_json:
            print(json.dumps({"model": hub.linking.placing.model.version, **figures}, sort_keys=True))
            return
        for agency, methods in figures["links"].items():
            print(f"{agency:20} " + ", ".join(f"{method} {count}" for method, count in methods.items()))
        print(f"questions: {figures['open']} open, {figures['overdue']} of them overdue; orders: {figures['orders']}")

    _with_hub(data, run)


@app.command("import")
def import_members(
    data: DataOption = DEFAULT_DATA,
    complete: Annotated[
        bool, typer.Option("--complete", help="The register is complete: take out members whom it no longer has.")
    ] = False,
    accept: Annotated[bool, typer.Option("--accept", help="However many that are.")] = False,
) -> None:
    """Read the register of members, and of every agency the records sealed by law; again changes nothing."""

    async def run(hub: Hub) -> None:
        if JUSTICE not in hub.sources:
            raise SettingsError("the register of members has no endpoint", name=JUSTICE)
        await _log(hub, "import")
        begun = hub.clock.now()
        with progress("members", await hub.linking.accounts.members() or None) as report:
            done = await hub.importer.run(hub.sources[JUSTICE].connector, report)
        print(
            f"{done.members} members, {done.without_number} without a valid number, {done.ambiguous} ambiguous, "
            f"{done.erased} erased and passed over"
        )
        for agency, mapping in hub.rules.mappings.items():
            if mapping.vaulted and agency in hub.sources:
                kept = await hub.importer.keep_vaulted(agency, hub.sources[agency].connector)
                print(f"{kept} records of {agency} that are sealed by law are in the vault")
        if complete or accept:
            gone = await retire(hub.store, begun, at_most=1.0 if accept else MOST_GONE)
            print(f"{gone} members taken out whom the register no longer has")

    _with_hub(data, run)


@app.command("link")
def link(data: DataOption = DEFAULT_DATA, agency: AgencyOption = None) -> None:
    """Link all records of agencies to members; again changes nothing."""

    async def run(hub: Hub) -> None:
        for name in _agencies(hub, agency):
            await _log(hub, f"link/{name}")
            with progress(name, None) as report:
                done = await hub.linking.linker.run(name, hub.sources[name].connector, report)
            print(
                f"{name}: {done.seen} seen, {done.linked} linked, {done.kept} as they were, {done.asked} asked about, "
                f"{done.nobody} of nobody here"
            )

    _with_hub(data, run)


@app.command("shadow")
def shadow(
    weights: Annotated[Path, typer.Argument(help="A file of match weights.", metavar="FILE")],
    data: DataOption = DEFAULT_DATA,
    agency: AgencyOption = None,
    as_json: JsonOption = False,
) -> None:
    """What other match weights would link otherwise. Writes nothing; exit 1 if anything differs."""
    model = read_model(weights)
    found: dict[str, Shadow] = {}

    async def run(hub: Hub) -> None:
        for name in _agencies(hub, agency):
            found[name] = await hub.linking.linker.shadow(name, hub.sources[name].connector, model)

    _with_hub(data, run)
    if as_json:
        print(json.dumps({"model": model.version, "agencies": {name: _diff(one) for name, one in found.items()}}))
    else:
        for name, one in found.items():
            _say(name, one)
    raise typer.Exit(1 if any(one.moved for one in found.values()) else 0)


@app.command("propose-merge")
def propose_merge(by: ByOption, data: DataOption = DEFAULT_DATA) -> None:
    """Ask two officers whether two members are one person: their record keys in the register, on two lines of stdin."""
    keys = [sys.stdin.readline().strip() for _ in range(2)]

    async def run(hub: Hub) -> None:
        persons = [await hub.linking.accounts.bearer(hub.secrets.matching.record(JUSTICE, key)) for key in keys]
        if None in persons:
            raise LinkError("no such record of a member")
        survivor, other = (one for one in persons if one is not None)
        await _log(hub, "propose-merge", by, survivor, other)
        asked = await hub.linking.reviews.propose_merge(survivor, other)
        print(f"{asked.review_id} waits for two officers until {asked.due_at.date()}; against: {list(asked.reasons)}")

    _with_hub(data, run)


@app.command("undo")
def undo(
    change: Annotated[str, typer.Argument(help="Id of the change.")],
    by: ByOption,
    reason: ReasonOption,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Make the exact inverse of a change of links; refused if a later change stands on it."""

    async def run(hub: Hub) -> None:
        await _log(hub, "undo", by, *await hub.linking.accounts.touched(change))
        print(await hub.linking.ledger.undo(change, author=by, reason=reason))

    _with_hub(data, run)


def _agencies(hub: Hub, wanted: list[str] | None) -> list[str]:
    """Agencies whose records can be linked.

    Raises:
        SettingsError: one of those wanted cannot.
    """
    able = [name for name, mapping in hub.rules.mappings.items() if name != JUSTICE and mapping.index]
    able = [name for name in able if name in hub.sources]
    for name in wanted or ():
        if name not in able:
            raise SettingsError(f"cannot be linked; these can: {', '.join(able)}", name=name)
    return [name for name in able if wanted is None or name in wanted]


def _diff(one: Shadow) -> dict[str, object]:
    moved = [{"record": record, "now": now, "would": would} for record, now, would in one.moved]
    counts = {"same": one.same, "joined": one.joined, "parted": one.parted, "clusters": one.clusters}
    return {**counts, "moved": moved}


def _say(name: str, one: Shadow) -> None:
    other = len(one.moved) - one.joined - one.parted
    print(
        f"{name}: {one.same} as now; {one.joined} would join, {one.parted} part, {other} go to another person; "
        f"{one.clusters} persons would have other records"
    )
    for record, now, would in one.moved[:SHOWN]:
        print(f"  {record}  {now or 'nobody'} -> {would or 'nobody'}")
    if len(one.moved) > SHOWN:
        print(f"  … {len(one.moved) - SHOWN} more; all with --json")


async def _log(hub: Hub, what: str, officer: str = "", *persons: str) -> None:
    """The audit entry, durable before anything is done."""
    named = [(hub.pseudonyms.of("member", person), Pattern()) for person in persons]
    draft = Draft(
        kind=Kind.IDENTITY,
        request_id=f"identity-{what}",
        officer=officer,
        operation=what,
        persons=named,
        policy_digest=hub.rules.judge.policy_digest,
        outcome=Outcome.OK,
    )
    await hub.log.append(draft)


def _with_hub(data: Path, work: Callable[[Hub], Awaitable[None]]) -> None:
    async def run() -> None:
        hub = build_hub(load_settings(data_dir=data))
        try:
            await work(hub)
        finally:
            await hub.close()

    asyncio.run(run())
