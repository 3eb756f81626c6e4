"""Sets of keywords, which an account numbers, and the keywords of a mailbox."""

from __future__ import annotations

from typing import Final

from mektup.store.postgres.failures import ACCOUNT_GONE, TOO_MANY

_ADD: Final = f"""
CREATE OR REPLACE FUNCTION add_keyword_sets_1(_account uuid, _names text[], _after bigint)
RETURNS TABLE (id bigint, names text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM accounts WHERE account = _account AND state = 0 FOR NO KEY UPDATE;
    IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '{ACCOUNT_GONE}'; END IF;
    INSERT INTO keyword_sets
        SELECT _account, number + (SELECT coalesce(max(k.id), 0) FROM keyword_sets AS k WHERE k.account = _account),
            t.names
        FROM unnest(_names) WITH ORDINALITY AS t(names, number)
        ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT k.id, k.names FROM keyword_sets AS k WHERE k.account = _account AND k.id > _after ORDER BY k.id;
END $$
"""
_USE: Final = f"""
CREATE OR REPLACE FUNCTION use_keywords_1(_used text, _names text[], _most bigint, _most_octets bigint) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    _name text;
    _longest bigint := 0;
BEGIN
    FOREACH _name IN ARRAY _names LOOP
        IF lower(_name COLLATE "C") <> ALL (string_to_array(lower(_used COLLATE "C"), ' ')) THEN
            _used := ltrim(_used || ' ' || _name);
            _longest := greatest(_longest, octet_length(_name));
        END IF;
    END LOOP;
    IF _longest > 0 AND cardinality(string_to_array(_used, ' ')) > _most THEN
        RAISE EXCEPTION USING ERRCODE = '{TOO_MANY}', DETAIL = 'keywords ' || _most;
    END IF;
    IF _longest > _most_octets THEN
        RAISE EXCEPTION USING ERRCODE = '{TOO_MANY}', DETAIL = 'octets ' || _most_octets;
    END IF;
    RETURN _used;
END $$
"""
"""The keywords of a mailbox with *names*; see ``rules.counters.Box.use_keywords``."""

FUNCTIONS: Final = (_ADD, _USE)

ADD: Final = "SELECT * FROM add_keyword_sets_1(%s, %b, %s)"
"""Adds sets; returns all above a number."""
SINCE: Final = "SELECT id, names FROM keyword_sets WHERE account = %s AND id > %s ORDER BY id"
