-- The store on PostgreSQL, version 1. Times are milliseconds since 1970 in UTC. Columns of text
-- from outside hold U+0000 as two characters (postgres/text.rs says which). Tables of one decision
-- have its number `n` (the log index of its admission) first in their keys, so that they can be
-- spread by it; what is one for the whole log has the log index. Names from outside may be longer
-- than an index takes: those are unique by their md5().

-- Who this store is; written once, but for the version.
CREATE TABLE meta(
    one SMALLINT PRIMARY KEY CHECK (one = 0),
    application TEXT NOT NULL CHECK (application = 'overrule'),
    version INT NOT NULL,
    key BYTEA NOT NULL,
    origin TEXT NOT NULL,
    record_clock BOOLEAN NOT NULL
);

-- Where this store stands; one row, written with every change, under the lock of the log's head.
CREATE TABLE state(
    one SMALLINT PRIMARY KEY CHECK (one = 0),
    size BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    policy TEXT,
    desk BIGINT NOT NULL,
    decisions BIGINT NOT NULL,
    automatic BIGINT NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
INSERT INTO state VALUES (0, 0, 0, NULL, 0, 0, 0);

-- The trail. `item`: the decision it is about (its `n`), NULL in a decision's own admission.
CREATE TABLE log(
    idx BIGINT PRIMARY KEY,
    item BIGINT,
    bytes BYTEA NOT NULL
);
CREATE INDEX log_item ON log(item, idx) WHERE item IS NOT NULL;
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$;
CREATE TRIGGER log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- The log's frontier when the last level-0 tile became full (or at 0): `size` is a multiple of
-- 256, and the entries from there on lead to the frontier of now.
CREATE TABLE frontier(
    one SMALLINT PRIMARY KEY CHECK (one = 0),
    size BIGINT NOT NULL,
    bytes BYTEA NOT NULL
);
-- Full tiles of 256 hashes.
CREATE TABLE tiles(
    level SMALLINT NOT NULL,
    idx BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (level, idx)
);
CREATE TABLE checkpoints(
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    size BIGINT NOT NULL,
    note TEXT NOT NULL
);

-- Texts the trail commits to, by log index and position. Erased: no salt, no value.
-- `path` NULL is `record`.
CREATE TABLE bodies(
    entry BIGINT NOT NULL,
    slot SMALLINT NOT NULL,
    path TEXT,
    salt BYTEA,
    value BYTEA,
    PRIMARY KEY (entry, slot)
);
-- Compressing a kilobyte of JSON costs more than it saves.
ALTER TABLE bodies ALTER COLUMN value SET STORAGE EXTERNAL;

-- What many decisions have in common. `digest` stands for all other columns; `outcome` and `tags`
-- are parts of `route` (JSON) that conditions look at.
CREATE TABLE shapes(
    k BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest BYTEA NOT NULL UNIQUE,
    domain TEXT NOT NULL,
    action TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    level SMALLINT NOT NULL,
    rule TEXT NOT NULL,
    outcome TEXT NOT NULL,
    tags TEXT[] NOT NULL,
    route TEXT NOT NULL
);

-- `raw`: log index of the entry whose first body is the record (NULL: n). `dims` and `groups`: the
-- cohort, side by side. `rest`: JSON of what is rare.
CREATE TABLE decisions(
    n BIGINT PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    content BYTEA NOT NULL,
    shape BIGINT NOT NULL,
    at BIGINT NOT NULL,
    due BIGINT,
    confidence DOUBLE PRECISION,
    impact DOUBLE PRECISION,
    reason TEXT,
    dims TEXT[],
    groups TEXT[],
    tags TEXT[],
    rest TEXT,
    raw BIGINT
);

CREATE TABLE queues(
    k BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE
);

-- What people see, or saw. `place`: queue order as bytes. `required`, `goes_to` and `content` are
-- parts of `rest` (JSON) that conditions look at.
CREATE TABLE items(
    n BIGINT PRIMARY KEY,
    queue BIGINT NOT NULL,
    level SMALLINT NOT NULL,
    open BOOLEAN NOT NULL,
    place BYTEA NOT NULL,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    revision BIGINT NOT NULL,
    entered BIGINT NOT NULL,
    due BIGINT,
    priority BIGINT NOT NULL,
    blind BOOLEAN NOT NULL,
    breached BOOLEAN NOT NULL,
    grace BIGINT,
    content TEXT,
    goes_to TEXT,
    required TEXT[] NOT NULL,
    rest TEXT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX items_order ON items(queue, place) WHERE open;
CREATE INDEX items_grace ON items(grace, n) WHERE grace IS NOT NULL;

-- The narrow table that is fought over: who works on what, until when. A row a item, kept when the
-- lease ends (no reviewer), so that the epoch never goes back. `queue`, `place` and `open` are the
-- item's; `content` is what stands to be approved, `approved`: some approval of it counts.
CREATE TABLE leases(
    n BIGINT PRIMARY KEY,
    queue BIGINT NOT NULL,
    open BOOLEAN NOT NULL,
    place BYTEA NOT NULL,
    content TEXT NOT NULL,
    approved BOOLEAN NOT NULL,
    reviewer TEXT,
    until BIGINT NOT NULL,
    epoch BIGINT NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
CREATE INDEX leases_free ON leases(queue, place) WHERE open AND reviewer IS NULL;
CREATE INDEX leases_held ON leases(until) WHERE reviewer IS NOT NULL;

-- Maintained with every item: totals are never counted. `held`: decided, grace running.
CREATE TABLE counts(
    queue BIGINT NOT NULL,
    level SMALLINT NOT NULL,
    shape BIGINT NOT NULL,
    open BIGINT NOT NULL,
    held BIGINT NOT NULL,
    PRIMARY KEY (queue, level, shape)
) WITH (fillfactor = 50);
-- Open items by due minute; `fresh`: not yet escalated for being late.
CREATE TABLE dues(
    queue BIGINT NOT NULL,
    minute BIGINT NOT NULL,
    open BIGINT NOT NULL,
    fresh BIGINT NOT NULL,
    PRIMARY KEY (queue, minute)
) WITH (fillfactor = 50);
CREATE TABLE cohort_counts(
    cohort TEXT NOT NULL,
    decisions BIGINT NOT NULL
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX cohort_counts_once ON cohort_counts(md5(cohort));
CREATE TABLE shape_counts(
    shape BIGINT PRIMARY KEY,
    decisions BIGINT NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE model_first_seen(
    model TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE UNIQUE INDEX model_first_seen_once ON model_first_seen(md5(model));

-- Nobody counts twice for a content, and a level counts once.
CREATE TABLE approvals(
    item BIGINT NOT NULL REFERENCES items(n),
    content TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    queue TEXT NOT NULL,
    PRIMARY KEY (item, content, reviewer),
    UNIQUE (item, content, queue)
);

-- Outcomes are only added. `entry`: the log entry whose first body is the review's text.
CREATE TABLE reviews(
    item BIGINT NOT NULL REFERENCES decisions(n),
    request_id TEXT NOT NULL UNIQUE,
    number BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
    entry BIGINT NOT NULL,
    reviewer TEXT NOT NULL,
    level SMALLINT NOT NULL,
    queue TEXT NOT NULL,
    revision BIGINT NOT NULL,
    verdict TEXT NOT NULL,
    tags TEXT[],
    at BIGINT NOT NULL,
    signature TEXT,
    undone BOOLEAN NOT NULL,
    reversal BOOLEAN NOT NULL,
    agreed BOOLEAN,
    PRIMARY KEY (item, request_id)
);
CREATE INDEX reviews_reviewer ON reviews(reviewer, item);

CREATE TABLE answers(
    item BIGINT NOT NULL REFERENCES decisions(n),
    reviewer TEXT NOT NULL,
    request_id TEXT NOT NULL UNIQUE,
    entry BIGINT NOT NULL,
    agreed BOOLEAN NOT NULL,
    PRIMARY KEY (item, reviewer)
);
CREATE INDEX answers_entry ON answers(entry);

CREATE TABLE corrections(
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item BIGINT NOT NULL REFERENCES decisions(n),
    request_id TEXT NOT NULL UNIQUE,
    at BIGINT NOT NULL
);

CREATE TABLE drafts(
    item BIGINT NOT NULL REFERENCES decisions(n),
    reviewer TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (item, reviewer)
);

-- `row`: JSON.
CREATE TABLE reviewers(
    name TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    row TEXT NOT NULL
);

-- `schemas`: JSON.
CREATE TABLE policies(
    hash TEXT COLLATE "C" PRIMARY KEY,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    schemas TEXT NOT NULL
);

-- `digest` (keyed) stands for the bytes: the same line of the same source is kept once.
CREATE TABLE dead_letters(
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source TEXT NOT NULL,
    line BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    at BIGINT NOT NULL
);
CREATE UNIQUE INDEX dead_letters_once ON dead_letters(md5(source), line, digest);

-- `payload`: JSON. How often it was tried, when next (0: at once), why it failed; given up; held
-- by a switch.
CREATE TABLE outbox(
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    item TEXT NOT NULL,
    payload TEXT NOT NULL,
    at BIGINT NOT NULL,
    done BOOLEAN NOT NULL DEFAULT false,
    attempts INT NOT NULL DEFAULT 0,
    next_at BIGINT NOT NULL DEFAULT 0,
    error TEXT,
    dead BOOLEAN NOT NULL DEFAULT false,
    held BOOLEAN NOT NULL DEFAULT false
);
CREATE INDEX outbox_waiting ON outbox(number) WHERE NOT done;
CREATE INDEX outbox_state ON outbox(dead, held, kind, number) WHERE NOT done;
CREATE INDEX outbox_item ON outbox(item);

CREATE TABLE feedback(
    item BIGINT NOT NULL REFERENCES decisions(n),
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    entry BIGINT,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (item, number)
);

-- Anything small that is replaced whole. A key that was dropped keeps its row without a value, so
-- that no version comes twice.
CREATE TABLE states(
    key TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    value BYTEA
);
CREATE UNIQUE INDEX states_once ON states(md5(key));

-- tier: 0 minutes, 1 hours, 2 days. part: '' is the counts of the slice, else a feature.
CREATE TABLE windows(
    tier SMALLINT NOT NULL,
    start BIGINT NOT NULL,
    slice TEXT COLLATE "C" NOT NULL,
    part TEXT COLLATE "C" NOT NULL,
    value BYTEA NOT NULL
);
CREATE UNIQUE INDEX windows_once ON windows(tier, start, md5(slice), md5(part));
-- Counts of all slices, without the histograms between them.
CREATE INDEX windows_counts ON windows(tier, start) WHERE part = '';
