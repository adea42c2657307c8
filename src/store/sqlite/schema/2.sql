-- The store, version 2: small states with versions, windows of what was measured, deliveries.

-- Anything small that is replaced whole: containment, references, cursors. A key that was dropped
-- keeps its row without a value, so that no version comes twice.
CREATE TABLE states(
    key TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    value BLOB
) STRICT;

-- tier: 0 minutes, 1 hours, 2 days. part: '' is the counts of the slice, else a feature.
CREATE TABLE windows(
    tier INTEGER NOT NULL,
    start INTEGER NOT NULL,
    slice TEXT NOT NULL,
    part TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (tier, start, slice, part)
) STRICT, WITHOUT ROWID;
-- Counts of all slices, without the histograms between them.
CREATE INDEX windows_counts ON windows(tier, start, slice, value) WHERE part = '';

-- How often it was tried, when next (0: at once), why it failed; given up; held by a switch.
ALTER TABLE outbox ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN next_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN error TEXT;
ALTER TABLE outbox ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_state ON outbox(dead, held, kind, number) WHERE done = 0;

-- Decisions of each shape, maintained with every admission.
CREATE TABLE shape_counts(
    shape INTEGER PRIMARY KEY,
    decisions INTEGER NOT NULL
) STRICT;
INSERT INTO shape_counts SELECT shape, count(*) FROM decisions GROUP BY shape;
