-- What processes look at to see whether anything that is kept of a user has changed
-- (crates/parlour-core/src/port/store/cluster.rs).
ALTER TABLE users ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
