"""Run the real helm, 3 or 4, as a user does."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.error import ClusterError

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "charts" / "bgpd"
NAMESPACE: Final = "bgpd-system"
_RELEASE: Final = "bgpd"
_PATIENCE: Final = "300s"


class Helm:
    """One helm, against one cluster, with one file of values."""

    def __init__(self, major: int, kubeconfig: Path, values: Mapping[str, Any]) -> None:
        """Use helm *major*; *values* are all that is said to the chart."""
        self.major = major
        self.program = tools() / f"helm{major}"
        self.home = kubeconfig.parent / "helm"
        self.home.mkdir(exist_ok=True)
        self._values = self.home / "values.yaml"
        self._values.write_text(yaml.safe_dump(dict(values)))
        self.kubeconfig = kubeconfig

    def install(self) -> None:
        """Install, and wait."""
        self._run("install", _RELEASE, str(CHART), "--create-namespace", *self._said())

    def upgrade(self, *said: str) -> None:
        """Upgrade with more said on the command line, and wait."""
        self._run("upgrade", _RELEASE, str(CHART), *self._said(), *said)

    def uninstall(self) -> None:
        """Uninstall, and wait."""
        self._run("uninstall", _RELEASE, "--wait", "--timeout", _PATIENCE)

    def _said(self) -> tuple[str, ...]:
        return ("--values", str(self._values), "--wait", "--timeout", _PATIENCE)

    def _run(self, *words: str) -> None:
        """Run helm with a home of its own: nothing of the caller's comes in."""
        own = {"HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig), "PATH": "/usr/bin"}
        done = subprocess.run(
            [str(self.program), *words, "--namespace", NAMESPACE],
            env=own,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ClusterError(f"helm {words[0]}: {(done.stderr or done.stdout).strip()}")


def tools() -> Path:
    """Return the directory with helm 3 and helm 4, which are fetched once."""
    done = subprocess.run(
        [str(ROOT / "scripts" / "tools")], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ClusterError(done.stderr.strip(), done.returncode)
    return Path(done.stdout.strip())
