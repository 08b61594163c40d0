"""What resolvers of one operation share: who asks, what was read so far, and the one loader of persons."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from hub.auth.principal import Principal
from hub.gateway.reading import Ask, AskAnswer, Reading


class OperationContext(msgspec.Struct, frozen=True, kw_only=True):
    """`read` answers several asks together; every field that reads persons goes through it."""

    principal: Principal
    read: Callable[[Sequence[Ask]], Awaitable[Sequence[AskAnswer]]]
    reading: Reading
    purpose: str | None = None
