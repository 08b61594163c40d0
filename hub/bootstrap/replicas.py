"""Builds what copies agencies' records, what reads the copies, and what asks which of the two."""

from collections.abc import Mapping
from dataclasses import replace

from hub.bootstrap.secrets import Secrets
from hub.clock import Clock
from hub.connectors.base import Quarantine
from hub.connectors.guard import Guard
from hub.connectors.mapping import AgencyMapping, Mode
from hub.connectors.registry import Endpoint, build_connectors, mode_of, read_endpoints
from hub.connectors.replica.content import ContentCodec
from hub.connectors.replica.copier import Copied, Copier, Misfits
from hub.connectors.replica.reader import ReadTerms, ReplicaReader
from hub.connectors.replica.source import ReplicaSource
from hub.connectors.replica.state import CopyStates
from hub.connectors.replica.writer import ReplicaWriter
from hub.identity.erasure import erased_among
from hub.rules import Rules
from hub.settings import Settings
from hub.store.engine import Store

Sources = Mapping[str, Guard | ReplicaSource]


def build_sources(
    settings: Settings, rules: Rules, store: Store, secrets: Secrets, quarantine: Quarantine, clock: Clock
) -> Sources:
    """How each agency is asked: itself, or its copy.

    Raises:
        SettingsError: endpoints are wrong, or a mode is not allowed.
    """
    endpoints = _endpoints(settings)
    guards = build_connectors(
        rules.mappings, endpoints, rules.codes, quarantine, clock, concurrency=settings.agency_concurrency
    )
    modes = copied_modes(rules.mappings, endpoints)
    reader = ReplicaReader(
        reader=store.driver,
        opener=secrets.opener,
        keys=secrets.replica_keys,
        agencies={
            agency: ReadTerms(codec=_codec(rules, agency), terms=rules.mappings[agency].replica) for agency in modes
        },
        clock=clock,
    )
    return {
        agency: ReplicaSource(guard, reader, modes[agency], clock) if agency in modes else guard
        for agency, guard in guards.items()
    }


def build_copier(
    settings: Settings, rules: Rules, store: Store, secrets: Secrets, quarantine: Quarantine, clock: Clock
) -> Copier:
    """What copies; with connectors of its own, since it counts what they quarantine."""
    endpoints = _endpoints(settings)
    copied: list[Copied] = []
    for agency in copied_modes(rules.mappings, endpoints):
        misfits = Misfits(quarantine)
        live = {agency: replace(endpoints[agency], mode=None)}
        guards = build_connectors(rules.mappings, live, rules.codes, misfits, clock, concurrency=1)
        copied.append(
            Copied(
                agency=agency,
                connector=guards[agency].connector,
                misfits=misfits,
                codec=_codec(rules, agency),
                terms=rules.mappings[agency].replica,
                dated=rules.mappings[agency].kind != "file_drop",
            )
        )
    return Copier(
        states=CopyStates(store=store, sealer=secrets.sealer, opener=secrets.opener, clock=clock),
        writer=build_writer(store, secrets, clock),
        copied=copied,
        clock=clock,
        batch=settings.replica_batch,
    )


def build_writer(store: Store, secrets: Secrets, clock: Clock) -> ReplicaWriter:
    return ReplicaWriter(
        store=store,
        sealer=secrets.sealer,
        opener=secrets.opener,
        keys=secrets.replica_keys,
        digests=secrets.pseudonyms,
        is_erased=erased_among(secrets.erased),
        clock=clock,
    )


def copied_modes(mappings: Mapping[str, AgencyMapping], endpoints: Mapping[str, Endpoint]) -> Mapping[str, Mode]:
    """Agencies of which there are copies, with how they are asked.

    Raises:
        SettingsError: a mode is not allowed.
    """
    known = {agency: endpoint for agency, endpoint in endpoints.items() if agency in mappings}
    modes = {agency: mode_of(mappings[agency], endpoint) for agency, endpoint in known.items()}
    return {agency: mode for agency, mode in modes.items() if mode is not Mode.LIVE}


def _endpoints(settings: Settings) -> Mapping[str, Endpoint]:
    file = settings.hub_dir / "agencies.toml"
    return read_endpoints(file) if file.exists() else {}


def _codec(rules: Rules, agency: str) -> ContentCodec:
    top = next(record for record in rules.catalogue.agency_types() if record.agency == agency)
    return ContentCodec(rules.catalogue, top)
