"""Run the processes of a pod as a kubelet would, from the workload that an API server has stored.

Each container has a root of its own that is read-only, its mounts (directories of the host,
Secrets, ConfigMaps and tokens as the server gives them), its environment, user and capabilities,
and no way to gain one. It takes root and namespaces that the caller has made: what is mounted and
started here ends with them.
"""

import base64
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.chart.mounted import environment
from tests.cluster.api import ApiError, Document
from tests.cluster.cluster import Cluster
from tests.image.rootfs import TEXTS

_ROOT: Final = Path(__file__).parents[2]
_MERGED: Final = ("bin", "sbin", "lib", "lib64")
"""Directories that most distributions have in /usr."""
_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_PATIENCE: Final = 60.0


class Node:
    """A node: its name and address, its files, and the API server that its kubelet asks."""

    def __init__(self, cluster: Cluster, directory: Path, name: str, address: str) -> None:
        """Keep everything in *directory*; the host's own files are in `files` there."""
        self.cluster = cluster
        self.name = name
        self.address = address
        self.files = directory / "files"
        self.scratch = directory / "scratch"
        for one in (self.files, self.scratch):
            one.mkdir(parents=True)
        for file, text in TEXTS.items():
            (self.scratch / Path(file).name).write_text(text)

    def file(self, path: str) -> Path:
        """Return where the host's *path* is for us."""
        return self.files / path.lstrip("/")


class Pod:
    """One pod of a workload on a node."""

    def __init__(self, node: Node, namespace: str, label: str, template: Document) -> None:
        """Read *template*; start nothing."""
        self._node, self._namespace = node, namespace
        self._spec: Document = template["spec"]
        self._place = node.scratch / label
        self._place.mkdir()
        self._versions = 0
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Run the init containers that end, then start all the others."""
        self.refresh()
        for one in self._spec.get("initContainers", ()):
            if one.get("restartPolicy") != "Always":
                code, said = self.ended(one["name"])
                assert code == 0, f"{one['name']} ended with {code}: {said}"
            else:
                self._start(one)
        for one in self._spec["containers"]:
            self._start(one)

    def refresh(self) -> None:
        """Publish what Secrets, ConfigMaps and tokens hold now."""
        self._versions += 1
        for one in self._volumes():
            files = self._content(one)
            if files is not None:
                _publish(self._place / one["name"], f"..v{self._versions}", files)

    def pid(self, name: str) -> int:
        """Return the first process of a container that runs."""
        process = self._running[name]
        assert process.poll() is None, f"{name} ended with {process.returncode}: {self.log(name)}"
        return process.pid

    def log(self, name: str) -> str:
        """Return all that a container has said."""
        return (self._place / f"{name}.log").read_text(errors="replace")

    def ended(self, name: str) -> tuple[int, str]:
        """Run a container to its end; return how it ended and what it said."""
        every = (*self._spec.get("initContainers", ()), *self._spec["containers"])
        self._start(next(one for one in every if one["name"] == name))
        code = self._running.pop(name).wait(_PATIENCE * 2)
        return code, self.log(name)

    def kill(self) -> None:
        """End every process as a loss of power does."""
        for one in self._running.values():
            for pid in reversed(descendants(one.pid)) if one.poll() is None else ():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            one.wait()

    def _start(self, container: Document) -> None:
        name = container["name"]
        script = self._place / f"{name}.sh"
        script.write_text("\n".join(self._script(container)) + "\n")
        with (self._place / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                ["sh", str(script)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _script(self, container: Document) -> Iterator[str]:
        """Yield the lines that mount the container's root and become its process."""
        root = self._place / f"{container['name']}.root"
        yield "set -e"
        yield f"mkdir -p {root} && mount -t tmpfs -o mode=0755 root {root}"
        for merged in _MERGED:
            link = Path("/", merged)
            if link.is_symlink():
                yield f"ln -s {link.readlink()} {root}/{merged}"
            elif link.is_dir():
                yield _bind(link, root, f"/{merged}", "ro")
        for name in TEXTS:
            yield f"mkdir -p {root}/etc && cp {self._node.scratch / Path(name).name} {root}/etc"
        yield f"[ ! -e /etc/ld.so.cache ] || cp /etc/ld.so.cache {root}/etc"
        for place in _programs():
            yield _bind(Path(place), root, place, "ro")
        yield _bind(Path("/dev"), root, "/dev", "rw")
        yield _bind(Path("/proc"), root, "/proc", "rw")
        yield _bind(Path("/proc/sys"), root, "/proc/sys", "ro")
        for one in self._mounts(container):
            mode = "ro" if one.get("readOnly") else "rw"
            yield _bind(self._source(one["name"]), root, one["mountPath"], mode)
        yield f"mount -o remount,bind,ro {root}"
        yield shlex.join(["exec", "chroot", str(root), *self._line(container)])

    def _line(self, container: Document) -> list[str]:
        """Return the command line of the image's entry point, with its rights."""
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"]["drop"] == ["ALL"]
        added = [one.lower() for one in context["capabilities"].get("add", ())]
        known = self._environment(container)
        words = [_expanded(one, known) for one in container["args"]]
        return [
            *("setpriv", "--no-new-privs", "--inh-caps=-all"),
            "--bounding-set=" + ",".join(("-all", *(f"+{one}" for one in added))),
            *(f"--reuid={context['runAsUser']}", f"--regid={context['runAsGroup']}"),
            f"--groups={self._spec['securityContext']['fsGroup']}",
            *("env", "-i", *(f"{key}={value}" for key, value in known.items())),
            *(sys.executable, "-m", "bgpd.ctl.daemon", *words),
        ]

    def _environment(self, container: Document) -> dict[str, str]:
        node = self._node
        fields = {
            "spec.nodeName": node.name,
            "status.hostIP": node.address,
            "status.podIP": node.address,
        }
        found = {
            "PATH": "/usr/local/bin:/usr/bin:/usr/sbin",
            "PYTHONPATH": str(_ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment(node.cluster),
        }
        for one in container.get("env", ()):
            reference = one.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            found[one["name"]] = fields[reference] if reference else one["value"]
        return found

    def _mounts(self, container: Document) -> list[Document]:
        token = {"name": "account", "mountPath": _ACCOUNT, "readOnly": True}
        automatic = [token] if self._spec["automountServiceAccountToken"] else []
        return [*container.get("volumeMounts", ()), *automatic]

    def _volumes(self) -> list[Document]:
        """Return the volumes, with the one that the API server's admission adds."""
        account = {"name": "account", "projected": {"sources": []}}
        automatic = [account] if self._spec["automountServiceAccountToken"] else []
        return [*self._spec.get("volumes", ()), *automatic]

    def _source(self, name: str) -> Path:
        """Return the directory that a volume is."""
        one = next(each for each in self._volumes() if each["name"] == name)
        if "hostPath" not in one:
            return self._place / name
        place = self._node.file(one["hostPath"]["path"])
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _content(self, volume: Document) -> dict[str, bytes] | None:
        """Return the files of *volume*; None where it is a directory of the host."""
        match volume:
            case {"secret": {"secretName": name}}:
                data = self._data("secrets", name, optional=volume["secret"].get("optional"))
                return {key: base64.b64decode(value) for key, value in data.items()}
            case {"configMap": {"name": name}}:
                data = self._data("configmaps", name)
                return {key: value.encode() for key, value in data.items()}
            case {"projected": _}:
                return self._account()
            case _:
                return None

    def _data(self, kind: str, name: str, *, optional: bool | None = None) -> Mapping[str, str]:
        path = f"/api/v1/namespaces/{self._namespace}/{kind}/{name}"
        try:
            found: Mapping[str, str] = self._node.cluster.api.request("GET", path).get("data", {})
        except ApiError as error:
            if optional and error.status == 404:
                return {}
            raise
        return found

    def _account(self) -> dict[str, bytes]:
        cluster, node = self._node.cluster, self._node.name
        token = cluster.token(self._namespace, self._spec["serviceAccountName"], node=node)
        return {
            "token": token.encode(),
            "ca.crt": cluster.authority.read_bytes(),
            "namespace": self._namespace.encode(),
        }


def descendants(pid: int) -> list[int]:
    """Return *pid* and every process below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has just ended
        children = []
    return [pid, *(one for child in children for one in descendants(int(child)))]


def until(holds: Callable[[], object], seconds: float = _PATIENCE) -> bool:
    """Wait until *holds* does; return whether that came true in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _programs() -> list[str]:
    """Return the directories that hold what runs, each once."""
    places = [Path("/usr"), Path(sys.base_prefix), Path(sys.base_prefix).resolve(), _ROOT]
    found: list[Path] = []
    for one in (*places, Path(sys.prefix)):
        if not any(one.is_relative_to(each) for each in found):
            found.append(one)
    return [str(one) for one in found]


def _bind(source: Path, root: Path, place: str, mode: str) -> str:
    target = f"{root}{place}"
    return f"mkdir -p {target} && mount -o bind,{mode} {source} {target}"


def _expanded(word: str, known: Mapping[str, str]) -> str:
    """Return *word* with each `$(NAME)` replaced, as a kubelet does."""
    for name, value in known.items():
        word = word.replace(f"$({name})", value)
    return word


def _publish(volume: Path, version: str, files: Mapping[str, bytes]) -> None:
    """Publish *files* in the way of the kubelet: a new directory, then the link moved to it."""
    (volume / version).mkdir(parents=True)
    for name, content in files.items():
        path = volume / version / name
        path.write_bytes(content)
        os.chown(path, 0, 65532)
        path.chmod(0o440)
    (volume / "..data_tmp").symlink_to(version)
    (volume / "..data_tmp").rename(volume / "..data")
    for name in files:
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(f"..data/{name}")
    for link in volume.iterdir():
        if not link.name.startswith(".") and link.name not in files:
            link.unlink()
