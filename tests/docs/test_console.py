"""What a page shows is compared strictly enough to catch a command that says something else."""

import pytest

from tests.docs.console import Step, differs, steps

PAGE = """
Text.

```console
$ one --two
first ...
...
last
$ false  # exit status 1
```

```text
$ not me
```
"""


def test_commands_are_found_with_what_they_print() -> None:
    """Only console blocks, in their order, with the exit status that is said."""
    assert list(steps(PAGE)) == [
        Step(command="one --two", shown=["first ...", "...", "last"]),
        Step(command="false", status=1),
    ]


@pytest.mark.parametrize(
    ("shown", "printed", "complaint"),
    [
        (["a", "b"], "a\nb\n", ""),
        (["a", "b"], "a\nx\nb\n", "b"),
        (["a", "...", "b"], "a\nx\nb\n", ""),
        (["a"], "a\nb\n", "b"),
        (["a", "..."], "a\nb\n", ""),
        (["a ... c"], "a b c\n", ""),
        (["a ... c"], "a b d\n", "a ... c"),
        (["... x 1"], "\tnexthop  x 1\n", ""),
        ([], "anything\n", ""),
    ],
)
def test_lines_are_compared(shown: list[str], printed: str, complaint: str) -> None:
    """Three dots stand for anything, and nothing else does."""
    assert differs(Step(command="", shown=shown), printed) == complaint
