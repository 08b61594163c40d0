"""Starting and ending the five simulated systems as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODULES: Mapping[str, str] = {
    "justice": "hub.demo.agencies.justice",
    "police": "hub.demo.agencies.police",
    "social-security": "hub.demo.agencies.social_security",
    "civil-affairs": "hub.demo.agencies.civil_affairs",
    "tax": "hub.demo.agencies.tax",
}


class AgencyNotReadyError(RuntimeError):
    """A simulated system ended before it was ready."""


@dataclass(slots=True, kw_only=True)
class AgencyFleet:
    """All five systems under `directory`. `databases` puts a SQL agency on PostgreSQL instead of SQLite."""

    directory: Path
    people: int
    seed: int
    databases: Mapping[str, str] = field(default_factory=dict)
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> Mapping[str, dict[str, Any]]:
        """Start every system and wait until each says where it is.

        Raises:
            AgencyNotReadyError: one of them ended first.
        """
        for agency, module in MODULES.items():
            folder = self.directory / agency
            folder.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", module, "--dir", str(folder)]
            command += ["--people", str(self.people), "--seed", str(self.seed)]
            if agency in self.databases:
                command += ["--database-url", self.databases[agency]]
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
            self.processes[agency] = subprocess.Popen(
                command, stdout=subprocess.PIPE, env=environment, start_new_session=True
            )
        waits = [threading.Thread(target=self._wait, args=(agency,)) for agency in MODULES]
        for wait in waits:
            wait.start()
        for wait in waits:
            wait.join()
        silent = MODULES.keys() - self.endpoints.keys()
        if silent:
            self.stop()
            raise AgencyNotReadyError(f"did not start: {', '.join(sorted(silent))}")
        return self.endpoints

    def stop(self) -> None:
        """End what was started here, by pid."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def ended(self) -> list[str]:
        """Systems that ended by themselves."""
        return [agency for agency, process in self.processes.items() if process.poll() is not None]

    def _wait(self, agency: str) -> None:
        stream = self.processes[agency].stdout
        assert stream is not None
        line = stream.readline()
        if line:
            said = json.loads(line)
            said.pop("ready")
            self.endpoints[agency] = said
