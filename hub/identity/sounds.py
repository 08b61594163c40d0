"""How one character may sound. Pinyin's dictionary of phrases, 45 MB in every process, is of no use to that."""

import os
from functools import lru_cache

os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")  # read by pypinyin when it is imported

from pypinyin import Style, pinyin  # after the setting

MAX_READINGS = 3


@lru_cache(maxsize=16_384)
def sounds_of(character: str) -> tuple[str, ...]:
    """At most `MAX_READINGS` readings without tones, the most usual first; what is no character stands for itself."""
    (sounds,) = pinyin(character, style=Style.NORMAL, heteronym=True)
    return tuple(dict.fromkeys(sounds))[:MAX_READINGS]
