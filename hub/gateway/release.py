"""The only way out: what may become of a canonical value before it leaves, and the only place where sealed ones open.

The release tree of a plan is the allow-list: whatever an agency sends beyond it has no way into an answer. This module
gives, for each leaf of it, the conversion from the stored value to the released one: open, then mask or encrypt to the
asking client's key (sealed delivery). Conversions are
total: a sealed value that does not open (moved, altered, under a lost key) is withheld, counted and logged, and never
takes the other values of an answer with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from hub.auth.masks import mask, mask_of
from hub.auth.recipients import Recipients
from hub.crypto.opener import Opener
from hub.errors import SealedValueError
from hub.gateway.plan import ReleaseNode

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedColumn:
    """Where sealed values of a coordinate stand; with the row's name they are a `Place`."""

    agency: str
    table: str
    column: str
    nested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """`apply(value)`, or `apply(row, value)` if `whole_row`; never given None."""

    apply: Callable[..., Any]
    whole_row: bool


class Releaser:
    """Conversions for one deployment. `sealed` tells which coordinates arrive sealed and where they stand."""

    def __init__(
        self, opener: Opener, sealed: Mapping[str, SealedColumn], recipients: Recipients | None = None
    ) -> None:
        self._recipients = recipients
        self._opener = opener
        self._sealed = sealed
        self._openers: dict[str, Callable[[Sequence[Any], Any], Any]] = {}
        self.unreadable = 0

    def conversion(self, node: ReleaseNode) -> Conversion | None:
        """What a leaf of the release tree needs; None where the value leaves as it is."""
        column = self._sealed.get(node.coordinate)
        masking = self._leaving(node)
        if column is None:
            return None if masking is None else Conversion(apply=masking, whole_row=False)
        opening = self.opening(node.coordinate)
        assert opening is not None
        if masking is None:
            return Conversion(apply=opening, whole_row=True)

        def both(row: Sequence[Any], value: Any) -> Any:
            opened = opening(row, value)
            return None if opened is None else masking(opened)

        return Conversion(apply=both, whole_row=True)

    def _leaving(self, node: ReleaseNode) -> Callable[[Any], Any] | None:
        """What is done to the plaintext: masked, encrypted, or nothing."""
        if node.sealed_to is not None:
            assert self._recipients is not None, "no sealed delivery is planned without a registered key"
            return self._recipients.sealing(node.sealed_to, node.coordinate)
        return None if node.mask is None else mask_of(node.mask)

    def opening(self, coordinate: str) -> Callable[[Sequence[Any], Any], Any] | None:
        """(row, sealed value) → plaintext, or None where it does not open; None for a coordinate that is not sealed."""
        column = self._sealed.get(coordinate)
        if column is None:
            return None
        if coordinate not in self._openers:
            opened_at = self._opener.at(column.agency, column.table, column.column)
            name_at = -1 if column.nested else -2  # a row ends with its name; a main one with its time stamp after it

            def opening(row: Sequence[Any], value: Any) -> Any:
                try:
                    return opened_at(row[name_at], value)
                except SealedValueError as error:
                    self.unreadable += 1
                    logger.error("sealed.unreadable", coordinate=coordinate, kind=str(error))
                    return None

            self._openers[coordinate] = opening
        return self._openers[coordinate]


def release_value(mask_name: str | None, value: object) -> object:
    """One merged value, masked if `mask_name` is given."""
    return value if value is None or mask_name is None else mask(mask_name, value)
