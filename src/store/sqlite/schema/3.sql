-- The store, version 3: whoever asks for the next item does not walk past what others hold.

-- Until when somebody holds the item; nothing while it is free, and once it was seen to have run
-- out. Only a hint where to look: the lease itself is in `leases`.
ALTER TABLE items ADD COLUMN held_until INTEGER;
UPDATE items SET held_until =
    (SELECT l.until FROM leases l WHERE l.item = items.n AND l.reviewer IS NOT NULL);
CREATE INDEX items_free ON items(queue, place) WHERE open = 1 AND held_until IS NULL;
CREATE INDEX items_held ON items(held_until) WHERE held_until IS NOT NULL;
