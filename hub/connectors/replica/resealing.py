"""The sealed columns of copies, as rotation goes over them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.connectors.replica.ports import COLUMNS, Indexer, key_place, state_place, version_place
from hub.connectors.replica.tables import replica_salt, replica_state, replica_subject, replica_version
from hub.crypto.envelope import Place
from hub.crypto.kept import Kept


def kept_of_replicas(keys: Indexer) -> Sequence[Kept]:
    """Every sealed column of this room. What is added to its tables is added here."""
    return (
        Kept(
            table=replica_subject,
            column=replica_subject.c.key_sealed.name,
            place=lambda key: key_place(key["agency"], key["subject_id"]),
            salts=replica_salt,
            derived={replica_subject.c.key_index.name: keys.each},
        ),
        *(
            Kept(table=replica_version, column=column, place=_of_version(sensitivity), salts=replica_salt)
            for sensitivity, column in COLUMNS.items()
        ),
        Kept(
            table=replica_state,
            column=replica_state.c.place_sealed.name,
            place=lambda key: state_place(key["agency"]),
        ),
    )


def _of_version(sensitivity: int) -> Callable[[Mapping[str, Any]], Place]:
    return lambda key: version_place(key["agency"], key["subject_id"], key["version"], sensitivity)
