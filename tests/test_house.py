"""Rules of the house that no linter holds."""

from pathlib import Path

HUB = Path(__file__).parents[1] / "hub"
MOST_LINES = 399
ONE_FILE = {"audit/hub_verify.py"}
"""docs/adr/0018-the-verifier-is-one-file.md"""


def test_modules_have_fewer_than_400_lines():
    long = {
        str(path.relative_to(HUB))
        for path in HUB.rglob("*.py")
        if "node_modules" not in path.parts and len(path.read_text("utf-8").splitlines()) > MOST_LINES
    }
    assert long == ONE_FILE
