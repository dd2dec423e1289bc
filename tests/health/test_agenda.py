"""Moments are kept in order, and those of jobs that are gone do not pile up."""

from bgpd.health.agenda import Agenda
from bgpd.health.job import Job
from bgpd.health.run import Run
from bgpd.model.health import TCPSocket
from bgpd.model.prefix import Address


def run(key: str) -> Run:
    """Return a run of a job of that name."""
    return Run(Job(key=key, probe=TCPSocket(), address=Address("127.0.0.1"), port=1), 0.0)


def test_earliest_first_and_overdue_before_due() -> None:
    """A job that is overdue and due at one instant is first given up, then asked again."""
    agenda, one, two = Agenda(), run("one"), run("two")
    agenda.add(2.0, one, due=True)
    agenda.add(2.0, two, due=False)
    agenda.add(1.0, one, due=True)
    agenda.add(3.0, two, due=True)
    assert agenda.earliest() == 1.0
    taken = [(moment.when, moment.due, moment.run.job.key) for moment in agenda.take(2.0)]
    assert taken == [(1.0, True, "one"), (2.0, False, "two"), (2.0, True, "one")]
    assert agenda.earliest() == 3.0


def test_jobs_that_come_and_go_leave_nothing_behind() -> None:
    """An hour's period does not keep a job of yesterday in memory."""
    agenda = Agenda()
    for number in range(10_000):
        gone = run(str(number))
        agenda.add(3600.0 + number, gone, due=True)
        gone.alive = False
        agenda.forget()
    assert len(agenda) < 200
