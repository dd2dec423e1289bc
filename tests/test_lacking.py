"""A skip says what it leaves open, and CI has none."""

import pytest

from tests.lacking import lacking, need_root


def test_a_skip_names_what_is_missing_and_what_is_not_proved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever reads the summary knows what the green run does not say."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"^no bird; not proved here: routes leave$"):
        lacking("no bird", unproven="routes leave")


def test_in_ci_what_is_missing_is_an_error_unless_it_is_the_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A green run in CI means that everything ran that can."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="not proved here: routes leave"):
        lacking("no bird", unproven="routes leave")
    with pytest.raises(pytest.skip.Exception, match="not proved here: echoes"):
        lacking("no ping sockets", unproven="echoes", in_ci=True)


def test_root_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody else is told what they do not see."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    need_root(unproven="other users")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(pytest.skip.Exception, match="we are not root; not proved here: other"):
        need_root(unproven="other users")
