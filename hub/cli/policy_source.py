"""Where a command finds policies: a directory, a signed bundle, or a revision of the repository."""

import io
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from hub.auth.policy_bundle import open_signed, read_trusted, unpack
from hub.rules import POLICIES_DIR, policy_directories
from hub.settings import Settings

SOURCE_HELP = "A directory, a signed bundle, or a git revision."


@contextmanager
def opened(source: str, settings: Settings) -> Iterator[Sequence[Path]]:
    """The directories of `source`.

    Raises:
        typer.BadParameter: it is none of the three.
        PolicyError: a bundle that no trusted key has signed.
    """
    path = Path(source)
    if path.is_dir():
        yield policy_directories(settings, path)
        return
    with TemporaryDirectory(prefix="hub-policy-") as folder:
        directory = Path(folder)
        if path.is_file():
            unpack(open_signed(path.read_bytes(), read_trusted(settings.trusted_dir)).files, directory)
            yield (directory,)
        else:
            yield policy_directories(settings, _revision(source, directory))


def _revision(revision: str, into: Path) -> Path:
    """The `policies/` of a revision, unpacked."""
    root = POLICIES_DIR.parent
    command = ["git", "-C", str(root), "archive", "--format=tar", "--end-of-options", revision, POLICIES_DIR.name]
    try:
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603  # no shell; git is the user's own
    except (OSError, subprocess.CalledProcessError) as exc:
        raise typer.BadParameter(f"{revision}: no directory, no file and no revision with policies") from exc
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(into, filter="data")
    return into / POLICIES_DIR.name
