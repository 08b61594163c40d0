"""The command `hub`: data on stdout, words on stderr.

Exit 0 done, 1 found something wrong, 2 used wrongly, 3 cannot run.
"""

import sys
from typing import Any, NoReturn

import typer

from hub.cli.audit import app as audit
from hub.cli.clients import app as clients
from hub.cli.demo import demo
from hub.cli.doctor import doctor
from hub.cli.identity import app as identity
from hub.cli.keys import app as keys
from hub.cli.person import app as person
from hub.cli.policy import app as policy
from hub.cli.replica import app as replica
from hub.cli.schema import app as schema
from hub.cli.serve import migrate, serve
from hub.cli.tokens import token
from hub.cli.witness import witness
from hub.cli.worker import worker
from hub.connectors.base import SourceFailure
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
app.command("worker")(worker)
app.command("migrate")(migrate)
app.command("doctor")(doctor)
app.command("token")(token)
app.command("witness")(witness)
app.add_typer(clients, name="client")
app.add_typer(identity, name="identity")
app.add_typer(keys, name="keys")
app.add_typer(person, name="person")
app.add_typer(policy, name="policy")
app.add_typer(replica, name="replica")
app.add_typer(schema, name="schema")
app.add_typer(audit, name="audit")


UsageError: Any = typer.BadParameter.__base__  # typer does not export the class of all its usage errors


def main() -> None:
    """Run the command line; every error becomes one line `error CODE: text`."""
    try:
        code = app(standalone_mode=False)
    except HubError as error:
        _fail(error.code, str(error), 3 if isinstance(error, StartupError | StoreError) else 1)
    except SourceFailure as failure:
        _fail("SOURCE_FAILED", f"{failure} ({failure.state.value})", 1)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        _fail("FILE_UNUSABLE", f"{named}{error.strerror or type(error).__name__}", 3)
    except UsageError as error:
        _fail("USAGE", error.format_message() or "a command is needed", 2)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(code: str, text: str, status: int) -> NoReturn:
    print(f"error {code}: {' '.join(text.split())}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
