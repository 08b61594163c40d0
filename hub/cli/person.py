"""`hub person`: what is done to one person's stored values as a whole."""

import asyncio
import re
import sys
from typing import Annotated

import typer

from hub.bootstrap.keeping import Keeping, build_keeping
from hub.cli.options import DEFAULT_DATA, DataOption
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.settings import load_settings

app = typer.Typer(help="One person's stored values.", no_args_is_help=True)
_MEMBER = re.compile(r"[0-9a-f]{32}")


@app.callback()
def _group() -> None:
    """One person's stored values."""


@app.command("erase")
def erase(
    by: Annotated[str, typer.Option(help="The officer who approves.")],
    reason: Annotated[str, typer.Option(help="Why; kept sealed.")],
    person: Annotated[str | None, typer.Option(help="The member's id (32 hexadecimal digits).")] = None,
    number: Annotated[bool, typer.Option("--number", help="Read the identity number from stdin instead.")] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Approve the erasure of a person. The second approval, by another officer, erases; nothing brings it back."""
    if (person is None) is not number:
        raise typer.BadParameter("name the person by --person or by --number, not both", param_hint="--person")
    if person is not None and not _MEMBER.fullmatch(person):
        raise typer.BadParameter("32 hexadecimal digits", param_hint="--person")

    async def run() -> None:
        keeping = build_keeping(load_settings(data_dir=data))
        try:
            named = person or await keeping.eraser.bearer(_number())
            print(await _approve(keeping, named, by, reason))
        finally:
            await keeping.close()

    asyncio.run(run())


async def _approve(keeping: Keeping, person: str, by: str, reason: str) -> str:
    final = await keeping.eraser.waiting(person, by)
    await keeping.log_erasure(person, by, final=final)
    erased = await keeping.eraser.approve(person, by, reason)
    for agency, key in erased.keys:
        await keeping.quarantine.forget(agency, key)
    return f"{erased.erasure_id} {'erased' if erased.done else 'waits for the approval of another officer'}"


def _number() -> IdentityNumber:
    try:
        return IdentityNumber.parse(sys.stdin.readline())
    except IdentityNumberError as exc:
        raise typer.BadParameter("not an identity number", param_hint="--number") from exc
