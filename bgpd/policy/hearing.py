"""What the probes of this node said of each Service, and the verdict that follows.

Any check that failed withholds the Service. A check without an answer changes nothing: what it
said last holds, also what an agent before us heard in the same boot. Only after a boot a Service
waits for its first answers, until all that was asked then has been answered once.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from bgpd.model.health import Health
from bgpd.model.prefix import Address
from bgpd.policy.probing import NODE_PORT, Inquiry, Question, QuestionKey
from bgpd.policy.verdict import UNHEARD, Answer, Verdict, failed, together, unanswered

_WAITS: Final = ""
"""Remembered of a check that was waited for when its agent ended."""


@dataclass(slots=True)
class _Asked:
    """One Service's checks."""

    inquiries: tuple[Inquiry, ...]
    last: dict[str, Answer]
    """By check: what it said last that was not Unknown."""
    waits: set[str]
    """The checks that must answer before the Service is advertised."""

    @property
    def withheld(self) -> dict[str, str]:
        """What withholds it: check -> last answer."""
        said = {
            check: one.message or "unhealthy"
            for check, one in self.last.items()
            if one.health is Health.UNHEALTHY
        }
        return {**dict.fromkeys(sorted(self.waits), _WAITS), **said}


class Moved(NamedTuple):
    """What is asked otherwise."""

    gone: set[QuestionKey]
    """What is asked no more, or anew from the beginning: what it said before is forgotten."""
    asked: dict[QuestionKey, Question]


class Hearing:
    """Questions and answers of all Services that have any."""

    def __init__(
        self,
        node: str,
        *,
        starting: bool = False,
        ports: bool = False,
        withheld: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Let Services wait for answers while *starting*; for that of *ports* where one may come.

        *withheld* is what an agent before us knew in this boot: Service -> check -> last answer.
        """
        self.starting = starting
        self._ports = ports
        self.questions: dict[QuestionKey, Question] = {}
        """What is to be asked now."""
        self._node = node
        self._asked: dict[str, _Asked] = {}
        self._answers: dict[QuestionKey, Answer] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._kept = {key: dict(checks) for key, checks in (withheld or {}).items()}
        self._waiting: set[str] = set()
        self._news = Moved(set(), {})
        self._withheld: dict[str, dict[str, str]] | None = None
        """What `withheld` returned last, as long as it holds: it is looked at each second."""

    def __contains__(self, service: str) -> bool:
        """Return whether anything is asked about *service*."""
        return service in self._asked

    def verdict(self, service: str) -> Verdict | None:
        """Return why *service* is withheld; None where nothing speaks against it."""
        return self._verdicts.get(service)

    def blamed(self, service: str) -> str:
        """Return the HealthCheck that withholds *service*; the empty text: none does."""
        asked = self._asked.get(service)
        failing = None if asked is None else _failing(asked)
        return "" if failing is None else failing.check

    @property
    def waiting(self) -> bool:
        """Whether a Service waits for its first answers."""
        return bool(self._waiting)

    @property
    def withheld(self) -> dict[str, dict[str, str]]:
        """What the next agent should know: Service -> check -> last answer of what is withheld."""
        if self._withheld is None:
            self._withheld = {key: dict(one) for key, one in self._kept.items()}
            for service in sorted(self._verdicts):
                self._withheld[service] = self._asked[service].withheld
        return self._withheld

    def moved(self) -> "Moved":
        """Return what is asked otherwise than when this was called last."""
        found, self._news = self._news, Moved(set(), {})
        return found

    def inquiries(self, service: str) -> tuple[Inquiry, ...]:
        """Return all that is asked about *service*."""
        asked = self._asked.get(service)
        return () if asked is None else asked.inquiries

    def asks_only(self, service: str, at: Address | None, port: int) -> bool:
        """Return whether *port* at the address *at* (None: nothing) is all that is asked of it."""
        asked = self._asked.get(service)
        if asked is None or at is None:
            return asked is None and at is None and service not in self._kept
        if len(asked.inquiries) != 1:
            return False
        (only,) = asked.inquiries[0].questions
        return only.key == (service, NODE_PORT, at, port)

    def services(self) -> Collection[str]:
        """Return the Services about which anything is asked."""
        return self._asked.keys()

    def ask(self, service: str, inquiries: Iterable[Inquiry]) -> bool:
        """Ask *inquiries* about *service* from now on; return whether other questions follow."""
        new = tuple(inquiries)
        known = self._asked.get(service)
        if known is not None and known.inquiries == new:
            return False
        self._withheld = None
        if known is None and not new:
            self._kept.pop(service, None)
            return False
        before = () if known is None else known.inquiries
        self._replace(before, new)
        if new:
            self._asked[service] = self._carried(service, known, new)
        else:
            del self._asked[service]
        self._judge(service)
        return True

    def forget(self, service: str) -> bool:
        """Note that *service* is no more, or not ours; return whether questions go with it."""
        return self.ask(service, ())

    def hear(self, key: QuestionKey, health: Health, message: str) -> bool:
        """Take the answer to one question; return whether the verdict on its Service changed."""
        if key not in self.questions:
            return False
        self._answers[key] = Answer(health=health, message=message)
        return self._judge(key.service)

    def settle(self) -> None:
        """Forget what an agent before us knew of Services that are no more: all have been seen."""
        if self._kept:
            self._kept.clear()
            self._withheld = None

    def give_up(self, undecided: Callable[[QuestionKey], bool]) -> tuple[str, ...]:
        """Wait no more for what may never come; return the Services that waited for it.

        That is a port, which may have nobody behind it, and what is *undecided*: it cannot be
        asked, or answers now well and now not, never as often in a row as it takes; also where
        another address of the same check has its answer. Any other HealthCheck gets one, if only
        that there is none.
        """
        found = []
        for service in sorted(self._waiting):
            asked = self._asked[service]
            vain = {
                one.check
                for one in asked.inquiries
                if one.check == NODE_PORT or all(map(undecided, self._unanswered(one)))
            }
            if asked.waits & vain:
                asked.waits -= vain
                self._judge(service)
                found.append(service)
        return tuple(found)

    def _replace(self, before: tuple[Inquiry, ...], after: tuple[Inquiry, ...]) -> None:
        old = {one.key for inquiry in before for one in inquiry.questions}
        new = {one.key: one for inquiry in after for one in inquiry.questions}
        for key in old - new.keys():
            del self.questions[key]
            self._answers.pop(key, None)
            self._news.gone.add(key)
            self._news.asked.pop(key, None)
        self.questions |= new
        self._news.asked.update(new)

    def _carried(
        self, service: str, known: _Asked | None, inquiries: tuple[Inquiry, ...]
    ) -> _Asked:
        """Return the checks of *service* with what is known of them."""
        names = {one.check for one in inquiries}
        if known is not None:
            last = {check: one for check, one in known.last.items() if check in names}
            new = self._awaited(names - {one.check for one in known.inquiries})
            return _Asked(inquiries, last, (known.waits & names) | new)
        kept = self._kept.pop(service, None)
        if kept is None:
            return _Asked(inquiries, {}, self._awaited(names))
        last = {
            check: Answer(health=Health.UNHEALTHY, message=said)
            for check, said in kept.items()
            if check in names and said != _WAITS
        }
        return _Asked(inquiries, last, {check for check in names if kept.get(check) == _WAITS})

    def _awaited(self, checks: set[str]) -> set[str]:
        """Return those of new *checks* that must answer before their Service is advertised."""
        if not self.starting:
            return set()
        return checks if self._ports else checks - {NODE_PORT}

    def now(self, inquiry: Inquiry) -> Answer:
        """Return what the answers to *inquiry* say together."""
        answers = [self._answers.get(one.key, UNHEARD) for one in inquiry.questions]
        return together(inquiry.target, answers)

    def _unanswered(self, inquiry: Inquiry) -> Iterator[QuestionKey]:
        """Yield what of *inquiry* has no answer that counts."""
        for one in inquiry.questions:
            if self._answers.get(one.key, UNHEARD).health is Health.UNKNOWN:
                yield one.key

    def _judge(self, service: str) -> bool:
        """Work out the verdict on *service*; return whether it is another one."""
        self._withheld = None
        before = self._verdicts.pop(service, None)
        self._waiting.discard(service)
        asked = self._asked.get(service)
        if asked is None:
            return before is not None
        for one in asked.inquiries:
            answer = self.now(one)
            if answer.health is not Health.UNKNOWN:
                asked.last[one.check] = answer
                asked.waits.discard(one.check)
        if asked.waits:
            self._waiting.add(service)
        verdict = self._verdict(asked)
        if verdict is not None:
            self._verdicts[service] = verdict
        return verdict != before

    def _verdict(self, asked: _Asked) -> Verdict | None:
        failing = _failing(asked)
        if failing is not None:
            return failed(failing.check, asked.last[failing.check], successes=failing.successes)
        if asked.waits:
            return unanswered(sorted(asked.waits), self._node)
        return None


def _failing(asked: _Asked) -> Inquiry | None:
    """Return the first check that said no; all of them withhold the Service alike."""
    for one in asked.inquiries:
        last = asked.last.get(one.check)
        if last is not None and last.health is Health.UNHEALTHY:
            return one
    return None
