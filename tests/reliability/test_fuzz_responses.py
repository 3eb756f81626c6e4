"""The reader of the session fuzzer takes the responses of extensions as their RFCs have them, and no others."""

from __future__ import annotations

import pytest

from reliability.fuzz.sessions.responses import Responses
from reliability.fuzz.target import Broken
from tests.support.strict_grammar import Malformed

GOOD = (
    # RFC 4314 §3.6, §3.7, §3.8
    b"ACL INBOX/Drafts Fred rwipslda",
    b"ACL INBOX Fred rwipslda -Fred wetd $team w",
    b"ACL INBOX",
    b"LISTRIGHTS ~/Mail/saved smith la r swicdkxte",
    b'LISTRIGHTS archive/imap anyone "" l r s w i p k x t e c d a',
    b"MYRIGHTS INBOX rwiptsldaex",
    b'MYRIGHTS "Other Users/chris" ""',
    # RFC 9208 §4.2, §4.1.3
    b'QUOTA "" (STORAGE 10 512)',
    b'QUOTA "#user/alice" (MESSAGE 0 9223372036854775807 MAILBOX 6 7)',
    b'QUOTA "#user/alice" ()',
    b'QUOTAROOT INBOX ""',
    b"QUOTAROOT comp.mail.mime",
    b"STATUS INBOX (MESSAGES 12 DELETED 4 DELETED-STORAGE 8)",
    # RFC 5464 §4.2, §4.4
    b'METADATA "" (/shared/comment "Shared comment")',
    b"METADATA INBOX (/private/comment {5}\r\nquick /shared/comment NIL /shared/x ~{2}\r\n\x00\xff)",
    b"METADATA INBOX /shared/comment /private/comment",
    b"METADATA INBOX (/private NIL)",
    # RFC 5255 §3.3, §3.4, §4.8
    b"LANGUAGE (DE)",
    b"LANGUAGE (en zh-Hans i-default)",
    b'NAMESPACE (("" "/")) (("Other Users/" "/" "TRANSLATION" ("Andere Ben&APw-tzer/"))) NIL',
    b'NAMESPACE (("" "/")("#x/" "/")) NIL NIL',
    b"COMPARATOR i;unicode-casemap",
    b'COMPARATOR "cz;*" (cz;a cz;b)',
    # RFC 7377 §3, RFC 5267 §4.3, RFC 6203 §4, RFC 9394 §3.1
    b'ESEARCH (TAG "tag1" MAILBOX "folder1 \xc3\xa4" UIDVALIDITY 1) UID ALL 4001,4003,4005,4007,4009',
    b'ESEARCH (TAG "B01") UID ADDTO (0 32768:32769) REMOVEFROM (1 5 2 7)',
    b'ESEARCH (TAG "B1") ALL 1:3 RELEVANCY (4 99 100)',
    b'ESEARCH (TAG "A01") UID PARTIAL (-1:-100 4,5) COUNT 0 MODSEQ 917162500',
    b'ESEARCH (TAG "a\\"")',
    # RFC 10022, RFC 9586
    b'UIDBATCHES (TAG "A302") 215295:99696,99695:20000',
    b'UIDBATCHES (TAG "A302")',
    b"25 UIDFETCH (FLAGS (\\Seen))",
    # RFC 8474 §5, RFC 8970 §3, RFC 8514 §4.3
    b"25 UIDFETCH (UID 25 EMAILID (M6d99ac3275bb4e) THREADID (T64b478a75b7ea9))",
    b'25 UIDFETCH (THREADID NIL PREVIEW "caf\xc3\xa9" SAVEDATE NIL)',
    b'25 UIDFETCH (PREVIEW NIL SAVEDATE "01-Jan-2024 01:02:03 +0000")',
    # codes
    b"NO [BADEVENT (MessageNew MailboxMetadataChange)] text",
    b'NO [BADURL "/INBOX;UIDVALIDITY=785799047/;UID=113330;section=1.5.9"] text',
    b'NO [NOUPDATE "B]2"] text',
    b"OK [METADATA LONGENTRIES 2199] text",
    b"NO [METADATA TOOMANY] text",
    b"NO [UNDEFINED-FILTER boss] text",
    b"NO [MESSAGELIMIT 1000 23221] text",
    b"NO [MESSAGELIMIT 1000] text",
    b"NO [UIDREQUIRED] text",
    b'OK [INPROGRESS ("A001" NIL NIL)] text',
    b"OK [INPROGRESS (NIL NIL NIL)] text",
    b'OK [INPROGRESS ("A001" 454 1000)] text',
    b"OK [MAILBOXID (F2212ea87-6097-4256-9d51-71338625)] text",
)

BAD = (
    b"ACL INBOX Fred",
    b"ACL INBOX Fred LR",
    b"ACL INBOX Fred ll",
    b'ACL INBOX "" l',
    b"LISTRIGHTS x smith",
    b"LISTRIGHTS x smith la l",
    b"MYRIGHTS INBOX l r",
    b"MYRIGHTS INBOX",
    b'QUOTA "" (STORAGE 10)',
    b'QUOTA "" (STORAGE -1 512)',
    b'QUOTA "" (STORAGE 10 512  MESSAGE 1 2)',
    b'QUOTA ""',
    b"QUOTAROOT",
    b"STATUS INBOX (UIDNEXT 0)",
    b"METADATA INBOX ()",
    b"METADATA INBOX (/shared/comment)",
    b"METADATA INBOX (/shared/comment/ NIL)",
    b"METADATA INBOX (/other/comment NIL)",
    b"METADATA INBOX (/privateer NIL)",
    b"METADATA INBOX (/shared/com*ment NIL)",
    b"METADATA INBOX /shared//comment",
    b"METADATA INBOX (/shared/comment {9}\r\nquick)",
    b"LANGUAGE ()",
    b"LANGUAGE en",
    b"LANGUAGE (en_US)",
    b'NAMESPACE (("" "/")) NIL',
    b"NAMESPACE () NIL NIL",
    b'NAMESPACE (("" "/" "OTHER" ("x"))) NIL NIL',
    b"NAMESPACE ((NIL NIL)) NIL NIL",
    b"COMPARATOR",
    b"COMPARATOR i;octet ()",
    b'ESEARCH (TAG "tag1" MAILBOX folder1) UID ALL 1',
    b'ESEARCH (TAG "tag1" MAILBOX folder1 UIDVALIDITY 0) UID ALL 1',
    b"ESEARCH (TAG tag1) UID ALL 1",
    b'ESEARCH (TAG "x") ALL 0',
    b'ESEARCH (TAG "x") ADDTO (1)',
    b'ESEARCH (TAG "x") RELEVANCY (0)',
    b'ESEARCH (TAG "x") RELEVANCY (101)',
    b'ESEARCH (TAG "x") PARTIAL (1:-5 NIL)',
    b'UIDBATCHES (TAG "x") 5',
    b'UIDBATCHES (TAG "x") 0:0',
    b"1 FETCH (EMAILID (a))",
    b"1 UIDFETCH (EMAILID NIL)",
    b"1 UIDFETCH (EMAILID (a b))",
    b"1 UIDFETCH (THREADID ())",
    b"1 UIDFETCH (PREVIEW (x))",
    b'1 UIDFETCH (PREVIEW "%b")' % (b"x" * 257),
    b"1 UIDFETCH (INTERNALDATE NIL)",
    b"NO [BADEVENT MessageNew] text",
    b"NO [BADEVENT (New)] text",
    b"NO [BADURL] text",
    b"NO [NOUPDATE B2] text",
    b"OK [INPROGRESS (A001 NIL NIL)] text",
    b'OK [INPROGRESS ("A001" NIL 1000)] text',
    b"NO [METADATA] text",
    b"NO [METADATA MAXSIZE] text",
    b"NO [UNDEFINED-FILTER a/b] text",
    b"NO [UIDREQUIRED 1] text",
    b"NO [NEVERHEARD] text",
    b"NO [unfinished text",
    b"NO caf\xc3\xa9",
)


@pytest.mark.parametrize("line", GOOD)
def test_good(line: bytes) -> None:
    Responses(b"* %b\r\n" % line).read()


@pytest.mark.parametrize("line", BAD)
def test_bad(line: bytes) -> None:
    with pytest.raises((Malformed, Broken)):
        Responses(b"* %b\r\n" % line).read()


def test_texts_are_in_utf8_once_a_language_is_chosen() -> None:
    text = "a OK Seçildi\r\n".encode()
    Responses(b"* LANGUAGE (tr)\r\n" + text).read()
    with pytest.raises(Malformed):
        Responses(text).read()
    with pytest.raises(UnicodeDecodeError):
        Responses(b"* LANGUAGE (tr)\r\n" + text.replace(b"\xa7", b"")).read()
