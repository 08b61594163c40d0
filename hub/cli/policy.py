"""`hub policy`: for data officers, from writing a rule to bringing it into force (docs/policies.md)."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.auth.decision import DecisionClass
from hub.auth.explain import Explanation
from hub.auth.explain import explain as explain_decision
from hub.auth.facts import Facts
from hub.auth.matrix import render_matrix
from hub.auth.matrix_html import render_html
from hub.auth.policy_cases import read_cases, run_cases
from hub.auth.policy_check import check as check_policies
from hub.auth.policy_loader import PolicyLoader
from hub.cli.options import DEFAULT_DATA, DataOption, JsonOption
from hub.cli.policy_compare import diff, replay
from hub.cli.policy_ship import keygen, publish, sign
from hub.clock import SystemClock, today
from hub.rules import POLICIES_DIR, policy_directories, read_policy_loader, read_rules
from hub.settings import load_settings

app = typer.Typer(help="Access policies.", no_args_is_help=True)
app.command("diff")(diff)
app.command("replay")(replay)
app.command("keygen")(keygen)
app.command("sign")(sign)
app.command("publish")(publish)

DirectoryArgument = Annotated[
    Path, typer.Argument(help="The policies; default: those of the tree.", exists=True, file_okay=False)
]
OutOption = Annotated[Path | None, typer.Option(help="File to write; default: print.")]


@app.command("check")
def check(
    directory: DirectoryArgument = POLICIES_DIR, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False
) -> None:
    """Validate rules, annotations, coverage and cases; find dead and expired rules. Exit 1 if anything is wrong."""
    settings = load_settings(data_dir=data)
    report = check_policies(policy_directories(settings, directory), read_policy_loader(settings), today(SystemClock()))
    found = {
        "digest": report.digest,
        "rules": report.rules,
        "coordinates": report.coordinates,
        "cases": report.cases,
    }
    if as_json:
        findings = [{"fault": item.fault, "name": item.name, "text": item.text} for item in report.findings]
        print(json.dumps({**found, "ok": not findings, "findings": findings}, ensure_ascii=False))
    else:
        print(" ".join(f"{name}={value}" for name, value in found.items()))
        for item in report.findings:
            print(f"{item.fault} {item.name}: {item.text}")
    raise typer.Exit(1 if report.findings else 0)


@app.command("test")
def run_all_cases(
    directory: DirectoryArgument = POLICIES_DIR, data: DataOption = DEFAULT_DATA, as_json: JsonOption = False
) -> None:
    """Run the cases beside the rules (cases/*.toml). Exit 1 if one does not hold."""
    settings = load_settings(data_dir=data)
    loader = read_policy_loader(settings)
    directories = policy_directories(settings, directory)
    cases = read_cases(directories, loader.catalogue, loader.purposes)
    wrong = run_cases(loader.judge(directories), cases)
    expectations = sum(len(case.expect) for case in cases)
    if as_json:
        found = [
            {
                "file": item.case.file,
                "case": item.case.name,
                "coordinate": item.coordinate,
                "expected": item.expected,
                "found": item.found,
                "policies": item.policies,
            }
            for item in wrong
        ]
        print(json.dumps({"ok": not wrong, "cases": len(cases), "expectations": expectations, "wrong": found}))
    else:
        for item in wrong:
            print(item)
        print(f"cases={len(cases)} expectations={expectations} wrong={len(wrong)}")
    raise typer.Exit(1 if wrong or not cases else 0)


@app.command("schema")
def schema(out: OutOption = None) -> None:
    """Generate the Cedar schema from catalogue and purposes."""
    _give(read_rules(load_settings()).cedar_schema, out)


@app.command("matrix")
def matrix(
    out: OutOption = None,
    html: Annotated[bool, typer.Option("--html", help="As a heat map for browsers and print.")] = False,
    current: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if the committed files are not current.")
    ] = False,
) -> None:
    """What every role sees of every field group, as Markdown or as a heat map."""
    rules = read_rules(load_settings())
    parts = (rules.judge, rules.catalogue, rules.purposes)
    if current:
        files = {"matrix.md": render_matrix(*parts), "matrix.html": render_html(*parts)}
        stale = [name for name, text in files.items() if _held(POLICIES_DIR / name) != text]
        for name in stale:
            print(f"policies/{name} is not current; run `hub policy matrix`")
        raise typer.Exit(1 if stale else 0)
    _give(render_html(*parts) if html else render_matrix(*parts), out)


@app.command("explain")
def explain(
    coordinate: Annotated[str, typer.Argument(help="Type.field, e.g. Person.name.")],
    role: Annotated[str, typer.Option(help="Who asks.")],
    purpose: Annotated[str, typer.Option(help="For what.")],
    facts: Annotated[str, typer.Option(help="What holds, by name, commas between: case,own.")] = "",
    policies: Annotated[Path, typer.Option(help="The policies.", exists=True, file_okay=False)] = POLICIES_DIR,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Why a field is given or withheld, by which rules, and what would open it."""
    settings = load_settings(data_dir=data)
    loader = read_policy_loader(settings)
    asked = _asked(loader, role, purpose, [name.strip() for name in facts.split(",") if name.strip()])
    if coordinate not in loader.catalogue.fields:
        raise typer.BadParameter("the catalogue has no such field", param_hint="COORDINATE")
    judge = loader.judge(policy_directories(settings, policies))
    found = explain_decision(judge, judge.bundle, loader.catalogue, asked, coordinate)
    if as_json:
        print(json.dumps(_explained(found), ensure_ascii=False))
        return
    print(f"{coordinate}: {found.effect}" + (f" ({found.code})" if found.code else ""))
    for rule in found.rules:
        print(f"  {'by' if found.policies else 'would be given by'} {rule.id}\n    {rule.explain}\n    {rule.basis}")
    for more in found.missing:
        print(f"  more with: {' and '.join(sorted(more))}")
    for en, zh in found.remedies:
        print(f"  how: {en} / {zh}")


def _asked(loader: PolicyLoader, role: str, purpose: str, facts: Sequence[str]) -> DecisionClass:
    known = loader.purposes.roles.get(role)
    if known is None:
        raise typer.BadParameter(f"unknown role; one of {', '.join(loader.purposes.roles)}", param_hint="--role")
    if purpose not in loader.purposes.purposes:
        raise typer.BadParameter(f"unknown; one of {', '.join(loader.purposes.purposes)}", param_hint="--purpose")
    if unknown := set(facts) - set(Facts.__dataclass_fields__):
        names = ", ".join(Facts.__dataclass_fields__)
        raise typer.BadParameter(f"unknown {min(unknown)}; of {names}", param_hint="--facts")
    return DecisionClass(agency=known.agency, role=role, purpose=purpose, facts=Facts(**dict.fromkeys(facts, True)))


def _explained(found: Explanation) -> dict[str, Any]:
    return {
        "coordinate": found.coordinate,
        "effect": found.effect,
        "code": found.code,
        "policies": found.policies,
        "rules": [{"id": rule.id, "basis": rule.basis, "explain": rule.explain} for rule in found.rules],
        "missing": [sorted(names) for names in found.missing],
        "remedies": [{"en": en, "zh": zh} for en, zh in found.remedies],
    }


def _held(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _give(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, "utf-8")
