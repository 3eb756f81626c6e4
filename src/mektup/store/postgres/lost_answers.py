"""Finds out what became of a write whose answer was lost."""

from __future__ import annotations

from typing import Final

from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.change import Row
from mektup.store.postgres.failures import StateChanged
from mektup.store.postgres.message_calls import Parameters
from mektup.store.postgres.shard import LostAnswer
from mektup.store.postgres.tables import calls, lost_answers, message_writes
from mektup.terms.errors import Refused

_WITH_TOKEN: Final = frozenset({message_writes.COPY, message_writes.MOVE, message_writes.REPLACE})
_AGAIN: Final = frozenset({message_writes.STORE, message_writes.REMOVE, message_writes.FOLD})


async def answer_of(database: AccountDatabase, statement: str, parameters: Parameters, lost: LostAnswer) -> Row | None:
    """The answer of the write *statement*; None where it was not done, and can be done now.

    Waits until it has ended. Raises StateChanged where it has to be worked out again: then it changes nothing that it
    has changed already. Raises what *lost* has where that cannot be found out.
    """
    if statement in _WITH_TOKEN:
        rows = await _asked(database, lost_answers.ANSWER, parameters, lost)
        return tuple(rows[0][0]) if rows else None
    if statement in _AGAIN:
        raise StateChanged from lost
    if statement != message_writes.APPEND:
        raise lost.refused from lost
    ((added, in_tail, *answer),) = await _asked(database, lost_answers.APPENDED, parameters, lost)
    if not added:
        return None
    if in_tail < len(parameters["words"]):
        raise lost.refused from lost  # they were added, and somebody has moved them meanwhile
    return tuple(answer)


async def _asked(database: AccountDatabase, statement: str, parameters: Parameters, lost: LostAnswer) -> list[Row]:
    names = ("account", "mailbox", "token", "tokens")
    wanted = {name: parameters[name] for name in names if name in parameters}
    try:
        return (await database.shard.ask_all([(calls.WAIT, (database.account,)), (statement, wanted)]))[-1]
    except Refused:
        raise lost.refused from lost
