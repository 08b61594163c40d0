"""A policy directory as one signed file: JWS in JSON form (RFC 7515), Ed25519 (RFC 9864), with a version number.

Everything the directory decides by is inside: rules, purposes, cases, what is undisclosed. The signature says who
released it, the number says which of two is newer.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from hub.errors import PolicyError

ALGORITHM = "Ed25519"
TYPE = "hub-policy+json"
MAX_BYTES = 8 * 1024 * 1024
_PATTERNS = ("*.cedar", "*.toml", "cases/*.toml")
_NAME = re.compile(r"(cases/)?[A-Za-z0-9._-]{1,100}\.(cedar|toml)")


class _Payload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    files: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBundle:
    """`files` by their path in the directory; `signer` is the thumbprint of the key (RFC 7638)."""

    version: int
    signer: str
    files: Mapping[str, str]


def pack(directories: Sequence[Path]) -> dict[str, str]:
    """The files of the directories by relative path.

    Raises:
        PolicyError: no rules, two files of one name, a file that is not UTF-8.
    """
    files: dict[str, str] = {}
    for directory in directories:
        for path in sorted(path for pattern in _PATTERNS for path in directory.glob(pattern)):
            name = path.relative_to(directory).as_posix()
            if name in files or not _NAME.fullmatch(name):
                raise PolicyError("file twice, or a name that no bundle may hold", file=name)
            try:
                files[name] = path.read_text("utf-8")
            except UnicodeDecodeError as exc:
                raise PolicyError("is not UTF-8", file=name) from exc
    if not any(name.endswith(".cedar") for name in files):
        raise PolicyError("no *.cedar file", file=directories[0].name if directories else None)
    return files


def unpack(files: Mapping[str, str], directory: Path) -> None:
    """Write `files` below `directory`, so that what reads a directory reads a bundle."""
    for name, text in files.items():
        if not _NAME.fullmatch(name):
            raise PolicyError("a name that no bundle may hold", file=name)
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, "utf-8")


def sign(files: Mapping[str, str], *, version: int, key: OKPKey) -> bytes:
    """The signed file. `version` must be above that of every bundle in force."""
    if version < 1:
        raise PolicyError("the version of a bundle is 1 or more")
    payload = msgspec.json.encode(_Payload(version=version, files=dict(sorted(files.items()))))
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": key.thumbprint()}
    signed = jws.serialize_json({"protected": header}, payload, key, registry=_registry())
    return msgspec.json.encode(signed) + b"\n"


def open_signed(data: bytes, trusted: Mapping[str, OKPKey]) -> SignedBundle:
    """Verify and read a signed file. `trusted` holds public keys by thumbprint.

    Raises:
        PolicyError: not signed by a trusted key, altered, or no bundle.
    """
    if len(data) > MAX_BYTES:
        raise PolicyError("the bundle is too large")
    try:
        given = msgspec.json.decode(data, type=dict[str, str])
        if given.keys() != {"payload", "protected", "signature"}:
            raise PolicyError("is no signed bundle")
        compact = ".".join(given[name] for name in ("protected", "payload", "signature"))
        said = jws.extract_compact(compact.encode(), registry=_registry()).headers()
        key = trusted.get(str(said.get("kid")))
        if said.keys() != {"alg", "typ", "kid"} or said["alg"] != ALGORITHM or said["typ"] != TYPE or key is None:
            raise PolicyError("is not signed by a trusted key")
        verified = jws.deserialize_compact(compact, key, registry=_registry())
        payload = msgspec.json.decode(verified.payload, type=_Payload)
    except (JoseError, ValueError, TypeError) as exc:
        raise PolicyError("is no signed bundle, or its signature is wrong") from exc
    if payload.version < 1:
        raise PolicyError("the version of a bundle is 1 or more")
    return SignedBundle(version=payload.version, signer=key.thumbprint(), files=payload.files)


def _registry() -> jws.JWSRegistry:
    """One algorithm; payloads up to the size of a bundle, where the library's own limit is that of tokens."""
    registry = jws.JWSRegistry(algorithms=[ALGORITHM])
    registry.max_payload_length = MAX_BYTES
    return registry


def read_trusted(directory: Path) -> dict[str, OKPKey]:
    """Public keys (`*.pem`) whose bundles are believed, by thumbprint; none if there is no directory.

    Raises:
        PolicyError: a file is no Ed25519 public key.
    """
    found: dict[str, OKPKey] = {}
    for path in sorted(directory.glob("*.pem")) if directory.is_dir() else ():
        key = read_key(path)
        if key.is_private:
            raise PolicyError("holds a private key; only public keys belong here", file=path.name)
        found[key.thumbprint()] = key
    return found


def read_key(path: Path) -> OKPKey:
    """An Ed25519 key from PEM.

    Raises:
        PolicyError: it is none.
    """
    try:
        key = OKPKey.import_key(path.read_bytes())
    except (JoseError, ValueError, TypeError) as exc:
        raise PolicyError("is no Ed25519 key in PEM", file=path.name) from exc
    if key.curve_name != "Ed25519":
        raise PolicyError("is no Ed25519 key", file=path.name)
    return key
