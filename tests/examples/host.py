"""A host in namespaces on which the units' own command lines run, beside a BIRD.

Its /etc, /run, /var/lib and /usr/local/bin are its own, so every path is as docs/standalone.md has
it. There is no systemd: user, capabilities and variables of a unit are given by setpriv and env.
At a provider the routers are behind a gateway, and a stand-in serves the provider's document.
"""

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from bgpd.mesh import keys
from tests.exabgp.space import Space, eventually
from tests.examples.birdwords import Route, Session, routes_of, session_of
from tests.examples.place import place_of
from tests.examples.sets import ROOT, Set, documents, from_the_cluster
from tests.examples.units import environment, line, settings

_PORTS: Final = {"ntp": "ntp", "http": "10254", "tcp": "80"}
_OWN: Final = """
set -e
cp /etc/passwd /etc/group {kept}
for one in /etc /run /var/lib /usr/local/bin; do mount -t tmpfs own $one; done
cp {kept}/passwd {kept}/group /etc
cp -r {kept}/etc/. /etc
echo 'hosts: files' >/etc/nsswitch.conf
ln -s {programs}/bgpd {programs}/bgpctl /usr/local/bin
mkdir -p /etc/bgpd/documents /run/bgpd /var/lib/bgpd /run/bird
cp {kept}/documents/* /etc/bgpd/documents
chmod 0600 /etc/bgpd/mesh-key
chown -R {user}:{user} /etc/bgpd /run/bgpd /var/lib/bgpd
"""


def user() -> str:
    """Return the user that the units run as: ours where no other may enter our Python's directory.

    Without the right to override, root is a user like others, of files of its own.
    """
    places = (Path(sys.executable).resolve(), Path(sys.executable), ROOT / "bgpd")
    ways = {parent for place in places for parent in (place, *place.parents)}
    return "65532" if all(way.stat().st_mode & stat.S_IXOTH for way in ways) else "0"


class Host:
    """Node n1 of an example, with the routers that it speaks with."""

    def __init__(self, one: Set, directory: Path) -> None:
        """Make it; start nothing."""
        self._set = one
        self._directory = directory
        self._started: list[subprocess.Popen[bytes]] = []
        self.place = place_of(one, directory)
        self._routers = tuple(self.place.birds)
        self._write()
        self.space = Space()
        self._prepare()

    def _write(self) -> None:
        folder = self._directory / "documents"
        folder.mkdir()
        for number, each in enumerate((*documents(self._set), *from_the_cluster(self._set))):
            (folder / f"{number:02}.yaml").write_text(yaml.safe_dump(each))
        (self._directory / "etc" / "bgpd").mkdir(parents=True)
        (self._directory / "etc" / "bgpd" / "mesh-key").write_text(f"{keys.generate()}\n")
        self.place.write(self._directory)
        for name, words in self.place.birds.items():
            (self._directory / f"{name}.conf").write_text(words)

    def _prepare(self) -> None:
        script = _OWN.format(
            kept=self._directory, programs=Path(sys.executable).parent, user=user()
        )
        self.space.run("sh", "-c", script)
        self.place.lay(self.space)

    def close(self) -> None:
        """End everything."""
        self.space.close()
        for process in self._started:
            # nsenter stops when the program does, and would then not see it end.
            process.send_signal(signal.SIGCONT)
            process.wait()

    def _run(self, name: str, *words: str) -> None:
        self._started.append(self.space.start(*words, log=self._directory / f"{name}.log"))

    def start(self) -> None:
        """Start the routers, the provider, what is asked, and the units."""
        for name in self._routers:
            words = ("bird", "-f", "-c", str(self._directory / f"{name}.conf"))
            self._run(name, *self.place.at_routers, *words, "-s", f"/run/{name}.ctl")
        if self.place.stand_in:
            self._run("provider", *self.place.stand_in)
        self.answer()
        units = ("controller", "speaker", "agent") if self._set.controller else ("speaker", "agent")
        for unit in units:
            self._start_unit(unit)

    def _start_unit(self, unit: str) -> None:
        found = settings(unit, "CapabilityBoundingSet")[0].lower().replace("cap_", "+").split()
        rights = ",".join(("-all", *found))
        own = {"BGPD_NODE": "n1", "BGPD_CLUSTER_UID": "test"}
        variables = {**environment(unit), **own, **self.place.environment}
        self._run(
            unit,
            *("env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin"),
            *(f"{name}={value}" for name, value in variables.items()),
            *("setpriv", f"--reuid={user()}", f"--regid={user()}", "--clear-groups"),
            *("--no-new-privs", f"--bounding-set={rights}", f"--inh-caps={rights}"),
            *(f"--ambient-caps={rights}", "--", *line(unit)),
        )

    def answer(self) -> None:
        """Let the program that the example serves answer."""
        if self._set.asked:
            script = str(ROOT / "tests" / "examples" / "answering.py")
            self._run("answering", sys.executable, "-S", "-E", script, _PORTS[self._set.asked])

    def fall_silent(self) -> None:
        """End that program."""
        found = self.space.run("pgrep", "-f", "tests/examples/answering.py").split()
        self.space.run("kill", "-KILL", *found)

    def routes(self) -> Mapping[str, Mapping[str, Route]]:
        """Return for each router the prefixes that it has."""
        return {name: routes_of(self._birdc(name, "route", "all")) for name in self._routers}

    def sessions(self) -> Mapping[str, Session | None]:
        """Return for each router what it knows of its session with the host."""
        words = ("protocols", "all", "node")
        return {name: session_of(self._birdc(name, *words)) for name in self._routers}

    def _birdc(self, router: str, *words: str) -> str:
        return self.space.run("birdc", "-s", f"/run/{router}.ctl", "show", *words, check=False)

    def wait_for(self, routes: Mapping[str, frozenset[str]]) -> None:
        """Wait until every router has exactly these prefixes."""
        wanted = {name: set(prefixes) for name, prefixes in routes.items()}

        def there() -> bool:
            return {name: set(found) for name, found in self.routes().items()} == wanted

        self.wait_until(there, f"{wanted} at the routers")

    def wait_until(self, there: Callable[[], bool], what: str) -> None:
        """Wait until *there* is true; say what all say where it never is."""
        try:
            eventually(there, what, 60)
        except BaseException as error:
            error.add_note(f"{self.sessions()}\n{self.routes()}\n{self.said()}")
            raise

    def way(self, address: str) -> str:
        """Return the gateway by which the host's kernel sends to *address*."""
        (found,) = json.loads(self.space.run("ip", "-j", "route", "get", address))
        return str(found["gateway"])

    def added_routes(self) -> Mapping[str, str]:
        """Return the gateway of each host route that bears our mark."""
        found: dict[str, str] = {}
        for family in ("-4", "-6"):
            words = ("ip", family, "-j", "route", "show", "proto", "179")
            listed = json.loads(self.space.run(*words, check=False) or "[]")
            found |= {one["dst"]: one["gateway"] for one in listed}
        return found

    def addresses(self) -> set[str]:
        """Return the addresses on the host's interfaces."""
        found: list[dict[str, Any]] = json.loads(self.space.run("ip", "-j", "address", "show"))
        return {each["local"] for one in found for each in one["addr_info"]}

    def bgpctl(self, *words: str) -> Any:
        """Return what bgpctl on the host answers; nothing while nobody tells it anything."""
        return json.loads(self.space.run("bgpctl", *words, "-o", "json", check=False) or "{}")

    def told(self, *fields: str) -> Mapping[str, tuple[Any, ...]]:
        """Return what bgpctl says of each session in *fields*."""
        listed = self.bgpctl("get", "sessions").get("items", ())
        return {one["name"]: tuple(one["status"][each] for each in fields) for one in listed}

    def said(self) -> str:
        """Return the end of what each process wrote."""
        logs = sorted(self._directory.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in logs)
