"""What is remembered between requests, bounded by an estimate of the memory that it takes."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """Values by key, of at most `limit_bytes` together; the least recently used are forgotten first."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> Value | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: Key, value: Value, size_bytes: int) -> None:
        """Remember `value`, in place of what stood under `key`. One beyond the limit is not kept, nor is any other."""
        _, before = self._kept.pop(key, (None, 0))
        self._kept[key] = (value, size_bytes)
        self._bytes += size_bytes - before
        while self._bytes > self._limit_bytes:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bytes -= dropped
