import re
from pathlib import Path

from hub.schema.errors import STATUS

DOC = Path(__file__).parent.parent.parent / "docs" / "errors.md"


def test_the_documented_codes_are_the_codes():
    rows = re.findall(r"^\| ([A-Z_]+) \| (\d{3}) \|", DOC.read_text("utf-8"), re.MULTILINE)
    documented = {code: int(status) for code, status in rows}
    assert (documented.pop("NOT_FOUND"), documented.pop("FORMAT_UNAVAILABLE")) == (404, 501)  # not of /graphql
    assert documented == dict(STATUS)
