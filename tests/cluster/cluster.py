"""Start, kill and restart a real API server in a test.

```
with Cluster(directory) as cluster:          # ready in about three seconds
    cluster.apply(documents)
    cluster.kill_api(); cluster.compact(); cluster.restart_api()
```

etcd listens on a unix socket in the directory, the API server on `bind` and a port that stays its
own across restarts. Everything dies with us, whatever becomes of us.
"""

import base64
import ipaddress
import random
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import yaml

from tests.cluster import certificates, commands, etcd
from tests.cluster.api import Api, ApiError, Connection, Document
from tests.cluster.binaries import PROGRAMS, SERVER, required
from tests.cluster.error import EX_USAGE, ClusterError
from tests.cluster.processes import Launcher
from tests.cluster.tokens import LEAST_SECONDS, shortened

_PATIENCE = 120.0
"""Seconds within which the API server is ready, on the slowest machine."""
_POLL = 0.02
_PORTS: Final = range(20000, 32000)
"""Below Linux's ephemeral ports: a client that dials a dead API server from an ephemeral port can,
by chance, reach itself there (RFC 9293, simultaneous open), and believe that it is up."""


class Cluster:
    """etcd and kube-apiserver (and kube-controller-manager) that live as long as we do."""

    def __init__(
        self,
        directory: Path,
        bind: str = "127.0.0.1",
        port: int = 0,
        controllers: bool = False,
        *,
        netns: Path | None = None,
    ) -> None:
        """Keep everything in the new *directory*; serve on *bind* in the network namespace *netns*.

        Port 0 is any free one. With *controllers* the controller manager makes EndpointSlices of
        Pods, collects garbage and gives each namespace its ServiceAccount; without, nobody does.
        """
        self.directory = directory
        self.bind = bind
        self.port = port
        self.controllers = controllers
        self.api = Api(self._connection)
        self._netns = netns
        self._launcher: Launcher | None = None
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._tls: ssl.SSLContext | None = None
        self._refusal: OSError | ApiError | None = None

    @property
    def url(self) -> str:
        """The API server's address, as a client writes it."""
        return f"https://{self._host}:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; it holds all that it needs, so it may be copied."""
        return self.directory / "admin.kubeconfig"

    @property
    def authority(self) -> Path:
        """The certificate that clients trust."""
        return self.directory / "pki" / "ca.crt"

    @property
    def pids(self) -> Mapping[str, int]:
        """The programs that run now."""
        return {name: p.pid for name, p in self._running.items() if p.poll() is None}

    @property
    def programs(self) -> tuple[str, ...]:
        """The programs that this machine has to have."""
        return PROGRAMS if self.controllers else SERVER

    @property
    def clients(self) -> Mapping[str, str]:
        """Who comes with a certificate: the subject of each by name."""
        return certificates.CLIENTS

    def start(self) -> None:
        """Start everything; `ready` tells when it can be used."""
        paths = required(self.programs)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._launcher = Launcher(self._netns)
        self.port = self._launcher.call(self._wanted_port)
        certificates.issue(self.directory / "pki", self._addresses(), self.clients)
        for name in self.clients:
            self.write_kubeconfig(self.directory / f"{name}.kubeconfig", name, self.url)
        self._tls = self._trust()
        self._start("etcd", commands.etcd(paths["etcd"]))
        self._start("kube-apiserver", self._api_command())

    def ready(self, patience: float = _PATIENCE) -> Self:
        """Return when the API server (and with it the controllers) does its work."""
        end = time.monotonic() + patience
        while not self._answers("/readyz") or not self._answers("/api/v1/namespaces/default"):
            self._still_alive(end)
            time.sleep(_POLL)
        if self.controllers:
            if "kube-controller-manager" not in self.pids:
                self._start("kube-controller-manager", self._controllers_command())
            while not self._answers("/api/v1/namespaces/default/serviceaccounts/default"):
                self._still_alive(end)
                time.sleep(_POLL)
        return self

    def kill_api(self) -> None:
        """Kill the API server as a power loss would; etcd keeps what was written."""
        self._kill("kube-apiserver")
        self.api.close()

    def restart_api(self, patience: float = _PATIENCE) -> None:
        """Start the API server again, on the same port and data, and wait until it is ready."""
        self._kill("kube-apiserver")
        self._start("kube-apiserver", self._api_command())
        self.ready(patience)

    def compact(self) -> int:
        """Forget all history but the newest state; return the revision that is the oldest now.

        Also while the API server is dead. A running one still remembers in its own cache: with
        `kill_api` before and `restart_api` after, an older resource version gives status 410.
        """
        return etcd.compact(self.directory)

    def stop(self) -> None:
        """End everything that we started. The directory stays, with its logs."""
        for name in reversed(self._running):
            self._kill(name)
        self._running.clear()
        self.api.close()
        if self._launcher is not None:
            self._launcher.close()
            self._launcher = None

    def apply(
        self, documents: Iterable[Mapping[str, Any]], namespace: str = "default"
    ) -> list[Document]:
        """Write *documents* by server-side apply, in their order; return them as they are now."""
        return [self.api.apply(document, namespace) for document in documents]

    def token(
        self, namespace: str, service_account: str, seconds: int = 3600, node: str | None = None
    ) -> str:
        """Return a token of *service_account*, bound to the Node object *node* where one is named.

        Then the server knows the node's name from it, as it does for a pod's token on that node.
        Any *seconds* go, also negative ones: an expired token. (The server allows a minute more.)
        """
        spec: Document = {"expirationSeconds": max(seconds, LEAST_SECONDS)}
        if node is not None:
            uid = self.api.request("GET", f"/api/v1/nodes/{node}")["metadata"]["uid"]
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        granted: str = self.api.request("POST", path, body)["status"]["token"]
        if seconds >= LEAST_SECONDS:
            return granted
        return shortened(granted, seconds, self.directory / "pki" / "tokens.key")

    def administrator(self) -> Api:
        """Return one more client like `api`, with a connection of its own; close it after use."""
        return Api(self._connection)

    def client(self, token: str) -> Api:
        """Return a client that comes with *token*; close it after use."""
        return Api(lambda: self._connection(certificate=False), token)

    def __enter__(self) -> Self:
        """Start, and wait until it is ready."""
        try:
            self.start()
            return self.ready()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @property
    def _host(self) -> str:
        return f"[{self.bind}]" if ":" in self.bind else self.bind

    def _start(self, name: str, command: Iterable[str]) -> None:
        if self._launcher is None:
            raise ClusterError("the cluster is not started")
        log = self.directory / f"{name}.log"
        self._running[name] = self._launcher.start([*command], self.directory, log)

    def _kill(self, name: str) -> None:
        process = self._running.get(name)
        if process is not None:
            process.kill()
            process.wait()

    def _api_command(self) -> list[str]:
        program = required(SERVER)["kube-apiserver"]
        return commands.apiserver(program, self.bind, self.port, controllers=self.controllers)

    def _controllers_command(self) -> list[str]:
        return commands.controllers(required(PROGRAMS)["kube-controller-manager"])

    def _answers(self, path: str) -> bool:
        try:
            self.api.request("GET", path)
        except (OSError, ApiError) as error:
            self._refusal = error
            return False
        return True

    def _still_alive(self, end: float) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ClusterError(
                    f"{name} ended by itself with status {process.returncode}; "
                    f"its log is {self.directory / name}.log"
                )
        if time.monotonic() > end:
            raise ClusterError(
                f"the API server is not ready: {self._refusal}; the logs are in {self.directory}"
            )

    def _connection(self, *, certificate: bool = True) -> Connection:
        tls = self._tls if certificate else ssl.create_default_context(cafile=self.authority)
        if tls is None:
            raise ClusterError("the cluster is not started")
        return Connection(self.connect, tls, self._host)

    def connect(self) -> socket.socket:
        """Open a connection to the API server, from where it is."""
        launcher = self._launcher
        if launcher is None:
            raise ClusterError("the cluster is not started")
        address = (self.bind, self.port)
        return launcher.call(lambda: socket.create_connection(address, timeout=5))

    def _trust(self) -> ssl.SSLContext:
        pki = self.directory / "pki"
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        return context

    def _addresses(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.bind, "127.0.0.1", commands.SERVICE_ADDRESS)))

    def _wanted_port(self) -> int:
        """Return the port that was asked for, if nobody has it, or a free one."""
        if not self.port:
            return self._free_port()
        if self._has(self.port):
            return self.port
        raise ClusterError(
            f"port {self.port} on {self.bind} is in use: take another one, or 0 for any free one",
            EX_USAGE,
        )

    def _free_port(self) -> int:
        for port in random.sample(_PORTS, 100):
            if self._has(port):
                return port
        raise ClusterError(f"no port is free on {self.bind}")

    def _has(self, port: int) -> bool:
        """Tell whether *port* can be had: a server that just ended there is no hindrance."""
        version = ipaddress.ip_address(self.bind).version
        family = socket.AF_INET6 if version == 6 else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.bind, port))
            except OSError:
                return False
        return True

    def write_kubeconfig(self, path: Path, name: str, url: str) -> None:
        """Write a kubeconfig of the client *name*, which finds the server at *url*."""
        pki = self.directory / "pki"
        user = {
            "client-certificate-data": _encoded(pki / f"{name}.crt"),
            "client-key-data": _encoded(pki / f"{name}.key"),
        }
        server = {"server": url, "certificate-authority-data": _encoded(pki / "ca.crt")}
        path.touch(mode=0o600)
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "test", "cluster": server}],
                    "users": [{"name": name, "user": user}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
                    "current-context": "test",
                }
            )
        )


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
