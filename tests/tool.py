"""How programs of the tests end: with a status, and a sentence where they could not go on."""

import sys
from collections.abc import Callable
from typing import NoReturn


class ToolError(Exception):
    """What was asked cannot be done, in a sentence; *status* is the exit status."""

    def __init__(self, sentence: str, status: int = 1) -> None:
        """Say *sentence*, and end with *status* where nobody knows better."""
        super().__init__(sentence)
        self.status = status


def end(main: Callable[[], int]) -> NoReturn:
    """Do what *main* does, and exit with its status."""
    try:
        status = main()
    except ToolError as error:
        print(error, file=sys.stderr)
        status = error.status
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
