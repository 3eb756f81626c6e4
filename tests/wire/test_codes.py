"""Response codes with their brackets."""

import pytest

from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.numbers import ModSeq, Seq, Uid, UidValidity
from mektup.terms.sets import NumberSet
from mektup.wire import codes

VALIDITY = UidValidity(38505)
FEW: NumberSet[Uid] = NumberSet([(304, 304), (319, 320)])
NEW: NumberSet[Uid] = NumberSet([(3956, 3958)])
ONE: NumberSet[Uid] = NumberSet([(3955, 3955)])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (codes.append_uid(VALIDITY, ONE), b"[APPENDUID 38505 3955]"),
        (codes.append_uid(VALIDITY, NEW), b"[APPENDUID 38505 3956:3958]"),
        (codes.copy_uid(VALIDITY, FEW, NEW), b"[COPYUID 38505 304,319:320 3956:3958]"),
        (codes.capability(["IMAP4rev2", "AUTH=PLAIN"]), b"[CAPABILITY IMAP4rev2 AUTH=PLAIN]"),
        (
            codes.permanent_flags(["\\Seen", "$x"], new_keywords=True),
            b"[PERMANENTFLAGS (\\Seen $x \\*)]",
        ),
        (codes.permanent_flags(["\\Seen"], new_keywords=False), b"[PERMANENTFLAGS (\\Seen)]"),
        (codes.permanent_flags([], new_keywords=False), b"[PERMANENTFLAGS ()]"),
        (codes.uid_next(Uid(4392)), b"[UIDNEXT 4392]"),
        (codes.uid_validity(UidValidity(3857529045)), b"[UIDVALIDITY 3857529045]"),
        (codes.unseen(Seq(17)), b"[UNSEEN 17]"),
        (codes.highest_modseq(ModSeq(715194045007)), b"[HIGHESTMODSEQ 715194045007]"),
        (codes.modified(FEW), b"[MODIFIED 304,319:320]"),
        (codes.bad_charset(), b"[BADCHARSET (UTF-8 US-ASCII)]"),
        (codes.bad_charset(["KOI8-R"]), b"[BADCHARSET (KOI8-R)]"),
        (codes.of(Refused(Code.TRYCREATE, "x")), b"[TRYCREATE]"),
        (codes.of(Refused(Code.UNKNOWN_CTE, "x")), b"[UNKNOWN-CTE]"),
        (codes.of(Refused(None, "x")), b""),
        (codes.of(Refused(Code.MESSAGELIMIT, "x", numbers=(1000, 23221))), b"[MESSAGELIMIT 1000 23221]"),
        (codes.of(ClientError("x", 5)), b""),
        (codes.of(ClientError("x", code=Code.UIDREQUIRED)), b"[UIDREQUIRED]"),
        (codes.message_limit(1000, Uid(23221)), b"[MESSAGELIMIT 1000 23221]"),
        (codes.READ_ONLY, b"[READ-ONLY]"),
    ],
)
def test_codes(code: bytes, expected: bytes) -> None:
    assert code == expected
