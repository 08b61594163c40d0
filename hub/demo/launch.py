"""Starting and ending the five simulated systems as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from hub.clock import SystemClock, today
from hub.errors import StartupError

MODULES: Mapping[str, str] = {
    "justice": "hub.demo.agencies.justice",
    "police": "hub.demo.agencies.police",
    "social-security": "hub.demo.agencies.social_security",
    "civil-affairs": "hub.demo.agencies.civil_affairs",
    "tax": "hub.demo.agencies.tax",
}


class NotReadyError(StartupError):
    """A process of the demo ended before it was ready, or by itself afterwards."""

    code = "DEMO_FAILED"


@dataclass(slots=True, kw_only=True)
class AgencyFleet:
    """All five systems under `directory`. `databases` puts a SQL agency on PostgreSQL instead of SQLite.

    `today`: the day that data are made for, one for all. `progress` is told (agency, made, total) while they are made.
    """

    directory: Path
    people: int
    seed: int
    databases: Mapping[str, str] = field(default_factory=dict)
    today: date = field(default_factory=lambda: today(SystemClock()))
    progress: Callable[[str, int, int], None] = lambda _agency, _made, _total: None
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> Mapping[str, dict[str, Any]]:
        """Start every system and wait until each says where it is.

        Raises:
            NotReadyError: one of them ended first.
        """
        for agency, module in MODULES.items():
            folder = self.directory / agency
            folder.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", module, "--dir", str(folder)]
            command += ["--people", str(self.people), "--seed", str(self.seed), "--today", self.today.isoformat()]
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
            raise NotReadyError("did not start", name=", ".join(sorted(silent)))
        return self.endpoints

    def stop(self) -> None:
        """End what was started here, by pid. May be called again."""
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
        for line in stream:
            said = json.loads(line)
            if "ready" in said:
                del said["ready"]
                self.endpoints[agency] = said
                return
            self.progress(agency, said["made"], said["of"])
