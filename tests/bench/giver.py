"""Speakers with the controller beside them that gives Services their addresses.

The controller has a network namespace of its own on the API server's bridge, so that the kernel
can tell what it reads and writes, and when, without a word from it.
"""

import contextlib
import os
import socket
import struct
import subprocess
from pathlib import Path
from typing import Final, Protocol

from tests.bench import metallb
from tests.cluster.cluster import Cluster
from tests.lab import documents
from tests.lab.nodes import PROGRAMS, until
from tests.lab.plan import API_ADDRESS, API_PORT, LabError
from tests.lab.topology import batch, inside, run, within
from tests.lab.watch import monotonic_at_epoch
from tests.lab.wire import tcp_segment

NETNS: Final = "controller"
_DEVICE: Final = "c1"
_ADDRESS: Final = "10.98.250.1"
_ACCOUNT: Final = "bgpd-controller"
_MOUNTED: Final = "/run/secrets/kubernetes.io/serviceaccount"
_MOUNT: Final = (
    f'mount -t tmpfs tmpfs /run && mkdir -p {_MOUNTED} && cp "$0"/* {_MOUNTED} && exec "$@"'
)
_PATIENCE: Final = 60.0
_LARGEST_SEGMENT: Final = 1 << 16
_BUFFER: Final = 16 << 20
_ETH_P_ALL: Final = 0x0003
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33


class Speaker(Protocol):
    """Who advertises (`tests.bench.rig.Speaker`)."""

    name: str

    def start(self) -> float:
        """Start, and return when the first of its processes did."""

    def stop(self) -> None:
        """End at once, and forget everything."""


class Controller(Protocol):
    """Who gives addresses."""

    def start(self) -> None:
        """Return when it works."""

    def stop(self) -> None:
        """Return when it has ended."""


class OurController:
    """`bgpd controller`, with the account that the chart gives its pod."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        """Keep its account and its log in *directory*."""
        self._cluster = cluster
        self._account = directory / "account"
        self._log = directory / "controller.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it leads."""
        self._account.mkdir(parents=True, exist_ok=True)
        (self._account / "namespace").write_text(documents.NAMESPACE)
        (self._account / "ca.crt").write_bytes(self._cluster.authority.read_bytes())
        token = self._cluster.token(documents.NAMESPACE, _ACCOUNT)
        (self._account / "token").write_text(token)
        environment = {
            "KUBERNETES_SERVICE_HOST": API_ADDRESS,
            "KUBERNETES_SERVICE_PORT": str(API_PORT),
        }
        program = [str(PROGRAMS / "bgpd"), "controller", "--source=kubernetes"]
        mount = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNT)
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [*inside(NETNS), *mount, str(self._account), *program],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        until(self._leads, _PATIENCE, f"bgpd controller does not lead; see {self._log}")

    def stop(self) -> None:
        """End it in order: it gives its Lease back, so that the next one need not wait."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_PATIENCE)
            self._process = None

    def _leads(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"bgpd controller ended; see {self._log}")
        return "leading" in self._log.read_text().replace("not_leading", "")


class MetalLBController:
    """MetalLB's controller."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        """Keep its log in *directory*."""
        self._cluster = cluster
        self._log = directory / "metallb-controller.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it has no election."""
        self._process = metallb.start_controller(self._cluster, NETNS, self._log)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            metallb.stop(self._process)
            self._process = None


class Giving:
    """A speaker and its controller, as one to be measured."""

    def __init__(self, speaker: Speaker, controller: Controller) -> None:
        """Be called what *speaker* is called."""
        self.name = speaker.name
        self._speaker = speaker
        self._controller = controller

    def start(self) -> float:
        """Start both; return when the speaker's first process started."""
        self._controller.start()
        return self._speaker.start()

    def stop(self) -> None:
        """End both."""
        self._speaker.stop()
        self._controller.stop()


def connect() -> None:
    """Make the controller's network namespace, with a cable to the API server's bridge."""
    run("ip", "netns", "add", NETNS)
    batch([f"link add {_DEVICE} netns {NETNS} type veth peer name {_DEVICE} netns api"])
    batch([f"link set {_DEVICE} master mgmt up"], "api")
    address = f"addr add {_ADDRESS}/16 dev {_DEVICE}"
    batch(["link set lo up", address, f"link set {_DEVICE} up"], NETNS)


class Tap:
    """When data reached the controller and left it: read afterwards, so that it disturbs nobody."""

    def __init__(self) -> None:
        """Open the socket; the kernel keeps and stamps what passes."""
        with within(NETNS):
            self._capture = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._capture.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._capture.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            self._capture.bind((_DEVICE, _ETH_P_ALL))
        self._capture.setblocking(False)
        self._monotonic_at_epoch = monotonic_at_epoch()

    def seen(self) -> tuple[list[float], list[float]]:
        """Return when segments with data arrived since the last call, and when some left."""
        arrived: list[float] = []
        left: list[float] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, ancillary, _, _ = self._capture.recvmsg(_LARGEST_SEGMENT, 128)
                segment = tcp_segment(frame)
                if segment and segment[1]:
                    seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2][:16])
                    at = seconds + nanoseconds / 1e9 + self._monotonic_at_epoch
                    (arrived if segment[0] == API_ADDRESS else left).append(at)
        return arrived, left

    def close(self) -> None:
        """Close the socket."""
        self._capture.close()
