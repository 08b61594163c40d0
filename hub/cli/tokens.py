"""`hub token`: a bare token of the demo issuer."""

import json
from typing import Annotated

import typer

from hub.auth.issuer import OFFICER, Issuer, open_issuer_key
from hub.auth.personas import read_personas
from hub.auth.purposes import read_purposes
from hub.bootstrap.secrets import build_key_ring, build_secrets
from hub.cli.options import DEFAULT_DATA, DataOption
from hub.clock import SystemClock
from hub.crypto.pairwise import SUBJECT_KIND
from hub.domain.catalogue_reader import read_catalogue
from hub.domain.codes_reader import read_codes
from hub.domain.identity_number import IdentityNumber, IdentityNumberError
from hub.errors import SettingsError
from hub.rules import POLICIES_DIR
from hub.settings import Settings, load_settings


def token(
    persona: Annotated[str, typer.Argument(help="A persona of the demo, for example judicial-office.")],
    data: DataOption = DEFAULT_DATA,
    officer: Annotated[str | None, typer.Option(help="Another officer number.")] = None,
    on_behalf_of: Annotated[str | None, typer.Option(help="The officer whom this one stands in for.")] = None,
    purpose: Annotated[list[str] | None, typer.Option(help="Narrow the token to these purposes.")] = None,
    case: Annotated[list[str] | None, typer.Option(help="Bind the token to these cases.")] = None,
    person: Annotated[str | None, typer.Option(help="Identity number of whose own token it is (data-subject).")] = None,
) -> None:
    """Print one access token of the demo issuer."""
    demo_file = data / "demo.json"
    if not demo_file.exists():
        raise SettingsError("there is no demo here; run `make demo`", file=demo_file.name)
    url = json.loads(demo_file.read_text("utf-8"))["url"]
    settings = load_settings(data_dir=data, url=url, demo=True)
    personas = read_personas(read_purposes(POLICIES_DIR / "purposes.toml"))
    if persona not in personas:
        raise typer.BadParameter(f"unknown persona; one of {', '.join(personas)}", param_hint="PERSONA")
    known = personas[persona]
    for name, number in (("--officer", officer), ("--on-behalf-of", on_behalf_of)):
        if number is not None and not OFFICER.fullmatch(number):
            raise typer.BadParameter("letters, digits and - only, at most 64", param_hint=name)
    if on_behalf_of is not None and on_behalf_of == (officer or known.officer):
        raise typer.BadParameter("nobody stands in for themselves", param_hint="--on-behalf-of")
    narrowed = tuple(purpose) if purpose else None
    if narrowed and set(narrowed) - set(known.purposes):
        raise typer.BadParameter(f"not a purpose of {persona}", param_hint="--purpose")
    key = open_issuer_key(settings.hub_dir / "keys" / "issuer.pem", create=False)
    issuer = Issuer(key, url=settings.issuer_url, audience=settings.audience, clock=SystemClock())
    bound = None if person is None else _bound(settings, known.agency, person)
    cases = tuple(case) if case else None
    print(
        issuer.mint_for(known, officer=officer, purposes=narrowed, cases=cases, person=bound, on_behalf_of=on_behalf_of)
    )


def _bound(settings: Settings, agency: str, number: str) -> str:
    """The id by which a token names its person; the number itself is in no token."""
    try:
        text = IdentityNumber.parse(number).text
    except IdentityNumberError as exc:
        raise typer.BadParameter("not an identity number", param_hint="--person") from exc
    ring = build_key_ring(settings, read_catalogue(read_codes()))
    return build_secrets(ring).ids.seal(agency, SUBJECT_KIND, text)
