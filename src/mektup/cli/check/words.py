"""A report in words: one line for a clean account, or one for each finding; or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from rich.filesize import decimal

from mektup.cli.check import texts
from mektup.store.rules.consistency import RECOVERED, Finding, Kind, Mend
from mektup.store.sqlite import Report
from mektup.terms.account_names import shown
from mektup.terms.texts import Text

SENTENCES: Final = {
    Kind.DAMAGED: (texts.DAMAGED, texts.DAMAGED_MEANS),
    Kind.NOT_OURS: (texts.NOT_OURS, texts.NOT_OURS_MEANS),
    Kind.NEWER: (texts.NEWER, texts.NEWER_MEANS),
    Kind.OLDER: (texts.OLDER, texts.OLDER_MEANS),
    Kind.TABLES: (texts.TABLES, texts.TABLES_MEANS),
    Kind.LOOKUP: (texts.LOOKUP, texts.LOOKUP_MEANS),
    Kind.UNREADABLE: (texts.UNREADABLE, texts.UNREADABLE_MEANS),
    Kind.IN_USE: (texts.IN_USE, texts.IN_USE_MEANS),
    Kind.CUT_OFF: (texts.CUT_OFF, texts.CUT_OFF_MEANS),
    Kind.WAL_LOST: (texts.WAL_LOST, texts.WAL_LOST_MEANS),
    Kind.NOT_CHECKED: (texts.NOT_CHECKED, texts.NOT_CHECKED_MEANS),
    Kind.FILE_MISSING: (texts.FILE_MISSING, texts.FILE_MISSING_MEANS),
    Kind.FILE_UNKNOWN: (texts.FILE_UNKNOWN, texts.FILE_UNKNOWN_MEANS),
    Kind.OTHER_ACCOUNT: (texts.OTHER_ACCOUNT, texts.OTHER_ACCOUNT_MEANS),
    Kind.OLDER_COPY: (texts.OLDER_COPY, texts.OLDER_COPY_MEANS),
    Kind.UNFINISHED: (texts.UNFINISHED, texts.UNFINISHED_MEANS),
    Kind.ACCESS: (texts.ACCESS, texts.ACCESS_MEANS),
    Kind.SECRETS: (texts.SECRETS, texts.SECRETS_MEANS),
    Kind.NAME: (texts.NAME, texts.NAME_MEANS),
    Kind.TLS_PAIR: (texts.TLS_PAIR, texts.TLS_PAIR_MEANS),
    Kind.COUNTERS: (texts.COUNTERS, texts.COUNTERS_MEANS),
    Kind.UIDNEXT: (texts.UIDNEXT, texts.UIDNEXT_MEANS),
    Kind.MODSEQ: (texts.MODSEQ, texts.MODSEQ_MEANS),
    Kind.NUMBERS: (texts.NUMBERS, texts.NUMBERS_MEANS),
    Kind.FLAGS: (texts.FLAGS, texts.FLAGS_MEANS),
    Kind.KEYWORDS: (texts.KEYWORDS, texts.KEYWORDS_MEANS),
    Kind.CHANGED_RUNS: (texts.CHANGED_RUNS, texts.CHANGED_RUNS_MEANS),
    Kind.EXPUNGED_RUNS: (texts.EXPUNGED_RUNS, texts.EXPUNGED_RUNS_MEANS),
    Kind.TREE: (texts.TREE, texts.TREE_MEANS),
    Kind.MAILBOX_NAME: (texts.MAILBOX_NAME, texts.MAILBOX_NAME_MEANS),
    Kind.LOG: (texts.LOG, texts.LOG_MEANS),
    Kind.METADATA: (texts.METADATA, texts.METADATA_MEANS),
    Kind.QUOTA: (texts.QUOTA, texts.QUOTA_MEANS),
    Kind.RETAINED: (texts.RETAINED, texts.RETAINED_MEANS),
    Kind.NO_MAILBOX: (texts.NO_MAILBOX, texts.NO_MAILBOX_MEANS),
    Kind.NO_CONTENT: (texts.NO_CONTENT, texts.NO_CONTENT_MEANS),
    Kind.LOST_MESSAGE: (texts.LOST_MESSAGE, texts.LOST_MESSAGE_MEANS),
    Kind.NO_DERIVED: (texts.NO_DERIVED, texts.NO_DERIVED_MEANS),
    Kind.LEFT_OVER: (texts.LEFT_OVER, texts.LEFT_OVER_MEANS),
    Kind.COPIES: (texts.COPIES, texts.COPIES_MEANS),
    Kind.SIZE: (texts.SIZE, texts.SIZE_MEANS),
    Kind.DATE: (texts.DATE, texts.DATE_MEANS),
    Kind.OCTETS: (texts.OCTETS, texts.OCTETS_MEANS),
    Kind.RENDERED: (texts.RENDERED, texts.RENDERED_MEANS),
    Kind.HEADER_FIELDS: (texts.HEADER_FIELDS, texts.HEADER_FIELDS_MEANS),
    Kind.SEARCH_TEXT: (texts.SEARCH_TEXT, texts.SEARCH_TEXT_MEANS),
    Kind.TEXT_INDEX: (texts.TEXT_INDEX, texts.TEXT_INDEX_MEANS),
}
"""What is wrong, and what it means for the user."""

_MENDING: Final = {
    Mend.REPAIR: texts.REPAIR_MENDS,
    Mend.ITSELF: texts.MENDS_ITSELF,
    Mend.OPERATOR: texts.NOT_MENDABLE,
}


def lines(report: Report) -> Iterator[Text]:
    """The lines for an operator."""
    account = shown(report.name) if report.name else texts.DIRECTORY
    if report.copy:
        yield texts.COPIED.of(account=account, file=report.copy)
    if report.repaired:
        yield texts.REPAIRED.of(account=account, kinds=", ".join(kind.code for kind in report.repaired))
    if report.recovered:
        yield texts.RECOVERED_HAS.of(account=account, count=report.recovered, mailbox=RECOVERED)
    if report.problem:
        yield texts.CANNOT_REPAIR.of(account=account, problem=report.problem)
    if report.findings:
        yield texts.FOUND.of(account=account, count=len(report.findings))
        for finding in report.findings:
            yield _line(finding)
    elif report.name:
        yield texts.CLEAN.of(account=account, count=report.messages, size=decimal(report.size))
    else:
        yield texts.DIRECTORY_CLEAN.of(directory=account)


def _line(finding: Finding) -> Text:
    problem, meaning = SENTENCES[finding.kind]
    detail = f" ({_printable(finding.detail)})" if finding.detail.strip() else ""
    place = _printable(finding.place) or texts.ACCOUNT_ITSELF
    return texts.LINE.of(place=place, problem=problem, detail=detail, meaning=meaning, mending=_MENDING[finding.mend])


def _printable(text: str) -> str:
    """*text* on one line: it may come from a damaged file."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text.strip())


class _JsonFinding(msgspec.Struct):
    kind: str
    place: str
    detail: str
    count: int
    mend: str


class _JsonReport(msgspec.Struct):
    account: str
    file: str
    messages: int
    octets: int
    findings: list[_JsonFinding]
    repaired: list[str]
    copy: str
    recovered: int
    problem: str


def json(report: Report) -> str:
    """The report as one line of JSON; ``account`` is empty for the directory of accounts."""
    findings = [
        _JsonFinding(each.kind.code, each.place, each.detail, each.count, each.mend.name.lower())
        for each in report.findings
    ]
    repaired = [kind.code for kind in report.repaired]
    of_repair = (repaired, str(report.copy or ""), report.recovered, str(report.problem))
    made = _JsonReport(report.name, str(report.path), report.messages, report.size, findings, *of_repair)
    return msgspec.json.encode(made).decode()
