"""The tables of the directory. They may stand in the database of a shard, so no name is used in both."""

from __future__ import annotations

from typing import Final

_TABLES: Final = """
CREATE TABLE entries (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    folded text COLLATE "C" NOT NULL UNIQUE,    -- terms.names.account_key of the name
    secrets text NOT NULL,                      -- a JSON object
    hidden text NOT NULL DEFAULT '',            -- capabilities that are hidden from its clients, separated by spaces
    shard text NOT NULL
);
CREATE TABLE unfinished (                       -- accounts that are being added or removed; their mail may exist
    id uuid PRIMARY KEY,
    shard text NOT NULL,
    since bigint NOT NULL,
    removing boolean NOT NULL                   -- whether the mail is being removed; an addition must not go on then
);
CREATE TABLE fillings (                         -- how many accounts each shard has
    shard text PRIMARY KEY,
    accounts bigint NOT NULL
);
CREATE TABLE logins (                           -- the last login of each account that has logged in
    account uuid PRIMARY KEY,
    at bigint NOT NULL
);
CREATE TABLE sharing (                          -- which account shares something with which
    reader text COLLATE "C",                    -- the ID of an account, or "anyone"
    owner uuid,
    PRIMARY KEY (reader, owner)
);
CREATE INDEX sharing_by_owner ON sharing (owner);
CREATE TABLE domains (
    name text COLLATE "C" PRIMARY KEY
);
CREATE TABLE aliases (
    address text COLLATE "C",
    domain text COLLATE "C" NOT NULL,           -- that of the address; empty where it has none
    account uuid,
    PRIMARY KEY (address, account)
);
CREATE INDEX aliases_by_account ON aliases (account);
CREATE INDEX aliases_by_domain ON aliases (domain);
CREATE TABLE server_metadata (
    entry text COLLATE "C" PRIMARY KEY,         -- in lower case
    modseq bigint NOT NULL,
    value bytea                                 -- NULL where it was removed
);
CREATE INDEX server_metadata_by_change ON server_metadata (modseq);
CREATE TABLE numbers (                          -- one row, which every change of the directory locks
    id int PRIMARY KEY,
    changes bigint NOT NULL,                    -- how many changes of accounts there were
    domain_changes bigint NOT NULL              -- and of domains
);
INSERT INTO numbers VALUES (1, 0, 0)
"""

VERSIONS: Final = ((_TABLES,),)
OLDEST_READER: Final = 1
