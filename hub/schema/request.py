"""A request as the web hands it over."""

from collections.abc import Mapping
from typing import Any

import msgspec


class GraphQLRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Media types and sizes are checked.

    `incremental`: the caller takes later parts of an answer as they come; `events`: the events of a subscription.
    """

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = msgspec.field(default_factory=dict)
    purpose: str | None = None
    cases: tuple[str, ...] = ()
    request_id: str
    incremental: bool = False
    events: bool = False
