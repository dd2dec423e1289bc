"""The parts of this node that its standing depends on: its links, kubelet and kube-proxy."""

from collections.abc import Callable
from typing import Final

from bgpd.host.facts import HostFacts, judge, without_gateway
from bgpd.model.health import Health, LocalHealthPolicy
from bgpd.policy.probing import Question, part_question
from bgpd.policy.standing import CARRIER, GATEWAY, KUBE_PROXY, KUBELET, Evidence

_ASKED: Final = (KUBELET, KUBE_PROXY)


class Parts:
    """What a policy wants to be looked at, and what was seen of it."""

    def __init__(self, evidence: Evidence, clock: Callable[[], float]) -> None:
        self.evidence = evidence
        self.questions: tuple[Question, ...] = ()
        """What is to be asked."""
        self._clock = clock
        self._facts = HostFacts()
        self._policy: LocalHealthPolicy | None = None

    @property
    def heard(self) -> tuple[str, ...]:
        """Those that were healthy since the boot, of those that may be away before one is."""
        return tuple(sorted(self.evidence.heard.intersection(_ASKED)))

    def follow(self, policy: LocalHealthPolicy) -> None:
        """Look at what *policy* wants, and forget the rest."""
        self._policy = policy
        found = []
        for part, url in ((KUBELET, policy.kubelet), (KUBE_PROXY, policy.kube_proxy)):
            question = part_question(part, url) if url else None
            if question is None:
                self.evidence.forget(part)
            else:
                found.append(question)
                if part not in self.evidence.node:
                    # Otherwise its last answer stands: the next one may be the same, and no news.
                    self.evidence.observe(part, Health.UNKNOWN, "not asked yet", self._clock())
        self.questions = tuple(found)
        self._judge()

    def answered(self, part: str, health: Health, message: str) -> bool:
        """Take in what *part* answers; return whether that is news."""
        return self.evidence.observe(part, health, message, self._clock())

    def saw(self, facts: HostFacts) -> bool:
        """Take in what the kernel says of the way to the peers; return whether that is news."""
        self._facts = facts
        return self._judge()

    def _judge(self) -> bool:
        policy, news = self._policy, False
        if policy is None:
            return False
        if without_gateway(self._facts):
            # One that was silent is none any more: nobody will ever hear of it again.
            news = self._leave(GATEWAY)
        wanted = {CARRIER: policy.carrier, GATEWAY: policy.gateway}
        for part, (health, sentence) in judge(self._facts).items():
            if wanted[part]:
                news |= self.evidence.observe(part, health, sentence, self._clock())
            else:
                news |= self.evidence.forget(part)
        return news

    def _leave(self, part: str) -> bool:
        """Doubt *part* no longer; return whether that is news."""
        doubted = self.evidence.health(part) is Health.UNHEALTHY
        return doubted and self.evidence.forget(part)
