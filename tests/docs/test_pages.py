"""Every page is on the map, every link leads somewhere, every command is one that there is."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.pages import (
    DOCS,
    KINDS,
    MAP,
    ROOT,
    Call,
    anchors,
    calls,
    complaint,
    links,
    named,
    pages,
    target,
)

_ON_PURPOSE = {("get", "sesions")}
"""What a page shows because it is wrong."""


def test_the_map_has_every_page_once() -> None:
    """Whoever adds a page says in docs/README.md of which kind it is."""
    leads = Counter(target(MAP, link)[0] for link in links(MAP.read_text()))
    there = {page for page in pages() if page.is_relative_to(DOCS) and page != MAP}
    assert sorted(named(page) for page in there - leads.keys()) == []
    assert sorted(named(page) for page, times in leads.items() if times > 1) == []


def test_the_map_has_the_four_kinds() -> None:
    """A learner, a worker, a thinker and a reader look in different places."""
    headings = re.findall(r"^## ([\w-]+)", MAP.read_text(), re.MULTILINE)
    assert tuple(headings[: len(KINDS)]) == KINDS


@pytest.mark.parametrize("page", pages(), ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file that there is and, where one is named, to a heading in it."""
    dead = []
    for link in links(page.read_text()):
        file, heading = target(page, link)
        known = anchors(file) if heading and file.suffix == ".md" and file.exists() else ()
        if not file.exists() or (known and heading not in known):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", pages(), ids=named)
def test_a_command_of_a_page_is_one_that_there_is(page: Path) -> None:
    """At night nobody wants to learn that an option has another name."""
    wrong = {
        f"{call.program} {' '.join(call.words)}: {said}"
        for call in calls(page.read_text())
        if (said := complaint(call)) and call.words not in _ON_PURPOSE
    }
    assert wrong == set()


def test_pages_call_our_programs_often() -> None:
    """A pattern that finds nothing would find nothing wrong."""
    found = {
        (call.program, *call.words[:1]) for page in pages() for call in calls(page.read_text())
    }
    wanted = {("bgpctl", "explain"), ("bgpctl", "drain"), ("kubectl bgpd", "status")}
    assert wanted <= found
    assert ("bgpd", "mesh-key") in found


PAGE = """
Type `bgpctl status -o wide`, or `bgpctl validate` and `bgpctl explain node && reboot`.

```sh
x=$(bgpctl get sessions -o name | head -n 1)   # bgpctl nonsense
kubectl exec pod -- bgpctl drain --wait \\
    --timeout 3
bgpctl explain [--node N] web; kubectl bgpd top
```

```text
$ bgpctl version
bgpctl: an answer
```
"""


def test_calls_are_found_as_a_shell_takes_them() -> None:
    """Up to a pipe or the next command, without comments, brackets and answers."""
    assert [(call.program, *call.words) for call in calls(PAGE)] == [
        ("bgpctl", "get", "sessions", "-o", "name"),
        ("bgpctl", "drain", "--wait", "--timeout", "3"),
        ("bgpctl", "explain", "web"),
        ("kubectl bgpd", "top"),
        ("bgpctl", "version"),
        ("bgpctl", "status", "-o", "wide"),
        ("bgpctl", "validate"),
        ("bgpctl", "explain", "node"),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("status -o wide", "", id="one that there is"),
        pytest.param("status --wide", "No such option", id="an option that is not there"),
        pytest.param("timeline --last soon", "integer", id="a value that is none"),
        pytest.param("generation", "is none of reset", id="half a command"),
        pytest.param("stats", "is none of", id="no command"),
        pytest.param("get sesions", "no list of 'sesions'", id="no list"),
        pytest.param("doctor --only mesh,luck", "knows no luck", id="no check"),
        pytest.param("get", "Missing", id="a word is missing"),
    ],
)
def test_a_command_that_is_not_one_is_found_out(line: str, said: str) -> None:
    """By the program's own parser, not by a list of ours."""
    found = complaint(Call(program="bgpctl", words=tuple(line.split()), whole=True))
    assert (said in found) if said else found == ""


def test_a_sentence_may_name_a_command_without_its_words() -> None:
    """Nobody types that; with an option that is not there it is wrong all the same."""
    assert complaint(Call(program="bgpctl", words=("validate",), whole=False)) == ""
    wrong = Call(program="bgpctl", words=("validate", "--all"), whole=False)
    assert "No such option" in complaint(wrong)


def test_headings_are_named_as_links_name_them() -> None:
    """Marks fall away, blanks become hyphens."""
    assert "what-is-added-routes-to-peers" in anchors(DOCS / "host.md")
    assert "restarting-the-speaker" in anchors(DOCS / "drain.md")
    assert target(MAP, "../README.md#limits") == (ROOT / "README.md", "limits")
