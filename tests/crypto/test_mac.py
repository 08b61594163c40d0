import hmac

from hypothesis import given
from hypothesis import strategies as st

from hub.crypto.mac import keyed_hash


@given(st.binary(max_size=130), st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_every_message_has_the_digest_of_the_standard_library(key, messages):
    digest = keyed_hash(key)
    assert [digest(message) for message in messages] == [hmac.digest(key, message, "sha256") for message in messages]
