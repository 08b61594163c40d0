"""The command `hub`: data on stdout, words on stderr.

Exit 0 done, 1 found something wrong, 2 used wrongly, 3 cannot run.
"""

import sys

import typer

from hub.cli import audit, clients, demo, doctor, keys, policy, schema, serve, tokens
from hub.errors import HubError, StartupError, StoreError

app = typer.Typer(
    name="hub",
    help="One gateway over what agencies know of people released from prison.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("migrate")(serve.migrate)
app.command("doctor")(doctor.doctor)
app.command("token")(tokens.token)
app.add_typer(clients.app, name="client")
app.add_typer(keys.app, name="keys")
app.add_typer(policy.app, name="policy")
app.add_typer(schema.app, name="schema")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run the command line; every error of the hub's own becomes one line `error CODE: text`."""
    try:
        app()
    except HubError as error:
        text = " ".join(str(error).split())
        print(f"error {error.code}: {text}", file=sys.stderr)
        sys.exit(3 if isinstance(error, StartupError | StoreError) else 1)


if __name__ == "__main__":
    main()
