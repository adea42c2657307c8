-- The store, version 1. Times are milliseconds since 1970 in UTC.

-- Who this store is; written once.
CREATE TABLE meta(
    one INTEGER PRIMARY KEY CHECK (one = 0),
    key BLOB NOT NULL,
    origin TEXT NOT NULL,
    record_clock INTEGER NOT NULL
) STRICT;

-- Where this store stands; one row, written with every change.
CREATE TABLE state(
    one INTEGER PRIMARY KEY CHECK (one = 0),
    size INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    policy TEXT,
    desk INTEGER NOT NULL,
    decisions INTEGER NOT NULL,
    automatic INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (0, 0, 0, NULL, 0, 0, 0);

-- The trail. `item`: the decision it is about (its `n`), NULL in a decision's own admission.
CREATE TABLE log(
    idx INTEGER PRIMARY KEY,
    item INTEGER,
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX log_item ON log(item) WHERE item IS NOT NULL;
CREATE TRIGGER log_no_update BEFORE UPDATE ON log
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_no_delete BEFORE DELETE ON log
BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE TABLE frontier(
    one INTEGER PRIMARY KEY CHECK (one = 0),
    bytes BLOB NOT NULL
) STRICT;
-- id = level * 2^56 + index
CREATE TABLE tiles(
    id INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoints(
    number INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;

-- Texts the trail commits to: id = log index * 64 + position. Erased: no salt, no value.
-- `path` NULL is `record`.
CREATE TABLE bodies(
    id INTEGER PRIMARY KEY,
    path TEXT,
    salt BLOB,
    value BLOB
) STRICT;

-- What many decisions have in common.
CREATE TABLE shapes(
    k INTEGER PRIMARY KEY,
    domain TEXT NOT NULL,
    action TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    level INTEGER NOT NULL,
    rule TEXT NOT NULL,
    route TEXT NOT NULL,
    UNIQUE (rule, action, domain, model, version, level, route)
) STRICT;

-- n: log index of the admission. `raw`: log index of the entry whose first body is the record
-- (NULL: n). `rest`: JSON of what is rare.
CREATE TABLE decisions(
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    content BLOB NOT NULL,
    shape INTEGER NOT NULL,
    at INTEGER NOT NULL,
    due INTEGER,
    confidence REAL,
    impact REAL,
    reason TEXT,
    cohort TEXT,
    tags TEXT,
    rest TEXT,
    raw INTEGER
) STRICT;

CREATE TABLE queues(
    k INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- What people see, or saw. `place`: queue order as bytes.
CREATE TABLE items(
    n INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    level INTEGER NOT NULL,
    open INTEGER NOT NULL,
    place BLOB NOT NULL,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    revision INTEGER NOT NULL,
    entered INTEGER NOT NULL,
    due INTEGER,
    priority INTEGER NOT NULL,
    blind INTEGER NOT NULL,
    breached INTEGER NOT NULL,
    grace INTEGER,
    rest TEXT NOT NULL
) STRICT;
CREATE INDEX items_order ON items(queue, place) WHERE open = 1;
CREATE INDEX items_grace ON items(grace) WHERE grace IS NOT NULL;

-- Maintained with every item: totals are never counted. `held`: decided, grace running.
CREATE TABLE counts(
    queue INTEGER NOT NULL,
    level INTEGER NOT NULL,
    shape INTEGER NOT NULL,
    open INTEGER NOT NULL,
    held INTEGER NOT NULL,
    PRIMARY KEY (queue, level, shape)
) STRICT, WITHOUT ROWID;
-- Open items by due minute; `fresh`: not yet escalated for being late.
CREATE TABLE dues(
    queue INTEGER NOT NULL,
    minute INTEGER NOT NULL,
    open INTEGER NOT NULL,
    fresh INTEGER NOT NULL,
    PRIMARY KEY (queue, minute)
) STRICT, WITHOUT ROWID;
CREATE TABLE cohort_counts(
    cohort TEXT PRIMARY KEY,
    decisions INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE model_first_seen(
    model TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Nobody counts twice for a content, and a level counts once.
CREATE TABLE approvals(
    item INTEGER NOT NULL REFERENCES items(n),
    content TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    queue TEXT NOT NULL,
    PRIMARY KEY (item, content, reviewer),
    UNIQUE (item, content, queue)
) STRICT, WITHOUT ROWID;

-- `entry`: the log entry whose first body is the review's text.
CREATE TABLE reviews(
    request_id TEXT PRIMARY KEY,
    item INTEGER NOT NULL REFERENCES decisions(n),
    entry INTEGER NOT NULL,
    reviewer TEXT NOT NULL,
    level INTEGER NOT NULL,
    queue TEXT NOT NULL,
    revision INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    tags TEXT,
    at INTEGER NOT NULL,
    signature TEXT,
    undone INTEGER NOT NULL,
    reversal INTEGER NOT NULL,
    agreed INTEGER
) STRICT;
CREATE INDEX reviews_item ON reviews(item);
CREATE INDEX reviews_reviewer ON reviews(reviewer, item);

CREATE TABLE answers(
    item INTEGER NOT NULL REFERENCES decisions(n),
    reviewer TEXT NOT NULL,
    request_id TEXT NOT NULL UNIQUE,
    entry INTEGER NOT NULL,
    agreed INTEGER NOT NULL,
    PRIMARY KEY (item, reviewer)
) STRICT, WITHOUT ROWID;

CREATE TABLE corrections(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    item INTEGER NOT NULL REFERENCES decisions(n),
    request_id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL
) STRICT;

-- A row stays when a lease ends, without a reviewer: the epoch never goes back.
CREATE TABLE leases(
    item INTEGER PRIMARY KEY REFERENCES items(n),
    reviewer TEXT,
    until INTEGER NOT NULL,
    epoch INTEGER NOT NULL
) STRICT;
CREATE INDEX leases_live ON leases(until) WHERE reviewer IS NOT NULL;

CREATE TABLE drafts(
    item INTEGER NOT NULL REFERENCES decisions(n),
    reviewer TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (item, reviewer)
) STRICT;

CREATE TABLE reviewers(
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    row TEXT NOT NULL
) STRICT;

CREATE TABLE policies(
    hash TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    schemas TEXT NOT NULL
) STRICT;

-- `digest` (keyed) stands for the bytes: the same line of the same source is kept once.
CREATE TABLE dead_letters(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    line INTEGER NOT NULL,
    digest BLOB NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    bytes BLOB NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (source, line, digest)
) STRICT;

CREATE TABLE outbox(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    item TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    done INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_waiting ON outbox(number) WHERE done = 0;
CREATE INDEX outbox_item ON outbox(item);

CREATE TABLE feedback(
    number INTEGER PRIMARY KEY,
    item INTEGER NOT NULL REFERENCES decisions(n),
    entry INTEGER,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
