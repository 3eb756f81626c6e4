"""The tables of a shard. Every key begins with the account, so no query ever reads the rows of two accounts.

All numbers are bigint, so that no statement compares two types. Moments are seconds since 1970 UTC. There are no
foreign keys, no triggers and no sequences: numbers are taken from the row in ``accounts``, which every write locks
first.

A block is ``uid >> 8``: the flags and the facts of 256 UIDs are one row each (``store.state_blocks``). New messages are
rows of ``tail`` until they are folded into their blocks. A message is in its block or in the tail, never in both.
"""

from __future__ import annotations

from typing import Final

_ACCOUNTS: Final = """
CREATE TABLE accounts (
    account uuid PRIMARY KEY,
    name text NOT NULL,                 -- for logs and metrics; the directory has the name that counts
    state smallint NOT NULL DEFAULT 0,  -- 0: in use, 1: frozen, 2: moved elsewhere; MK001 for all but 0
    epoch int NOT NULL DEFAULT 0,       -- the timeline at which it was opened last
    modseq bigint NOT NULL DEFAULT 0,   -- the highest that a change took; this and the next four only grow
    uidvalidity bigint NOT NULL DEFAULT 0,
    content bigint NOT NULL DEFAULT 0,
    mailbox bigint NOT NULL DEFAULT 0,
    expunged bigint NOT NULL DEFAULT 0, -- the highest retained.id
    octets bigint NOT NULL DEFAULT 0,   -- the sums of the mailboxes' counters, for the quota
    messages bigint NOT NULL DEFAULT 0,
    mailboxes bigint NOT NULL DEFAULT 0,    -- selectable ones
    quota jsonb NOT NULL DEFAULT '{}',  -- the account's own limits, by resource; null: no limit
    log_floor bigint NOT NULL DEFAULT 0,    -- the first modseq since which the log is complete
    retained bigint NOT NULL DEFAULT 0, -- the weight of all expunged messages that are kept
    past_from bigint NOT NULL DEFAULT 0 -- the moment since which the history is complete
) WITH (fillfactor = 50)
"""
_MAILBOXES: Final = """
CREATE TABLE mailboxes (
    account uuid,
    id bigint,
    name text COLLATE "C" NOT NULL,
    uidvalidity bigint NOT NULL,
    uidnext bigint NOT NULL DEFAULT 1,
    highestmodseq bigint NOT NULL,
    messages bigint NOT NULL DEFAULT 0,
    unseen bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    size bigint NOT NULL DEFAULT 0,
    recent bigint NOT NULL DEFAULT 0,
    recent_from bigint NOT NULL DEFAULT 1,  -- the first UID that no session has claimed as \\Recent
    tail bigint NOT NULL DEFAULT 0,         -- the number of its rows in the tail
    mailboxid text NOT NULL,
    special_use text,
    selectable boolean NOT NULL DEFAULT true,
    keywords text NOT NULL DEFAULT '',      -- in order of first use, separated by spaces
    created bigint NOT NULL DEFAULT 0,      -- the modseq of its creation, see rules/account_log.py
    changed bigint NOT NULL DEFAULT 0,      -- the modseq of the last change of its name or its attributes
    named bigint NOT NULL DEFAULT 0,        -- the moment of that change
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX mailboxes_by_use ON mailboxes (account, special_use) WHERE special_use IS NOT NULL;
CREATE INDEX mailboxes_by_change ON mailboxes (account, changed)
"""
_NAMES: Final = """
CREATE TABLE subscriptions (
    account uuid,
    name text COLLATE "C",
    changed bigint NOT NULL,                -- the modseq at which it began
    PRIMARY KEY (account, name)
);
CREATE TABLE tombstones (                   -- of deleted mailboxes and ended subscriptions
    account uuid,
    modseq bigint,
    mailbox bigint,                         -- 0 for a subscription
    name text COLLATE "C",
    mailboxid text NOT NULL,
    created bigint NOT NULL,
    PRIMARY KEY (account, modseq, mailbox, name)
);
CREATE TABLE keyword_sets (
    account uuid,
    id bigint,
    names text NOT NULL,                    -- sorted by their folded spelling, separated by spaces
    PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX keyword_sets_by_names ON keyword_sets (account, md5(lower(names COLLATE "C")));
CREATE TABLE access (
    account uuid,
    mailbox bigint,
    identifier text COLLATE "C",            -- the ID of an account, or "anyone"; after a dash: negative rights
    rights text NOT NULL,                   -- letters, sorted
    PRIMARY KEY (account, mailbox, identifier)
);
CREATE INDEX access_by_identifier ON access (account, identifier);
CREATE TABLE metadata (
    account uuid,
    mailbox bigint,                         -- 0 for the empty mailbox name
    owner text COLLATE "C",                 -- the ID of the account whose private entry it is; empty for a shared one
    entry text COLLATE "C",                 -- in lower case
    modseq bigint NOT NULL,
    value bytea,                            -- NULL where it was removed
    PRIMARY KEY (account, mailbox, owner, entry)
);
CREATE INDEX metadata_by_change ON metadata (account, modseq);
CREATE TABLE imported (                     -- the keys of adopted messages, see interface.Account.imported
    account uuid,
    mailbox bigint,
    key bytea,                              -- its BLAKE2b-128
    PRIMARY KEY (account, mailbox, key)
)
"""
_STATE: Final = """
CREATE TABLE tail (                         -- the messages that are in no block yet
    account uuid,
    mailbox bigint,
    uid bigint,
    modseq bigint NOT NULL,
    flags bigint NOT NULL,                  -- the flag word, see rules/keyword_sets.py
    content bigint NOT NULL,
    size bigint NOT NULL,
    arrived bigint NOT NULL,                -- the internal date
    zone bigint NOT NULL,                   -- minutes east of UTC
    saved bigint NOT NULL,                  -- when it was added to this mailbox
    PRIMARY KEY (account, mailbox, uid)
);
CREATE TABLE flags (
    account uuid,
    mailbox bigint,
    block bigint,
    modseq bigint NOT NULL,                 -- the highest in it
    unseen bigint NOT NULL,                 -- how many of its messages do not have \\Seen
    octets bytea NOT NULL,
    PRIMARY KEY (account, mailbox, block)
) WITH (fillfactor = 70);
CREATE TABLE facts (                        -- apart from the flags, because a STORE must not write them anew
    account uuid,
    mailbox bigint,
    block bigint,
    octets bytea NOT NULL,
    PRIMARY KEY (account, mailbox, block)
);
CREATE TABLE expunged (                     -- runs of UIDs; every UID below UIDNEXT exists or is in one of them
    account uuid,
    mailbox bigint,
    modseq bigint,
    first bigint,
    last bigint NOT NULL,
    PRIMARY KEY (account, mailbox, modseq, first)
)
"""
_CONTENTS: Final = """
CREATE TABLE contents (
    account uuid,
    id bigint,                              -- never used twice
    copies bigint NOT NULL DEFAULT 1,       -- of mailboxes and of "retained"; the row goes with the last one
    size bigint NOT NULL,
    header_size bigint NOT NULL,
    token uuid NOT NULL,                    -- made by the node that added it, so that it finds it after a lost answer
    digest bytea NOT NULL,
    thread bigint NOT NULL,                 -- see rules/threads.py
    envelope bytea NOT NULL,
    body bytea NOT NULL,
    bodystructure bytea NOT NULL,
    layout bytea NOT NULL,
    sent bigint,
    sent_zone bigint NOT NULL,
    is_reply boolean NOT NULL,
    subject text NOT NULL,                  -- this and the next four for SEARCH: decoded, case-folded
    from_ text NOT NULL,
    to_ text NOT NULL,
    cc text NOT NULL,
    bcc text NOT NULL,
    base_subject text NOT NULL,             -- this and the next seven for SORT and THREAD
    from_key text NOT NULL,
    to_key text NOT NULL,
    cc_key text NOT NULL,
    display_from text NOT NULL,
    display_to text NOT NULL,
    message_id text NOT NULL,
    reference_ids text NOT NULL,            -- separated by spaces
    preview text NOT NULL,
    packed smallint NOT NULL,               -- 1: the header is compressed, 2: the rest is, 3: both are
    header bytea NOT NULL,                  -- the header with its empty line
    octets bytea,                           -- the octets after the header; where there is an object, its frames' sizes
    object text,                            -- the name of the object that has all octets of a large message
    indexed boolean NOT NULL DEFAULT false, -- whether its texts are in "texts"
    PRIMARY KEY (account, id)
) WITH (fillfactor = 90);
ALTER TABLE contents ALTER header SET STORAGE EXTERNAL, ALTER octets SET STORAGE EXTERNAL;
CREATE INDEX contents_to_index ON contents (account, id) WHERE NOT indexed;
CREATE TABLE texts (                        -- decoded, case-folded; written behind the arrivals
    account uuid,
    content bigint,
    headers text NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (account, content)
);
CREATE TABLE lists (                        -- columns of many messages together; derived, may be dropped
    account uuid,
    mailbox bigint,
    choice bigint,
    block bigint,
    octets bytea NOT NULL,
    PRIMARY KEY (account, mailbox, choice, block)
);
CREATE TABLE thread_keys (                  -- the Message-IDs that mail has or refers to, see rules/threads.py
    account uuid,
    id bigint,
    thread bigint NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE TABLE garbage (                      -- objects that no content names any more
    account uuid,
    object text,
    not_before bigint NOT NULL,
    PRIMARY KEY (account, object)
)
"""
_PAST: Final = """
CREATE TABLE retained (                     -- expunged messages, which are kept for a while; they hold their contents
    account uuid,
    id bigint,                              -- ascends; the UID in the mailboxes of deleted messages
    mailbox bigint NOT NULL,
    uid bigint NOT NULL,
    flags bigint NOT NULL,
    modseq bigint NOT NULL,                 -- of the removal
    content bigint NOT NULL,
    size bigint NOT NULL,
    arrived bigint NOT NULL,
    zone bigint NOT NULL,
    saved bigint NOT NULL,
    removed bigint NOT NULL,                -- the moment of the removal
    moved boolean NOT NULL,                 -- the message is elsewhere since, and holds its content there
    PRIMARY KEY (account, id)
);
CREATE INDEX retained_by_mailbox ON retained (account, mailbox);
CREATE TABLE past_flags (                   -- how the flags of runs of messages changed, see rules/flag_history.py
    account uuid,
    moment bigint,
    mailbox bigint,
    modseq bigint,
    first bigint,
    last bigint NOT NULL,
    flipped bigint NOT NULL,                -- the flag word before XOR the one after
    PRIMARY KEY (account, moment, mailbox, modseq, first)
);
CREATE TABLE past_sets (                    -- sets of keywords that a message left: they stay as long as its history
    account uuid,
    id bigint,
    moment bigint NOT NULL,                 -- the last time
    PRIMARY KEY (account, id)
);
CREATE TABLE past_names (                   -- what a mailbox was before it was renamed, changed or deleted
    account uuid,
    mailbox bigint,
    modseq bigint,                          -- of that change
    ended bigint NOT NULL,                  -- its moment
    begun bigint NOT NULL,
    name text NOT NULL,
    uidvalidity bigint NOT NULL,
    uidnext bigint NOT NULL,
    mailboxid text NOT NULL,
    special_use text,
    selectable boolean NOT NULL,
    keywords text NOT NULL,
    deleted boolean NOT NULL,
    PRIMARY KEY (account, mailbox, modseq)
);
CREATE TABLE late_arrivals (                -- messages that are here for less time than "saved" says
    account uuid,
    moment bigint,
    mailbox bigint,
    first bigint,
    last bigint NOT NULL,
    PRIMARY KEY (account, moment, mailbox, first)
)
"""
_WORK: Final = """
CREATE TABLE calls (                        -- answers of COPY and MOVE, for a node that lost them; for an hour
    account uuid,
    token uuid,
    at bigint NOT NULL,
    answer jsonb NOT NULL,
    PRIMARY KEY (account, token)
);
CREATE TABLE work (                         -- what is done behind the answers, and by which node
    account uuid,
    kind text COLLATE "C",
    owner uuid NOT NULL,
    until bigint NOT NULL,                  -- the moment at which another node may take it
    PRIMARY KEY (account, kind)
)
"""

VERSIONS: Final = ((_ACCOUNTS, _MAILBOXES, _NAMES, _STATE, _CONTENTS, _PAST, _WORK),)
"""What makes each version of the tables from the one before."""
OLDEST_READER: Final = 1
"""The oldest version that can use the tables of the last one."""

OF_A_MAILBOX: Final = ("tail", "flags", "facts", "expunged", "lists", "access", "metadata", "imported")
"""The tables whose rows go with their mailbox."""
OF_AN_ACCOUNT: Final = (
    *OF_A_MAILBOX,
    *("mailboxes", "subscriptions", "tombstones", "keyword_sets", "contents", "texts", "thread_keys", "retained"),
    *("past_flags", "past_sets", "past_names", "late_arrivals", "calls", "work", "accounts"),
)
"""The tables whose rows go with their account. "garbage" stays, until its objects are gone."""
