create table run (
    run uuid primary key,
    entity text not null,
    project text not null,
    run_id text not null
);

-- Each block of rows as it came: the message itself, and what is needed to find it.
create table block (
    run uuid not null,
    stream smallint not null,
    "offset" bigint not null,
    seq bigint not null,          -- of its first row; parts of a block that was cut share an offset
    partition integer not null,
    writer uuid not null,
    rows integer not null,
    min_step bigint not null,
    max_step bigint not null,
    min_time bigint not null,     -- microseconds since 1970, by the client's clock
    max_time bigint not null,
    append_time bigint not null,  -- by the broker's clock
    greatest bigint,              -- the writer's greatest step before this block; null: it had none
    late integer not null,        -- rows below their writer's greatest step
    message bytea not null,
    primary key (run, stream, "offset", seq)
);
-- Packed numbers do not get smaller; trying costs time.
alter table block alter column message set storage external;
create index block_step on block (run, stream, min_step, "offset", seq);

create table writer (
    run uuid not null,
    writer uuid not null,
    stream smallint not null,
    greatest bigint not null,     -- its greatest step
    widest bigint not null,       -- greatest distance between two steps of one of its blocks
    rows bigint not null,
    late bigint not null,
    primary key (run, stream, writer)
) with (fillfactor = 70);

-- Records that are no rows: dropped by policy in the client, or of a kind this version does not know.
create table marker (
    run uuid not null,
    writer uuid not null,
    seq bigint not null,
    count bigint not null,
    kind text not null,
    stream smallint not null,
    reason text not null,
    partition integer not null,
    "offset" bigint not null,
    append_time bigint not null,
    primary key (run, writer, seq)
);
