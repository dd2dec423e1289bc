"""A user's shell, and what pages of the documentation say to type into it."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.cluster.binaries import required
from tests.cluster.error import ClusterError
from tests.e2e.helm import ROOT

_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OURS: Final = {
    "bgpctl": "bgpd.ctl.start",
    "kubectl-bgpd": "bgpd.ctl.start",
    "bgpd": "bgpd.ctl.daemon",
}
_SCRIPT: Final = """\
#!{python}
import sys
sys.path.insert(0, "{root}")
from {module} import main
sys.exit(main())
"""


def commands(page: str, heading: str) -> str:
    """Return the first block of commands below *heading* of a *page* of docs/."""
    text = (ROOT / "docs" / page).read_text()
    _, found, below = text.partition(f"\n## {heading}\n")
    block = _BLOCK.search(below.partition("\n## ")[0])
    if not found or block is None:
        raise ClusterError(f"docs/{page}: no commands below {heading!r}")
    return block[1]


class Shell:
    """A workstation with helm, kubectl and bgpctl; it has been told of one cluster."""

    def __init__(self, home: Path, kubeconfig: Path, helm: Path) -> None:
        """Keep everything in *home*: nothing of the caller's comes in."""
        programs = home / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        for name, program in {"helm": helm, "kubectl": required(["kubectl"])["kubectl"]}.items():
            (programs / name).unlink(missing_ok=True)
            (programs / name).symlink_to(program)
        for name, module in _OURS.items():
            text = _SCRIPT.format(python=sys.executable, root=ROOT, module=module)
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self._environment = {
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig),
            "PATH": f"{programs}:/usr/bin:/bin",
        }

    def run(self, script: str, words: Mapping[str, str] | None = None) -> str:
        """Run *script*, with *words* as variables; return what it prints."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT,
            env={**self._environment, **(words or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ClusterError(f"{script.strip()}: {(done.stderr or done.stdout).strip()}")
        return done.stdout
