"""The functions that write messages. A statement calls some of them, one after the other: that is one transaction.

``begin_1`` comes first: it locks the account, and takes the numbers that the others get. Each of the others refers to
an answer of the one before, so PostgreSQL cannot call them in another order. An error of any of them undoes all.
"""

from __future__ import annotations

from typing import Final

from mektup.store.postgres.failures import ACCOUNT_GONE, CHANGED, NO_MAILBOX, NO_TARGET, OVER_QUOTA, TOO_MANY
from mektup.terms.numbers import MAX_UINT32
from mektup.terms.quota import Resource

_BEGIN: Final = f"""
CREATE OR REPLACE FUNCTION begin_1(
    _account uuid, _modseqs bigint, _contents bigint, _expunged bigint, _octets bigint, _messages bigint,
    _retained bigint, _past_from bigint, _default jsonb, OUT modseq bigint, OUT content bigint, OUT expunged bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    _row accounts;
    _limit bigint;
BEGIN
    UPDATE accounts AS a SET
        modseq = a.modseq + _modseqs, content = a.content + _contents, expunged = a.expunged + _expunged,
        octets = a.octets + _octets, messages = a.messages + _messages, retained = a.retained + _retained,
        past_from = greatest(a.past_from, _past_from)
        WHERE account = _account AND state = 0 RETURNING a.* INTO _row;
    IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '{ACCOUNT_GONE}'; END IF;
    IF _octets > 0 OR _messages > 0 THEN
        _default := _default || _row.quota;
        _limit := (_default ->> '{Resource.STORAGE.value}')::bigint;
        IF _octets > 0 AND _row.octets > _limit THEN
            RAISE EXCEPTION USING ERRCODE = '{OVER_QUOTA}', DETAIL = '{Resource.STORAGE.value} ' || _limit;
        END IF;
        _limit := (_default ->> '{Resource.MESSAGE.value}')::bigint;
        IF _messages > 0 AND _row.messages > _limit THEN
            RAISE EXCEPTION USING ERRCODE = '{OVER_QUOTA}', DETAIL = '{Resource.MESSAGE.value} ' || _limit;
        END IF;
    END IF;
    modseq := _row.modseq;
    content := _row.content;
    expunged := _row.expunged;
END $$
"""
"""Returns the last of the numbers that were taken. The differences of the account's sums are of the whole call."""

_GROW: Final = f"""
CREATE OR REPLACE FUNCTION grow_1(
    _account uuid, _mailbox bigint, _modseq bigint, _messages bigint, _unseen bigint, _deleted bigint, _size bigint,
    _names text[], _most_names bigint, _most_octets bigint, OUT uidvalidity bigint, OUT first bigint, OUT tail bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    UPDATE mailboxes AS m SET
        uidnext = m.uidnext + _messages, highestmodseq = _modseq, messages = m.messages + _messages,
        unseen = m.unseen + _unseen, deleted = m.deleted + _deleted, size = m.size + _size,
        recent = m.recent + _messages, tail = m.tail + _messages,
        keywords = use_keywords_1(m.keywords, _names, _most_names, _most_octets)
        WHERE account = _account AND id = _mailbox AND selectable
        RETURNING m.uidvalidity, m.uidnext - _messages, m.tail INTO uidvalidity, first, tail;
    IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '{NO_MAILBOX}'; END IF;
    IF first + _messages > {MAX_UINT32} THEN RAISE EXCEPTION USING ERRCODE = '{TOO_MANY}', DETAIL = 'uids 0'; END IF;
END $$
"""

_ADD: Final = """
CREATE OR REPLACE FUNCTION add_1(
    _account uuid, _mailbox bigint, _modseq bigint, _content bigint, _moment bigint, _first bigint, _words bigint[],
    _sizes bigint[], _dates bigint[], _zones bigint[], _tokens uuid[], _threads bigint[], _keys bigint[],
    _owners bigint[], _header_sizes bigint[], _digests bytea[], _envelopes bytea[], _bodies bytea[],
    _structures bytea[], _layouts bytea[], _sent bigint[], _sent_zones bigint[], _are_replies boolean[],
    _subjects text[], _from text[], _to text[], _cc text[], _bcc text[], _base_subjects text[], _from_keys text[],
    _to_keys text[], _cc_keys text[], _display_from text[], _display_to text[], _message_ids text[], _references text[],
    _previews text[], _packed bigint[], _headers bytea[], _octets bytea[], _objects text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    _thread bigint;
BEGIN
    FOR _at IN 1 .. cardinality(_words) LOOP
        SELECT k.thread INTO _thread FROM unnest(_keys, _owners) WITH ORDINALITY AS u(id, owner, number)
            JOIN thread_keys AS k ON k.account = _account AND k.id = u.id
            WHERE u.owner = _at ORDER BY u.number LIMIT 1;
        IF FOUND THEN _threads[_at] := _thread; END IF;
        INSERT INTO thread_keys SELECT _account, u.id, _threads[_at] FROM unnest(_keys, _owners) AS u(id, owner)
            WHERE u.owner = _at ON CONFLICT DO NOTHING;
    END LOOP;
    INSERT INTO contents (
        account, id, size, header_size, token, digest, thread, envelope, body, bodystructure, layout, sent, sent_zone,
        is_reply, subject, from_, to_, cc, bcc, base_subject, from_key, to_key, cc_key, display_from, display_to,
        message_id, reference_ids, preview, packed, header, octets, object)
        SELECT
            _account, _content - cardinality(_words) + number, size, header_size, token, digest, thread, envelope, body,
            bodystructure, layout, sent, sent_zone, is_reply, subject, from_, to_, cc, bcc, base_subject, from_key,
            to_key, cc_key, display_from, display_to, message_id, reference_ids, preview, packed, header, octets, object
        FROM unnest(
            _sizes, _header_sizes, _tokens, _digests, _threads, _envelopes, _bodies, _structures, _layouts, _sent,
            _sent_zones, _are_replies, _subjects, _from, _to, _cc, _bcc, _base_subjects, _from_keys, _to_keys, _cc_keys,
            _display_from, _display_to, _message_ids, _references, _previews, _packed, _headers, _octets, _objects)
        WITH ORDINALITY AS t(
            size, header_size, token, digest, thread, envelope, body, bodystructure, layout, sent, sent_zone, is_reply,
            subject, from_, to_, cc, bcc, base_subject, from_key, to_key, cc_key, display_from, display_to, message_id,
            reference_ids, preview, packed, header, octets, object, number);
    INSERT INTO tail
        SELECT _account, _mailbox, _first + number - 1, _modseq, word, _content - cardinality(_words) + number, size,
            coalesce(date, _moment), zone, _moment
        FROM unnest(_words, _sizes, _dates, _zones) WITH ORDINALITY AS t(word, size, date, zone, number);
END $$
"""
"""Adds messages to the tail; their contents are new. *threads*: the thread of a message whose keys are all unknown."""

_COPY: Final = f"""
CREATE OR REPLACE FUNCTION copy_1(
    _account uuid, _mailbox bigint, _modseq bigint, _moment bigint, _first bigint, _words bigint[], _contents bigint[],
    _sizes bigint[], _dates bigint[], _zones bigint[], _shares boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    _found bigint;
BEGIN
    INSERT INTO tail
        SELECT _account, _mailbox, _first + number - 1, _modseq, word, content, size, date, zone, _moment
        FROM unnest(_words, _contents, _sizes, _dates, _zones) WITH ORDINALITY
            AS t(word, content, size, date, zone, number);
    IF _shares THEN
        UPDATE contents AS c SET copies = c.copies + n.copies
            FROM (SELECT id, count(*) AS copies FROM unnest(_contents) AS t(id) GROUP BY id) AS n
            WHERE c.account = _account AND c.id = n.id;
        GET DIAGNOSTICS _found = ROW_COUNT;
        IF _found <> (SELECT count(DISTINCT id) FROM unnest(_contents) AS t(id)) THEN
            RAISE EXCEPTION USING ERRCODE = '{CHANGED}';
        END IF;
    END IF;
END $$
"""
"""Adds messages whose contents are there. *shares*: they are in another mailbox, too."""

_TARGET: Final = f"""
CREATE OR REPLACE FUNCTION target_1(_account uuid, _name text, OUT id bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    SELECT m.id INTO id FROM mailboxes AS m WHERE account = _account AND name = _name AND selectable;
    IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '{NO_TARGET}'; END IF;
END $$
"""

_CHECK: Final = f"""
CREATE OR REPLACE FUNCTION check_1(
    _account uuid, _mailbox bigint, _modseq bigint, _blocks bigint[], _built_on bigint[], _uidnext bigint,
    OUT previous bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    _next bigint;
BEGIN
    SELECT highestmodseq, uidnext INTO previous, _next FROM mailboxes
        WHERE account = _account AND id = _mailbox AND selectable;
    IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '{NO_MAILBOX}'; END IF;
    IF _next <> _uidnext OR EXISTS (
        SELECT FROM unnest(_blocks, _built_on) AS t(block, modseq)
        LEFT JOIN flags AS f ON f.account = _account AND f.mailbox = _mailbox AND f.block = t.block
        WHERE coalesce(f.modseq, 0) <> t.modseq
    ) THEN
        RAISE EXCEPTION USING ERRCODE = '{CHANGED}';
    END IF;
END $$
"""
"""Refuses where the blocks are not those that the node read. *uidnext*: where a message may have arrived since."""

_REWRITE: Final = f"""
CREATE OR REPLACE FUNCTION rewrite_1(
    _account uuid, _mailbox bigint, _modseq bigint, _takes boolean, _blocks bigint[], _modseqs bigint[],
    _unseen_in bigint[], _flags bytea[], _fact_blocks bigint[], _facts bytea[], _folded bigint[], _firsts bigint[],
    _lasts bigint[], _messages bigint, _unseen bigint, _deleted bigint, _size bigint, _names text[],
    _most_names bigint, _most_octets bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    _rows bigint;
BEGIN
    IF cardinality(_folded) > 0 THEN
        DELETE FROM tail WHERE account = _account AND mailbox = _mailbox AND uid = ANY (_folded);
        GET DIAGNOSTICS _rows = ROW_COUNT;
        IF _rows <> cardinality(_folded) THEN RAISE EXCEPTION USING ERRCODE = '{CHANGED}'; END IF;
    END IF;
    INSERT INTO flags
        SELECT _account, _mailbox, block, CASE WHEN modseq > 0 THEN modseq ELSE _modseq + modseq END, unseen, octets
        FROM unnest(_blocks, _modseqs, _unseen_in, _flags) AS t(block, modseq, unseen, octets)
        ON CONFLICT (account, mailbox, block) DO UPDATE
        SET modseq = excluded.modseq, unseen = excluded.unseen, octets = excluded.octets;
    IF cardinality(_fact_blocks) > 0 THEN
        INSERT INTO facts SELECT _account, _mailbox, block, octets FROM unnest(_fact_blocks, _facts) AS t(block, octets)
            ON CONFLICT (account, mailbox, block) DO UPDATE SET octets = excluded.octets;
    END IF;
    IF cardinality(_firsts) > 0 THEN
        INSERT INTO expunged SELECT _account, _mailbox, _modseq, first, last
            FROM unnest(_firsts, _lasts) AS t(first, last);
    END IF;
    UPDATE mailboxes AS m SET
        highestmodseq = CASE WHEN _takes THEN _modseq ELSE m.highestmodseq END, messages = m.messages + _messages,
        unseen = m.unseen + _unseen, deleted = m.deleted + _deleted, size = m.size + _size,
        tail = m.tail - cardinality(_folded),
        recent = m.recent - (
            SELECT coalesce(sum(last - greatest(first, m.recent_from) + 1), 0)
            FROM unnest(_firsts, _lasts) AS t(first, last) WHERE last >= m.recent_from),
        keywords = use_keywords_1(m.keywords, _names, _most_names, _most_octets)
        WHERE account = _account AND id = _mailbox;
    RETURN _modseq;
END $$
"""
"""Writes blocks anew. *takes*: the change takes a modseq; a fold does not."""

_RELEASE: Final = """
CREATE OR REPLACE FUNCTION release_1(_account uuid, _contents bigint[], _not_before bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE contents AS c SET copies = c.copies - n.copies
        FROM (SELECT id, count(*) AS copies FROM unnest(_contents) AS t(id) GROUP BY id) AS n
        WHERE c.account = _account AND c.id = n.id;
    DELETE FROM texts AS t USING contents AS c
        WHERE c.account = _account AND c.id = ANY (_contents) AND c.copies <= 0
        AND t.account = _account AND t.content = c.id;
    WITH gone AS (
        DELETE FROM contents WHERE account = _account AND id = ANY (_contents) AND copies <= 0 RETURNING object)
    INSERT INTO garbage SELECT _account, object, _not_before FROM gone WHERE object IS NOT NULL;
END $$
"""
"""Counts a message less for each of *contents*, which may repeat; the objects of those that go become garbage."""

_REMOVE: Final = """
CREATE OR REPLACE FUNCTION remove_1(
    _account uuid, _mailbox bigint, _modseq bigint, _expunged bigint, _moment bigint, _keeps boolean, _moved boolean,
    _uids bigint[], _words bigint[], _contents bigint[], _sizes bigint[], _dates bigint[], _zones bigint[],
    _saved bigint[], _not_before bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    IF _keeps THEN
        INSERT INTO retained
            SELECT _account, _expunged - cardinality(_uids) + number, _mailbox, uid, word, _modseq, content, size, date,
                zone, saved, _moment, _moved
            FROM unnest(_uids, _words, _contents, _sizes, _dates, _zones, _saved) WITH ORDINALITY
                AS t(uid, word, content, size, date, zone, saved, number);
    ELSIF NOT _moved THEN
        PERFORM release_1(_account, _contents, _not_before);
    END IF;
    RETURN _modseq;
END $$
"""
"""Keeps what is left of messages that were removed from their blocks, or frees it. *moved*: they are elsewhere now."""

_HISTORY: Final = """
CREATE OR REPLACE FUNCTION note_flags_1(
    _account uuid, _mailbox bigint, _modseq bigint, _moment bigint, _modseqs bigint[], _firsts bigint[],
    _lasts bigint[], _flipped bigint[], _left bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO past_flags SELECT _account, _moment, _mailbox, _modseq + modseq, first, last, flipped
        FROM unnest(_modseqs, _firsts, _lasts, _flipped) AS t(modseq, first, last, flipped);
    IF cardinality(_left) > 0 THEN
        INSERT INTO past_sets SELECT _account, id, _moment FROM unnest(_left) AS t(id)
            ON CONFLICT (account, id) DO UPDATE SET moment = excluded.moment;
    END IF;
END $$
"""
"""The history of flags, see ``rules.flag_history``."""

_CLAIM: Final = """
CREATE OR REPLACE FUNCTION claim_recent_1(_account uuid, _mailbox bigint, _uidnext bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    _first bigint;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM FROM accounts WHERE account = _account FOR NO KEY UPDATE;
    SELECT recent_from INTO _first FROM mailboxes
        WHERE account = _account AND id = _mailbox AND recent > 0 AND recent_from < _uidnext;
    IF FOUND THEN
        UPDATE mailboxes AS m SET recent_from = _uidnext, recent = m.uidnext - _uidnext - (
            SELECT coalesce(sum(last - greatest(first, _uidnext) + 1), 0)::bigint FROM expunged
            WHERE account = _account AND mailbox = _mailbox AND last >= _uidnext)
            WHERE account = _account AND id = _mailbox;
    END IF;
    RETURN _first;
END $$
"""
"""Claims what is \\Recent below *uidnext*; returns the first of these UIDs, NULL where there are none."""

FUNCTIONS: Final = (_BEGIN, _GROW, _ADD, _COPY, _TARGET, _CHECK, _REWRITE, _RELEASE, _REMOVE, _HISTORY, _CLAIM)

# The statements. Each is one call, with named parameters: those of Begin, Grow and so on in ``message_calls``

BEGUN = (
    "begin_1(%(account)s, %(modseqs)s, %(new_contents)s, %(new_expunged)s, %(octets)s, %(messages)s, %(retained)s, "
    "%(past_from)s, %(default)s::jsonb) AS b"
)
ADDED = (
    "add_1(%(account)s, {mailbox}, b.modseq, b.content, %(moment)s, g.first, %(words)b, %(sizes)b, %(dates)b, "
    "%(zones)b, %(tokens)b, %(threads)b, %(keys)b, %(owners)b, %(header_sizes)b, %(digests)b, %(envelopes)b, "
    "%(bodies)b, %(structures)b, %(layouts)b, %(sent)b, %(sent_zones)b, %(are_replies)b, %(subjects)b, %(from)b, "
    "%(to)b, %(cc)b, %(bcc)b, %(base_subjects)b, %(from_keys)b, %(to_keys)b, %(cc_keys)b, %(display_from)b, "
    "%(display_to)b, %(message_ids)b, %(references)b, %(previews)b, %(packed)b, %(headers)b, %(bytes)b, %(objects)b)"
)
_GROWN = (
    "grow_1(%(account)s, {mailbox}, {modseq}, %(grown)s, %(grown_unseen)s, %(grown_deleted)s, %(grown_size)s, "
    "%(grown_names)b, %(most_names)s, %(most_octets)s) AS g"
)
_CHECKED = "check_1(%(account)s, %(mailbox)s, b.modseq, %(checked)b, %(checked_on)b, %(uidnext)s) AS c"
_REWRITTEN = (
    "rewrite_1(%(account)s, %(mailbox)s, b.modseq, %(takes)s, %(blocks)b, %(block_modseqs)b, %(block_unseen)b, "
    "%(flags)b, %(fact_blocks)b, %(facts)b, %(folded)b, %(firsts)b, %(lasts)b, %(d_messages)s, %(d_unseen)s, "
    "%(d_deleted)s, %(d_size)s, %(names)b, %(most_names)s, %(most_octets)s) AS r"
)
_REMOVED = (
    "remove_1(%(account)s, %(mailbox)s, r, b.expunged, %(moment)s, %(keeps)s, %(moved)s, %(gone_uids)b, "
    "%(gone_words)b, %(gone_contents)b, %(gone_sizes)b, %(gone_dates)b, %(gone_zones)b, %(gone_saved)b, "
    "%(not_before)s) AS d"
)
_NOTED = (
    "note_flags_1(%(account)s, %(mailbox)s, r, %(moment)s, %(past_modseqs)b, %(past_firsts)b, %(past_lasts)b, "
    "%(past_flipped)b, %(past_left)b)"
)
_COPIED = (
    "copy_1(%(account)s, t.id, b.modseq, %(moment)s, g.first, %(words)b, %(contents)b, %(sizes)b, %(dates)b, "
    "%(zones)b, {shares})"
)

_ANSWERED = "note_answer_1(%(account)s, %(token)s, %(moment)s, jsonb_build_array({}))"
"""Keeps the answer for a node that loses it, see ``lost_answers``."""
_OF_TARGET = "b.modseq, g.uidvalidity, g.first, t.id, g.tail"

APPEND: Final = (
    f"SELECT b.modseq, g.uidvalidity, g.first, g.tail FROM {BEGUN}, "
    f"LATERAL {_GROWN.format(mailbox='%(mailbox)s', modseq='b.modseq')}, "
    f"LATERAL {ADDED.format(mailbox='%(mailbox)s')}"
)
REPLACE: Final = (
    f"SELECT b.modseq, g.uidvalidity, g.first, g.tail FROM {BEGUN}, LATERAL {_CHECKED}, "
    f"LATERAL (SELECT r FROM {_REWRITTEN} WHERE c.previous IS NOT NULL) AS w, LATERAL {_REMOVED}, "
    f"LATERAL {_GROWN.format(mailbox='%(target)s', modseq='d')}, LATERAL {ADDED.format(mailbox='%(target)s')}, "
    f"LATERAL {_ANSWERED.format('b.modseq, g.uidvalidity, g.first, g.tail')}"
)
STORE: Final = (
    f"SELECT b.modseq, c.previous FROM {BEGUN}, LATERAL {_CHECKED}, "
    f"LATERAL (SELECT r FROM {_REWRITTEN} WHERE c.previous IS NOT NULL) AS w, LATERAL {_NOTED}"
)
REMOVE: Final = (
    f"SELECT b.modseq, c.previous FROM {BEGUN}, LATERAL {_CHECKED}, "
    f"LATERAL (SELECT r FROM {_REWRITTEN} WHERE c.previous IS NOT NULL) AS w, LATERAL {_REMOVED}"
)
FOLD: Final = (
    f"SELECT w.r FROM {BEGUN}, LATERAL {_CHECKED}, "
    f"LATERAL (SELECT r FROM {_REWRITTEN} WHERE c.previous IS NOT NULL) AS w"
)
COPY: Final = (
    f"SELECT {_OF_TARGET} FROM {BEGUN}, LATERAL {_CHECKED}, "
    f"LATERAL (SELECT t.id FROM target_1(%(account)s, %(target)s) AS t WHERE c.previous IS NOT NULL) AS t, "
    f"LATERAL {_GROWN.format(mailbox='t.id', modseq='b.modseq')}, LATERAL {_COPIED.format(shares='true')}, "
    f"LATERAL {_ANSWERED.format(_OF_TARGET)}"
)
MOVE: Final = (
    f"SELECT {_OF_TARGET} FROM {BEGUN}, LATERAL {_CHECKED}, "
    f"LATERAL (SELECT t.id FROM target_1(%(account)s, %(target)s) AS t WHERE c.previous IS NOT NULL) AS t, "
    f"LATERAL (SELECT r FROM {_REWRITTEN} WHERE t.id IS NOT NULL) AS w, LATERAL {_REMOVED}, "
    f"LATERAL {_GROWN.format(mailbox='t.id', modseq='d')}, LATERAL {_COPIED.format(shares='false')}, "
    f"LATERAL {_ANSWERED.format(_OF_TARGET)}"
)
