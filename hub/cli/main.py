"""The command `hub`: data on stdout, words on stderr.

Exit 0 done, 1 found something wrong, 2 used wrongly, 3 cannot run.
"""

import sys

import typer

from hub.cli.audit import app as audit
from hub.cli.clients import app as clients
from hub.cli.demo import demo
from hub.cli.doctor import doctor
from hub.cli.keys import app as keys
from hub.cli.policy import app as policy
from hub.cli.schema import app as schema
from hub.cli.serve import migrate, serve
from hub.cli.tokens import token
from hub.errors import HubError, StartupError, StoreError

app = typer.Typer(
    name="hub",
    help="One gateway over what agencies know of people released from prison.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo)
app.command("serve")(serve)
app.command("migrate")(migrate)
app.command("doctor")(doctor)
app.command("token")(token)
app.add_typer(clients, name="client")
app.add_typer(keys, name="keys")
app.add_typer(policy, name="policy")
app.add_typer(schema, name="schema")
app.add_typer(audit, name="audit")


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
