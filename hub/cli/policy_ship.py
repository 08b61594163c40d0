"""`hub policy keygen`, `sign` and `publish`: from a directory that is in order to policies in force."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from joserfc.jwk import OKPKey

from hub.auth.policy_bundle import open_signed, pack, read_key
from hub.auth.policy_bundle import sign as sign_files
from hub.auth.policy_check import check
from hub.auth.policy_watch import PolicyStore, replace_file
from hub.bootstrap.policies import policy_store
from hub.cli.options import DEFAULT_DATA, DataOption
from hub.clock import SystemClock, today
from hub.errors import PolicyError
from hub.rules import policy_directories, read_policy_loader
from hub.settings import load_settings


def keygen(key: Annotated[Path, typer.Argument(help="File for the private key; must not exist.")]) -> None:
    """Make a key for signing policies. The public key is printed: it goes into the trusted folder of each server."""
    made = OKPKey.generate_key("Ed25519")
    descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(made.as_pem(private=True))
    print(made.as_pem(private=False).decode(), end="")


def sign(
    directory: Annotated[Path, typer.Argument(help="The policies.", exists=True, file_okay=False)],
    key: Annotated[Path, typer.Option(help="Private key (Ed25519, PEM).", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    version: Annotated[int | None, typer.Option(help="Default: one above what is published.", min=1)] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Check the policies and sign them as one bundle. Exit 1, and nothing is signed, if anything is wrong with them."""
    settings = load_settings(data_dir=data)
    private = read_key(key)
    if not private.is_private:
        raise PolicyError("is a public key; signing needs the private one", file=key.name)
    directories = policy_directories(settings, directory)
    report = check(directories, read_policy_loader(settings), today(SystemClock()))
    for item in report.findings:
        print(f"{item.fault} {item.name}: {item.text}", file=sys.stderr)
    if report.findings:
        raise typer.Exit(1)
    number = version or _newest(policy_store(settings)) + 1
    replace_file(out, sign_files(pack(directories), version=number, key=private))
    print(f"version={number} digest={report.digest} signer={private.thumbprint()}")


def publish(
    bundle: Annotated[Path, typer.Argument(help="The signed bundle.", exists=True, dir_okay=False)],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Hand a bundle to the servers of a data directory, which bring it into force within seconds.

    Everything the servers look at is looked at here first. Exit 1, and nothing is published, if it would be refused.
    """
    settings = load_settings(data_dir=data)
    store = policy_store(settings)
    data_read = bundle.read_bytes()
    try:
        signed = open_signed(data_read, store.trusted)
        policy = read_policy_loader(settings).policy(signed)
        if signed.version <= (newest := _newest(store)):
            raise PolicyError(f"version {signed.version} is not above {newest}, which is published")
    except PolicyError as error:
        print(f"error {error.code}: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    replace_file(store.published, data_read)
    print(f"version={signed.version} digest={policy.judge.policy_digest} signer={signed.signer}")


def _newest(store: PolicyStore) -> int:
    """The highest version that is accepted or validly published; 0 if none is."""
    newest = 0
    for path in (store.accepted, store.published):
        try:
            found = store.read(path)
        except PolicyError:
            continue  # the servers refuse it, too
        newest = max(newest, found[0].version if found else 0)
    return newest
