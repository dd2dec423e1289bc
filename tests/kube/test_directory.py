"""A directory is followed file by file, and nothing that happens to it loses what is in force."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bgpd.kube.directory import GONE_AFTER, LOOK_EVERY, DirectorySource
from bgpd.kube.documents import Key, Object, read
from bgpd.kube.file import BusyError, read_whole
from bgpd.kube.store import Changes, Store
from bgpd.model.errors import ConfigError
from tests.kube.build import peer, pool, text
from tests.lacking import lacking

PATIENCE = 40.0
"""Seconds until a change that must come is given up."""
A = Key("BGPPeer", "", "a")
B = Key("BGPPeer", "", "b")


class Followed:
    """A running source and the changes that it reports."""

    def __init__(self, directory: Path) -> None:
        self.source = DirectorySource(directory)
        self.changes: asyncio.Queue[Changes] = asyncio.Queue()

    async def next(self) -> Changes:
        """Return the next change."""
        async with asyncio.timeout(PATIENCE):
            return await self.changes.get()

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until *fact* holds."""
        async with asyncio.timeout(PATIENCE):
            while not fact():  # noqa: ASYNC110 - a condition is looked at, not reported
                await asyncio.sleep(0.01)

    async def quiet(self, seconds: float) -> None:
        """Assert that nothing is reported for a while."""
        await asyncio.sleep(seconds)
        assert self.changes.empty()

    @property
    def reasons(self) -> list[str]:
        """The reasons of the conditions."""
        return [one.reason for one in self.source.conditions]

    @property
    def keys(self) -> set[Key]:
        """The objects in force."""
        return set(self.source.objects)


def follow(directory: Path, story: Callable[[Followed], Coroutine[Any, Any, None]]) -> None:
    """Run *story* beside a source of *directory*."""

    async def main() -> None:
        followed = Followed(directory)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(followed.source.run(followed.changes.put_nowait))
            try:
                await story(followed)
            finally:
                task.cancel()

    asyncio.run(main())


def test_the_first_look_is_one_change_with_everything(tmp_path: Path) -> None:
    """Then the source is synced; hidden files, backups and other suffixes are not read."""
    (tmp_path / "a.yaml").write_bytes(text(peer("a")))
    (tmp_path / "b.json").write_bytes(text(peer("b")).removeprefix(b"---\n"))
    (tmp_path / "c.yml").write_bytes(text(pool("c")))
    for name in (".d.yaml", "d.yaml~", ".d.yaml.swp", "#d.yaml#", "d.txt"):
        (tmp_path / name).write_bytes(text(peer("d")))

    async def story(followed: Followed) -> None:
        assert not followed.source.synced
        assert (await followed.next()).added == {A, B, Key("IPAddressPool", "", "c")}
        assert followed.source.synced
        assert followed.source.conditions == ()

    follow(tmp_path, story)


def test_an_empty_directory_is_synced_too(tmp_path: Path) -> None:
    """Knowing that there is nothing is not the same as knowing nothing."""

    async def story(followed: Followed) -> None:
        assert not (await followed.next()).keys
        assert followed.source.synced

    follow(tmp_path, story)


def test_a_file_is_read_when_its_writer_closes_it_and_not_before(tmp_path: Path) -> None:
    """Half a file is never acted on, however long the other half takes."""
    whole = text(peer("a"), peer("b"))

    async def story(followed: Followed) -> None:
        await followed.next()
        with (tmp_path / "f.yaml").open("wb", buffering=0) as file:
            file.write(whole[: len(text(peer("a")))])
            await followed.quiet(2 * LOOK_EVERY)
            file.write(whole[len(text(peer("a"))) :])
        assert (await followed.next()).added == {A, B}

    follow(tmp_path, story)


def test_a_file_that_is_being_written_at_the_first_look_is_waited_for(tmp_path: Path) -> None:
    """A source that has not read everything is not synced, and says what it waits for."""
    path = tmp_path / "f.yaml"
    (tmp_path / "g.yaml").write_bytes(text(peer("b")))
    with path.open("wb", buffering=0) as file:
        file.write(text(peer("a"))[:40])
        try:
            read_whole(path)
            lacking(
                "no leases on this file system",
                unproven="a file that is being written at the first look is waited for",
                in_ci=True,
            )
        except BusyError:
            pass

        async def story(followed: Followed) -> None:
            await followed.until(lambda: "FileBusy" in followed.reasons)
            await followed.quiet(LOOK_EVERY)
            assert not followed.source.synced
            file.write(text(peer("a"))[40:])
            file.close()
            assert (await followed.next()).added == {A, B}
            assert followed.source.conditions == ()

        follow(tmp_path, story)


def test_a_file_moved_into_place_is_read(tmp_path: Path) -> None:
    """The careful writer's way."""

    async def story(followed: Followed) -> None:
        await followed.next()
        (tmp_path / ".f.yaml.new").write_bytes(text(peer("a")))
        (tmp_path / ".f.yaml.new").rename(tmp_path / "f.yaml")
        assert (await followed.next()).added == {A}

    follow(tmp_path, story)


def test_a_removed_file_takes_its_objects_with_it(tmp_path: Path) -> None:
    """What a person removed is gone."""
    (tmp_path / "f.yaml").write_bytes(text(peer("a")))

    async def story(followed: Followed) -> None:
        await followed.next()
        (tmp_path / "f.yaml").unlink()
        assert (await followed.next()).removed == {A}

    follow(tmp_path, story)


def test_a_file_renamed_away_and_written_anew_never_vanishes(tmp_path: Path) -> None:
    """What editors do to save a file removes nothing, not for an instant."""
    path = tmp_path / "f.yaml"
    path.write_bytes(text(peer("a"), peer("b")))

    async def story(followed: Followed) -> None:
        await followed.next()
        path.rename(tmp_path / "f.yaml~")
        await asyncio.sleep(0)
        path.write_bytes(text(peer("a", peerPort=1179), peer("b")))
        changes = await followed.next()
        assert (set(changes.changed), set(changes.removed)) == ({A}, set())
        await followed.quiet(5 * GONE_AFTER)

    follow(tmp_path, story)


def test_an_object_that_moves_to_another_file_never_vanishes(tmp_path: Path) -> None:
    """A file that is renamed changes nothing but the place in messages."""
    (tmp_path / "f.yaml").write_bytes(text(peer("a")))

    async def story(followed: Followed) -> None:
        await followed.next()
        (tmp_path / "f.yaml").rename(tmp_path / "g.yaml")
        for _ in ("the new file names it too", "the old file is gone"):
            assert not (await followed.next()).keys
        assert followed.source.conditions == ()
        assert followed.keys == {A}

    follow(tmp_path, story)


def test_a_file_that_becomes_empty_keeps_its_objects(tmp_path: Path) -> None:
    """A truncated file is a mistake, and a condition until it is whole again."""
    path = tmp_path / "f.yaml"
    path.write_bytes(text(peer("a")))

    async def story(followed: Followed) -> None:
        await followed.next()
        path.write_bytes(b"")
        changes = await followed.next()
        assert changes.conditions
        assert not changes.keys
        assert followed.keys == {A}
        path.write_bytes(text(peer("a")))
        await followed.next()
        assert followed.source.conditions == ()

    follow(tmp_path, story)


def test_something_that_is_no_file_is_a_condition(tmp_path: Path) -> None:
    """It does not keep the others from being read."""
    (tmp_path / "a.yaml").write_bytes(text(peer("a")))
    (tmp_path / "b.yaml").mkdir()

    async def story(followed: Followed) -> None:
        assert (await followed.next()).added == {A}
        (condition,) = followed.source.conditions
        assert condition.message == "b.yaml: cannot be read: Is a directory"

    follow(tmp_path, story)


def _publish(volume: Path, version: str, files: dict[str, bytes]) -> None:
    """Publish *files* in the way of the kubelet: a new directory, then the link moved to it."""
    (volume / version).mkdir()
    for name, content in files.items():
        (volume / version / name).write_bytes(content)
    (volume / "..data_tmp").symlink_to(version)
    (volume / "..data_tmp").rename(volume / "..data")
    for name in files:
        if not (volume / name).is_symlink():
            (volume / name).symlink_to(f"..data/{name}")
    for link in volume.iterdir():
        if not link.name.startswith(".") and link.name not in files:
            link.unlink()


def test_a_config_map_changes_as_a_whole(tmp_path: Path) -> None:
    """All keys of a new version arrive as one change; added and removed keys follow."""
    one, two = text(peer("a", peerPort=1)), text(peer("b", peerPort=1))
    _publish(tmp_path, "..v1", {"one.yaml": one, "two.yaml": two})

    async def story(followed: Followed) -> None:
        assert (await followed.next()).added == {A, B}
        new = {"one.yaml": text(peer("a", peerPort=2)), "two.yaml": text(peer("b", peerPort=2))}
        _publish(tmp_path, "..v2", new)
        assert (await followed.next()).changed == {A, B}
        shutil.rmtree(tmp_path / "..v1")
        _publish(tmp_path, "..v3", {"one.yaml": new["one.yaml"], "three.yaml": text(pool("c"))})
        assert (await followed.next()).added == {Key("IPAddressPool", "", "c")}
        assert (await followed.next()).removed == {B}

    follow(tmp_path, story)


def test_a_directory_that_vanishes_changes_nothing_and_is_followed_again(tmp_path: Path) -> None:
    """The last state stays, a condition says so, and a new directory of that name is read."""
    directory = tmp_path / "d"
    directory.mkdir()
    (directory / "f.yaml").write_bytes(text(peer("a")))

    async def story(followed: Followed) -> None:
        await followed.next()
        shutil.rmtree(directory)
        await followed.until(lambda: "DirectoryUnreadable" in followed.reasons)
        await asyncio.sleep(5 * GONE_AFTER)
        assert followed.keys == {A}
        directory.mkdir()
        await followed.until(lambda: followed.reasons == ["DirectoryEmpty"])
        await asyncio.sleep(5 * GONE_AFTER)
        assert followed.keys == {A}
        (directory / "f.yaml").write_bytes(text(peer("a"), peer("b")))
        await followed.until(lambda: followed.keys == {A, B} and not followed.reasons)
        while not followed.changes.empty():
            assert not followed.changes.get_nowait().removed

    follow(directory, story)


def test_files_missing_from_a_directory_that_was_replaced_are_gone_in_the_end(
    tmp_path: Path,
) -> None:
    """Whoever puts a new directory in place has some seconds to fill it."""
    directory, new = tmp_path / "d", tmp_path / "new"
    for path in (directory, new):
        path.mkdir()
        (path / "a.yaml").write_bytes(text(peer("a")))
    (directory / "b.yaml").write_bytes(text(peer("b")))

    async def story(followed: Followed) -> None:
        await followed.next()
        directory.rename(tmp_path / "old")
        new.rename(directory)
        await followed.quiet(5 * GONE_AFTER)
        assert followed.keys == {A, B}
        assert (await followed.next()).removed == {B}

    follow(directory, story)


def test_what_is_lost_in_an_overflow_of_the_queue_is_read_all_the_same(tmp_path: Path) -> None:
    """When the kernel says that it dropped events, the whole directory is read again."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 200_000:
        lacking(
            f"no queue short enough to overflow (fs.inotify.max_queued_events is {limit})",
            unproven="what is lost in an overflow is read all the same",
            in_ci=True,
        )

    async def story(followed: Followed) -> None:
        await followed.next()
        for number in range(limit + 10):
            (tmp_path / f"{number % 2}.txt").write_bytes(b"")
        (tmp_path / "f.yaml").write_bytes(text(peer("a")))
        assert (await followed.next()).added == {A}

    follow(tmp_path, story)


def _content(path: Path, port: int = 179) -> bytes:
    """Return what belongs into the file at *path*."""
    return text(peer(path.stem, peerPort=port), pool(path.stem, f"10.{ord(path.stem)}.0.0/24"))


def _meddle(directory: Path, random: Random) -> Callable[[], object] | None:
    """Do something to one file; return the rest of it where it takes two steps."""
    path = directory / f"{random.choice('abc')}.yaml"
    aside = path.with_suffix(".bak")
    content = _content(path, random.randint(1, 9))
    match random.randrange(6):
        case 0:
            path.write_bytes(content)
        case 1:
            path.unlink(missing_ok=True)
        case 2:
            aside.write_bytes(content)
            aside.rename(path)
        case 3 if path.exists():
            path.rename(aside)
            return lambda: path.write_bytes(content)
        case 4 if path.exists():
            path.rename(directory / f"{random.choice('abc')}.yaml")
        case _:
            file = path.open("wb", buffering=0)
            file.write(content[:30])
            return lambda: (file.write(content[30:]), file.close())  # type: ignore[func-returns-value]
    return None


def _seen(directory: Path) -> dict[Key, Object]:
    """Put every file that is left in order; return the objects in them."""
    store = Store()
    for path in directory.glob("*.yaml"):
        path.write_bytes(_content(path))
        store.apply(path.name, read(path.name, path.read_bytes()))
    assert store.conditions == ()
    return {key: store.objects[key] for key in store.objects}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_to_the_files_the_end_is_what_a_fresh_look_sees(
    tmp_path: Path, seed: int
) -> None:
    """Writes in halves, renames, removals: in the end the objects are those of the files."""
    random = Random(seed)

    async def story(followed: Followed) -> None:
        await followed.next()
        rest: list[Callable[[], object]] = []
        for _ in range(120):
            later = _meddle(tmp_path, random)
            rest += [later] if later else []
            if rest and random.random() < 0.5:
                rest.pop(random.randrange(len(rest)))()
            await asyncio.sleep(random.choice([0, 0, 0.001, 0.02]))
        for finish in rest:
            finish()
        (tmp_path / f"{random.choice('abc')}.yaml").unlink(missing_ok=True)
        seen = _seen(tmp_path)
        objects = followed.source.objects
        await followed.until(lambda: {key: objects[key] for key in objects} == seen)
        await followed.until(lambda: not followed.source.conditions)

    follow(tmp_path, story)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_directory_that_cannot_be_read_at_the_start_is_a_persons_to_correct(
    tmp_path: Path, kind: str
) -> None:
    """The sentence names the path and the remedy, and the program exits with 78."""
    path = tmp_path / "d"
    if kind == "file":
        path.write_text("")
    with pytest.raises(ConfigError, match=f"directory {path} cannot be read: .*--source directory"):
        DirectorySource(path)
    assert ConfigError.exit_code == 78
