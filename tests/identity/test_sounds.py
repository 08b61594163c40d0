import os
import subprocess
import sys

from hub.identity.sounds import sounds_of

READ_WITH_PHRASES = """
from pypinyin import Style, pinyin
from pypinyin.constants import PHRASES_DICT
assert PHRASES_DICT
for code in range(0x4E00, 0xA000):
    (sounds,) = pinyin(chr(code), style=Style.NORMAL, heteronym=True)
    print(*tuple(dict.fromkeys(sounds))[:3])
"""


def test_a_character_sounds_as_it_does_with_the_dictionary_of_phrases():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYPINYIN")}
    done = subprocess.run(
        [sys.executable, "-c", READ_WITH_PHRASES], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [" ".join(sounds_of(chr(code))) for code in range(0x4E00, 0xA000)]


def test_the_dictionary_of_phrases_is_not_in_memory():
    program = "import sys, hub.identity.names; assert 'pypinyin.phrases_dict' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_is_no_character_stands_for_itself():
    assert sounds_of("x") == ("x",)
