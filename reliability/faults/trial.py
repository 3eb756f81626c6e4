"""One deed with one failure, and what must hold afterwards."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from unittest.mock import patch

import apsw

from mektup.store.interface import Incoming
from mektup.terms.errors import Refused
from reliability.disk.inline_threads import inline_threads
from reliability.disk.layer import Layer
from reliability.disk.small import small_bounds
from reliability.faults.deeds import Deed
from reliability.faults.plans import Kind, Plan
from reliability.faults.scene import Scene, State, furnish, message
from reliability.power.checks import difference
from tests.store.sqlite.conftest import make_older

_BOOT = "mektup.store.sqlite.tables.recovery.boot"
_PLACE_OF = "mektup.store.sqlite.store.place_of"

NOTHING = 10**9


class Answer(Enum):
    """What a caller is told."""

    OK = "OK"
    NO = "NO"
    UNCERTAIN = "not known"


class Wrong(Exception):
    """Something did not hold."""


class Ignored(Exception):
    """The failure was in the closing of a file, where SQLite ignores it; that of a VFS in Python is raised instead."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended."""

    answer: Answer
    failures: int
    """How many operations failed; 0 where the deed has fewer than the plan's point."""


class Trial:
    """A deed, and the directories in which it is tried."""

    def __init__(self, deed: Deed, template: Path, base: Path, *, is_cold: bool) -> None:
        """*template* is a furnished data directory; *base* must not exist. With *is_cold*, no file is open before."""
        self._deed = deed
        self._template = template
        self._base = base
        self._is_cold = is_cold
        self._after: State | None = None

    async def learn(self) -> None:
        """Does the deed without any failure."""
        plan = Plan(Kind.FULL, NOTHING, False)
        async with self._scene(plan) as scene:
            if await self._do(scene, plan) is not Answer.OK:
                raise Wrong("it is refused without any failure")
            self._after = await scene.state()

    async def run(self, plan: Plan) -> Outcome:
        """Does the deed with the failure of *plan*. Raises Wrong, or what the store should not raise."""
        async with self._scene(plan) as scene:
            before = await scene.state() if scene.is_open else None
            if self._is_cold and scene.is_open:
                await scene.account.database.release()
            try:
                answer = await self._do(scene, plan)
            except Ignored:
                return Outcome(Answer.OK, plan.failures)
            if plan.kind is Kind.HEAP and answer is not Answer.OK:
                plan.failures = 1
            if plan.failures == 0:
                return Outcome(answer, 0)
            if not scene.is_open:
                await scene.open()
            await self._judge(scene, answer, before)
            await self._do_again(scene, answer, plan)
        return Outcome(answer, plan.failures)

    @asynccontextmanager
    async def _scene(self, plan: Plan) -> AsyncIterator[Scene]:
        shutil.copytree(self._template, self._base / "data")
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._base)
            layer = stack.enter_context(Layer(self._base, trouble=plan.trouble))
            layer.adopt_all()
            for each in (small_bounds(), inline_threads(), plan.installed(), _same_places()):
                stack.enter_context(each)
            if "loss of power" in self._deed.name:
                stack.enter_context(patch(_BOOT, lambda: "another boot"))
            scene = Scene(self._base / "data", compression=3)
            if not self._deed.opens:
                await scene.open()
            try:
                yield scene
            finally:
                await scene.close()
            self._check_files()

    async def _do(self, scene: Scene, plan: Plan) -> Answer:
        with plan.armed():
            try:
                await self._deed.run(scene)
            except Refused as refused:
                answer = Answer.UNCERTAIN if refused.uncertain else Answer.NO
            except apsw.Error as error:
                if not _is_of_closing(error):
                    raise
                raise Ignored from error
            except OSError:
                if not self._deed.is_of_files:
                    raise
                answer = Answer.NO
            else:
                answer = Answer.OK
            await scene.settled()
        if answer is not Answer.OK and self._deed.opens:
            await scene.close()
        return answer

    # What must hold

    async def _judge(self, scene: Scene, answer: Answer, before: State | None) -> None:
        """The answer was right, and the process knows what the file has."""
        now = await scene.state()
        fresh = await self._read_anew(scene)
        _require_same("what the process remembers is not what the file has", fresh, now, with_ids=True)
        assert self._after is not None
        if answer is Answer.OK:
            _require_same("OK, but it is not done", self._after, now, with_ids=False)
        elif before is not None and answer is Answer.NO:
            _require_same("NO, but something has changed", before, now, with_ids=True)
        elif before is not None and now.essence(with_ids=False) != self._after.essence(with_ids=False):
            _require_same("half done", before, now, with_ids=True)
        if answer is not Answer.OK and not self._deed.is_of_files and not scene.book.faults and not self._deed.opens:
            raise Wrong("a refusal that was not reported as a fault")

    async def _read_anew(self, scene: Scene) -> State:
        other = Scene(scene.data, compression=3)
        await other.open()
        try:
            return await other.state()
        finally:
            await other.close()

    async def _do_again(self, scene: Scene, answer: Answer, plan: Plan) -> None:
        """When the disk works again, so does the store."""
        if answer is Answer.NO and not self._deed.opens:
            self._remove_copies()
            if await self._do(scene, Plan(plan.kind, NOTHING, False)) is not Answer.OK:
                raise Wrong("it is refused again, without any failure")
            assert self._after is not None
            _require_same("done again, it is not the same", self._after, await scene.state(), with_ids=False)
        added: Incoming = message(900, "$Last")
        appended = await scene.account.append(await scene.mailbox(), [added])
        now, fresh = await scene.state(), await self._read_anew(scene)
        _require_same("what the process remembers later is not what the file has", fresh, now, with_ids=True)
        if not set(appended.uids) <= now.pictures["linda"].folders["INBOX"].messages.keys():
            raise Wrong("a later message is not there")

    def _remove_copies(self) -> None:
        for name in ("backup", "restored"):
            shutil.rmtree(self._base / name, ignore_errors=True)

    def _check_files(self) -> None:
        for file in (self._base / "data").rglob("*.db"):
            connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                found = connection.pragma("integrity_check")
            finally:
                connection.close()
            if found != "ok":
                raise Wrong(f"{file.name}: {found}")


def _is_of_closing(error: apsw.Error) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return any("close(" in (frame.line or "") for frame in frames if "/mektup/store/" in frame.filename)


@contextmanager
def _same_places() -> Iterator[None]:
    """The copies of the template count as the original."""
    with patch(_PLACE_OF, lambda path: "the same place"):
        yield


def _require_same(what: str, wanted: State, found: State, *, with_ids: bool) -> None:
    one, other = wanted.essence(with_ids=with_ids), found.essence(with_ids=with_ids)
    if one != other:
        raise Wrong(f"{what}: {difference(one, other)}")


async def furnished(template: Path, deed: Deed) -> None:
    """Makes the data directory for *deed*."""
    with _same_places():
        await furnish(template, 3, is_closed_well="loss of power" not in deed.name)
    if deed.version is not None:
        for file in (template / "accounts").rglob("*.db"):
            make_older(file, deed.version)
