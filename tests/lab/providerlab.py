"""A provider while a lab stands for it: its metadata server, its passwords, its name."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.lab.metadata import ASKED, DOCUMENTS, PORT
from tests.lab.nodes import HERE, NodeSource, until
from tests.lab.plan import FABRIC, Plan, router_space
from tests.lab.providerdocuments import PASSWORD_DIRECTORY, metadata
from tests.lab.providernet import site_of
from tests.lab.topology import inside


class Provider:
    """What a provider runs besides its routers."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        """Prepare; nothing is started yet."""
        self.plan = plan
        self.site = site_of(plan)
        self.directory = directory
        directory.mkdir()
        self.passwords: dict[str, dict[int, str]] = {}
        """Node -> router -> what the metadata says, where it is not the site's password."""
        self.process: subprocess.Popen[bytes] | None = None
        self.hosts = directory / "hosts"
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        if self.site.metadata:
            lines.append(f"{self.site.metadata_address} {self.site.metadata}")
        self.hosts.write_text("\n".join(lines) + "\n")
        self.password_file = directory / "password"
        self.password_file.write_text(self.site.password)
        self.password_file.chmod(0o600)

    def start(self) -> None:
        """Start the metadata server and wait until it answers, where the provider has one."""
        if not self.site.metadata or self.process is not None:
            return
        self.write()
        space = router_space(1) if self.site.told_by_a_router else FABRIC
        with (self.directory / "metadata.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*inside(space), sys.executable, "-S", "-E", str(HERE / "metadata.py"),
                 str(self.directory), self.site.metadata_address],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        words = (*inside(space), "ss", "-Hltn", f"sport = :{PORT}")
        until(lambda: bool(_output(words)), 60, "the metadata server does not listen", 0.02)

    def write(self) -> None:
        """Tell each node what is true now."""
        told = metadata(self.plan, self.passwords)
        temporary = self.directory / f".{DOCUMENTS}"
        temporary.write_text(json.dumps(told, indent=1))
        temporary.replace(self.directory / DOCUMENTS)

    def stop(self) -> None:
        """End the metadata server: whoever asks is refused."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def asked(self) -> list[Mapping[str, Any]]:
        """Return every question so far: when, by whom, for what."""
        path = self.directory / ASKED
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def of_node(self, source: NodeSource) -> NodeSource:
        """Return *source* with what a node at this provider has besides: the name."""
        return NodeSource(
            word=source.word,
            binds={**source.binds, self.hosts: "/etc/hosts", **self._secrets()},
            environment=source.environment,
        )

    def _secrets(self) -> dict[Path, str]:
        """Return where the password is that the customer brings, because nobody tells it."""
        return {} if self.site.told else {self.password_file.parent: PASSWORD_DIRECTORY}


def _output(words: tuple[str, ...]) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout
