import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FULL

FUZZ = Path(__file__).with_name("fuzz.py")


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris has no wheel for this Python; properties in test_sealing.py and test_pairwise.py feed noise instead",
)
def test_foreign_bytes_crash_nothing(tmp_path):
    runs = 2_000_000 if FULL else 20_000
    command = [sys.executable, str(FUZZ), f"-runs={runs}", "-max_len=120", "-seed=1", f"-artifact_prefix={tmp_path}/"]
    environment = {**os.environ, "PYTHONPATH": str(FUZZ.parent.parent.parent)}
    found = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert found.returncode == 0, found.stderr[-2_000:]
    assert f"Done {runs} runs" in found.stderr
