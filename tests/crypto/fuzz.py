"""Fuzzes what takes foreign bytes apart: envelopes, opened values, ids and cursors. `python tests/crypto/fuzz.py -runs=N`"""

import sys
from contextlib import suppress
from functools import partial

import atheris

with atheris.instrument_imports(include=["hub"]):
    from hub.crypto.envelope import Envelope, Place
    from hub.crypto.keyring import KeyRing
    from hub.crypto.opener import Opener
    from hub.crypto.pairwise import PairwiseIds
    from hub.crypto.providers import FileKeyProvider
    from hub.crypto.suites import Digest
    from hub.errors import KeyMaterialError, SealedValueError

RING = KeyRing(keys={f"seal:tax:{cls}": {1: bytes(32)} for cls in (2, 3, 4)})
OPENER = Opener(RING)
PLACE = Place(agency="tax", table="t", column="c", row="1")
IDS = [PairwiseIds(bytes(32)), PairwiseIds(bytes(32), Digest.SM3)]
KNOWN = b"\x11\x03\x00\x00\x01"  # a header that leads to a key
PROVIDER = FileKeyProvider(bytes(32))
AT, OF_PERSONS = OPENER.at("tax", "t", "c"), OPENER.of_persons("tax", "t", "c")


def one(data: bytes) -> None:
    """Nothing but the errors that are promised; what decodes encodes to the same bytes."""
    for raw in (data, KNOWN + data):
        with suppress(SealedValueError):
            assert Envelope.decode(raw).encode() == raw
        for opening in (partial(OPENER.open, PLACE, raw), partial(AT, "1", raw), partial(OF_PERSONS, "1", raw, b"s")):
            try:
                opening()
            except SealedValueError:
                continue
            raise AssertionError("noise opened")
    try:
        PROVIDER.unwrap("a/1", data)
    except KeyMaterialError:
        pass
    else:
        raise AssertionError("noise unwrapped")
    text = data.decode("latin-1")
    for ids in IDS:
        assert ids.open("tax", text) is None


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
