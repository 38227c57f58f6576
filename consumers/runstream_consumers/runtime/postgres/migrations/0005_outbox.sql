-- Messages of a sink to other systems, at most one per run and key. Kept when the sink's tables are rebuilt, so that a
-- replay does not send them again.
create table outbox (
    id bigint generated always as identity primary key,
    sink text not null,
    partition integer not null,
    run text not null,                    -- entity/project/run_id
    key text not null,
    message text not null,                -- JSON
    added timestamptz not null default now(),
    due timestamptz not null default now(),
    attempts integer not null default 0,
    error text not null default '',       -- of the last attempt
    sent timestamptz,
    unique (sink, run, key)
);
create index outbox_due on outbox (sink, partition, due, id) where sent is null;

-- When an offset last moved, to recognize a sink that does not move although there are messages to read.
alter table sink_offset add column moved timestamptz not null default now();

-- Why a sink applies a batch again and again; a row exists while it does.
create table delay (
    sink text not null,
    partition integer not null,
    error text not null,
    since timestamptz not null default clock_timestamp(),
    seen timestamptz not null default clock_timestamp(),
    primary key (sink, partition)
);
