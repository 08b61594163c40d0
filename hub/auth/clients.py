"""Registered clients of the built-in issuer: whose systems may ask for tokens, and for whom."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from hub.errors import SettingsError

CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
REGION = re.compile(r"[0-9]{2,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client authenticates with private_key_jwt; `jwk` is its public key. It may name any officer of its agency.

    `encryption_jwk` is the agency's public key for sealed deliveries; None: it gets none.
    """

    client_id: str
    role: str
    agency: str
    regions: tuple[str, ...]
    purposes: tuple[str, ...]
    jwk: Mapping[str, Any]
    encryption_jwk: Mapping[str, Any] | None = None


def read_clients(path: Path) -> dict[str, Client]:
    """Clients by id; none if the file is missing.

    Raises:
        SettingsError: the file is damaged.
    """
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text("utf-8"))
        return {
            entry["client_id"]: Client(
                client_id=entry["client_id"],
                role=entry["role"],
                agency=entry["agency"],
                regions=tuple(entry["regions"]),
                purposes=tuple(entry["purposes"]),
                jwk=entry["jwk"],
                encryption_jwk=entry.get("encryption_jwk"),
            )
            for entry in entries
        }
    except (ValueError, KeyError, TypeError) as exc:
        raise SettingsError("is damaged", file=path.name) from exc


def register_client(
    path: Path,
    client_id: str,
    *,
    role: str,
    agency: str,
    regions: tuple[str, ...],
    purposes: tuple[str, ...],
    encryption_jwk: Mapping[str, Any] | None = None,
) -> str:
    """Add a client with a new key pair and return its private key (PKCS#8 PEM), which is kept nowhere.

    Raises:
        SettingsError: the id is taken, or the id or a region is one that no token may carry.
    """
    if not CLIENT_ID.fullmatch(client_id):
        raise SettingsError("is no client id (letters, digits, . _ - only)", name=client_id)
    for region in regions:
        if not REGION.fullmatch(region):
            raise SettingsError("is no region (2 to 12 digits)", name=region)
    clients = read_clients(path)
    if client_id in clients:
        raise SettingsError("client exists", name=client_id)
    key = ECKey.generate_key("P-256", auto_kid=True)
    clients[client_id] = Client(
        client_id=client_id,
        role=role,
        agency=agency,
        regions=regions,
        purposes=purposes,
        jwk=key.as_dict(private=False),
        encryption_jwk=encryption_jwk,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump([asdict(client) for client in clients.values()], file, indent=1)
    temporary.replace(path)
    return key.as_pem(private=True).decode()
