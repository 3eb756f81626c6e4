"""How much of an account may be lost, from what its file records and from what the process knows."""

from __future__ import annotations

import pytest

from mektup.store.rules.gaps import OLD_UID_GAP, Kept, Loss, Now, has_room_for_gap, loss_of
from mektup.terms.numbers import MAX_UINT32

NOW = Now(life="this", place="here", seen=10)


@pytest.mark.parametrize(
    ("kept", "loss"),
    [
        (Kept(10, 10, "this", "here"), Loss.NOTHING),
        (Kept(15, 10, "this", "here"), Loss.NOTHING),  # in use, in the same boot of the machine
        (Kept(15, 15, "before", "here"), Loss.NOTHING),  # closed properly
        (Kept(15, 14, "before", "here"), Loss.LAST_MOMENT),
        (Kept(15, 15, "this", "elsewhere"), Loss.PERHAPS_MUCH),
        (Kept(15, 14, "before", "elsewhere"), Loss.PERHAPS_MUCH),
        (Kept(15, 15, "this", ""), Loss.NOTHING),  # from a version that recorded no place
        (Kept(9, 9, "this", "here"), Loss.MUCH),
        (Kept(9, 9, "this", "elsewhere"), Loss.MUCH),
    ],
)
def test_how_much_may_be_lost(kept: Kept, loss: Loss) -> None:
    assert loss_of(kept, NOW) is loss


def test_a_gap_leaves_uids_for_another() -> None:
    assert has_room_for_gap(1)
    assert has_room_for_gap(MAX_UINT32 - 2 * OLD_UID_GAP - 1)
    assert not has_room_for_gap(MAX_UINT32 - 2 * OLD_UID_GAP)
