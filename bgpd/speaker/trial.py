"""A trial: one spare prefix, advertised for a moment to find out what moves a router's traffic.

`bgpctl probe` asks for it, and asks again before its lease runs out: whoever is interrupted, killed
or cut off puts everything back by saying nothing. The attributes are those that a takeover would
send, made by the same function: *worse* is generation 1, *better* generation 2. The last gate
stays: a trial is for an address inside the pools that nothing of ours is advertised at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from bgpd.model.errors import ConfigError
from bgpd.model.peer import Lever, Peer, PeerName, Takeover
from bgpd.model.prefix import Prefix, host_prefix, parse_address
from bgpd.model.route import Advertisement, Attributes
from bgpd.policy.lever import Stance, attributes
from bgpd.speaker.desired import DesiredState
from bgpd.speaker.offer import Offer
from bgpd.speaker.outbox import Outbox
from bgpd.speaker.sessions import Sessions
from bgpd.speaker.situation import Situation

MOST_SECONDS: Final = 10.0
"""The longest lease: so long a route may outlive whoever asked for it."""
_WORSE: Final = 1
_BETTER: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is tried, by whom, and for how long unless it is asked for again."""

    owner: str
    """Whoever asks: nobody else changes the trial while it lasts."""
    prefix: Prefix
    lever: Lever = Lever.NONE
    better: bool = False
    communities: tuple[str, ...] = ()
    seconds: float = 3.0
    peers: frozenset[PeerName] = frozenset()
    """Empty: every peer that has a session."""

    def to(self, peer: Peer) -> Attributes | None:
        """Return what *peer* hears; None where it does not speak the family."""
        wish = Advertisement(peer=peer.name, prefix=self.prefix, communities=self.communities)
        stance = Stance(generation=_BETTER if self.better else _WORSE)
        # A peer without takeovers is asked as well: whether they would work is the question.
        taught = replace(peer, lever=self.lever, takeover=Takeover.ALWAYS)
        verdict = attributes(wish, taught, stance)
        return verdict if isinstance(verdict, Attributes) else None


def parsed(arguments: Mapping[str, str]) -> Trial:
    """Return the trial that the *arguments* of a question mean; raise `ConfigError`."""
    try:
        seconds = float(arguments.get("seconds", "3"))
        if not 0 < seconds <= MOST_SECONDS:
            raise ConfigError(f"seconds: {seconds:g} must be more than 0, at most {MOST_SECONDS:g}")
        trial = Trial(
            owner=arguments["owner"],
            prefix=host_prefix(parse_address(arguments["address"])),
            lever=Lever(arguments.get("lever", "none")),
            better=arguments.get("better") == "true",
            communities=tuple(sorted(arguments.get("communities", "").split())),
            seconds=seconds,
            peers=frozenset(map(PeerName, arguments.get("peers", "").split())),
        )
        Advertisement(peer=PeerName(""), prefix=trial.prefix, communities=trial.communities)
    except KeyError as error:
        raise ConfigError(f"{error.args[0]}: a trial needs it") from None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return trial


class Trials:
    """The one trial that may run, and its end."""

    def __init__(
        self, *, offer: Offer, situation: Situation, sessions: Sessions, outbox: Outbox
    ) -> None:
        """Begin without one."""
        self.deadline: float | None = None
        """When the lease runs out; None: nothing is tried."""
        self._offer = offer
        self._situation = situation
        self._sessions = sessions
        self._outbox = outbox
        self._trial: Trial | None = None

    @property
    def running(self) -> bool:
        """Whether something is tried now."""
        return self._trial is not None

    def ask(self, trial: Trial, now: float) -> tuple[PeerName, ...]:
        """Begin, change or prolong *trial* and return who hears it; raise `ConfigError`."""
        desired = self._possible(trial)
        peers = self._peers(trial, desired)
        routes = {
            peer.name: {trial.prefix: said}
            for peer in peers
            if (said := trial.to(peer)) is not None
        }
        if not routes:
            raise ConfigError(f"no session is up with a peer that could hear {trial.prefix}")
        if self._trial is None:
            self._outbox.note("info", "trial_began", prefix=trial.prefix, peers=", ".join(routes))
        self._trial, self.deadline = trial, now + trial.seconds
        self._offer.attempt(routes, now)
        return tuple(routes)

    def end(self, owner: str, now: float) -> None:
        """Put back what the trial of *owner* changed."""
        if self._trial is not None and self._trial.owner == owner:
            self._end("it was ended", now)

    def handle_timer(self, now: float) -> None:
        """Put everything back when the lease has run out, or when the address is in use."""
        if self._trial is None or self.deadline is None:
            return
        if now >= self.deadline:
            self._end("nobody prolonged it", now)

    def _end(self, why: str, now: float) -> None:
        trial, self._trial, self.deadline = self._trial, None, None
        if trial is not None:
            self._outbox.note("info", "trial_ended", prefix=trial.prefix, reason=why)
        self._offer.attempt({}, now)

    def _possible(self, trial: Trial) -> DesiredState:
        """Return what is desired; raise `ConfigError` where *trial* may not begin or go on."""
        desired = self._offer.desired
        if desired is None or not self._offer.advertising:
            raise ConfigError("this speaker advertises nothing yet")
        if self._trial is not None and self._trial.owner != trial.owner:
            raise ConfigError(f"another probe tries {self._trial.prefix} here; wait for its end")
        if self._situation.drain_causes:
            raise ConfigError("this node is drained or ends: probe from another one")
        if desired.fence.refusal(trial.prefix) is not None:
            raise ConfigError(f"{trial.prefix} is in no IPAddressPool; name a spare address of one")
        if any(trial.prefix in routes for routes in desired.advertisements.values()):
            raise ConfigError(f"{trial.prefix} belongs to a Service here; name a spare address")
        return desired

    def _peers(self, trial: Trial, desired: DesiredState) -> tuple[Peer, ...]:
        """Return whom the trial is for; raise `ConfigError` for one that has no room or session."""
        for name in sorted(trial.peers - desired.peers.keys()):
            raise ConfigError(f"there is no peer {name} here")
        found = []
        for name, peer in sorted(desired.peers.items()):
            if trial.peers and name not in trial.peers:
                continue
            if not self._sessions.established(peer):
                continue
            if not self._offer.rib.has_room(peer, trial.prefix):
                raise ConfigError(
                    f"peer {name} takes {peer.max_prefixes} prefixes and has them: there is no"
                    " room for a spare one"
                )
            found.append(peer)
        return tuple(found)
