"""What was so when, as known when: the bitemporal history of one record. Pure; times are whole microseconds.

A statement says that from `valid_from` (in) to `valid_to` (out) a record was of some content, or was not there. A later
statement takes the place of earlier ones for the time that it speaks of, and of no other: so a late correction changes
the past, and what was known before it can still be told.
"""

from collections.abc import Sequence

import msgspec

FOREVER = 2**62
"""An end that is not known. Source: any time that a source may give is far below it."""
NOW = FOREVER - 1
"""The last moment there is: what is said of it is what holds now, also by a source whose clock runs ahead."""
GONE = ""
"""Digest of a record that is not there."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """`version` counts the statements about one record from 1 on, in the order in which they were recorded."""

    version: int
    valid_from: int
    valid_to: int
    recorded: int
    digest: str


def effective(statements: Sequence[Statement], valid: int, known: int) -> Statement | None:
    """What held at `valid`, as known at `known`; None where nothing was ever said of it."""
    told = [one for one in statements if one.recorded <= known and one.valid_from <= valid < one.valid_to]
    return max(told, key=lambda one: one.version, default=None)


def says(statements: Sequence[Statement], digest: str, valid_from: int, valid_to: int) -> bool:
    """Whether all that is known already says `digest` for the whole of a time. Nothing said is not there.

    Cost: square in the statements that begin or end within that time.
    """
    edges = {edge for one in statements for edge in (one.valid_from, one.valid_to) if valid_from < edge < valid_to}
    return all(_digest(effective(statements, edge, FOREVER)) == digest for edge in (valid_from, *edges))


def _digest(statement: Statement | None) -> str:
    return GONE if statement is None else statement.digest
