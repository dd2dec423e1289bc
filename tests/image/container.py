"""Run the image's containers with runc, as restricted as the chart does: for tests.

A bundle is the unpacked layers and a configuration; the root file system is read-only, nothing may
be gained, no capability is left. The network namespace is the caller's, or a named one.
"""

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_SPACES: Final = ("pid", "ipc", "uts", "mount")
_READ_ONLY: Final = ["nosuid", "noexec", "nodev", "ro"]
_MOUNTS: Final = (
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": _READ_ONLY},
)


def blobs(file: Path) -> tuple[dict[str, Any], list[bytes]]:
    """Return the configuration of the image in the archive *file*, and its layers, compressed."""
    with tarfile.open(file) as archive:

        def read(name: str) -> bytes:
            found = archive.extractfile(name)
            assert found is not None, name
            return found.read()

        (described,) = json.loads(read("index.json"))["manifests"]
        manifest = json.loads(read(_place(described["digest"])))
        configuration: dict[str, Any] = json.loads(read(_place(manifest["config"]["digest"])))
        return configuration, [read(_place(layer["digest"])) for layer in manifest["layers"]]


def unpack(file: Path, root: Path) -> dict[str, Any]:
    """Write the layers of *file* into *root*; return the image's configuration."""
    configuration, layers = blobs(file)
    root.mkdir(parents=True)
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
            archive.extractall(root, filter="fully_trusted")  # noqa: S202 - we made it
    return configuration


def run(
    bundle: Path,
    name: str,
    words: Sequence[str],
    *,
    configuration: Mapping[str, Any],
    netns: Path | None = None,
    shared: Mapping[str, Path] | None = None,
) -> subprocess.Popen[str]:
    """Start the image in *bundle*/rootfs with *words* for its entry point's command line.

    *shared* are directories of ours by their place inside. The container ends with its runc.
    """
    network = {"type": "network"} | ({"path": str(netns)} if netns else {})
    spaces = [{"type": one} for one in _SPACES]
    user, group = (int(one) for one in configuration["config"]["User"].split(":"))
    told = {
        "ociVersion": "1.0.2",
        "root": {"path": str(bundle / "rootfs"), "readonly": True},
        "hostname": name,
        "process": {
            "user": {"uid": user, "gid": group},
            "args": list(words),
            "env": configuration["config"]["Env"],
            "cwd": configuration["config"]["WorkingDir"],
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "mounts": [*_MOUNTS, *(_bind(*one) for one in (shared or {}).items())],
        "linux": {"namespaces": [*spaces, network] if netns else spaces},
    }
    place = bundle / name
    place.mkdir()
    (place / "config.json").write_text(json.dumps(told))
    return subprocess.Popen(
        ["runc", "--root", str(bundle / "state"), "run", "--bundle", str(place), name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill(bundle: Path, name: str) -> None:
    """End a container."""
    base = ["runc", "--root", str(bundle / "state")]
    subprocess.run([*base, "delete", "--force", name], capture_output=True, check=False)


def _bind(inside: str, outside: Path) -> Mapping[str, Any]:
    return {"destination": inside, "type": "bind", "source": str(outside), "options": ["bind"]}


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
