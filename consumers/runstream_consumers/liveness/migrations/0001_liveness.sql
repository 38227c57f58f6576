-- Times are microseconds since 1970, of the broker's clock; durations are microseconds of available time.

-- The clock of a partition.
create table clock (
    partition integer primary key,
    available bigint not null,
    ticked bigint,                        -- append time of the latest tick
    number bigint not null,               -- number of the latest tick
    refused bigint not null               -- ticks that were forged, not signed, or not new
) with (fillfactor = 10);

create table run (
    run uuid primary key,
    partition integer not null,
    entity text not null,
    project text not null,
    run_id text not null,
    state text not null,
    qualifiers text[] not null,
    open boolean not null                 -- a writer is on the clock
);

create index run_open on run (partition) where open;

create table writer (
    run uuid not null,
    writer uuid not null,
    role text not null,
    phase text not null,
    state text not null,
    qualifiers text[] not null,
    first bigint not null,
    details text not null,                -- JSON, in ASCII: what the writer said of itself and of its end
    primary key (run, writer)
);

-- What every beat changes, apart, in rows that are short and find room on their page again.
create table pulse (
    run uuid not null,
    writer uuid not null,
    number bigint not null,               -- of the last beat; -1 before the first
    heard bigint not null,                -- available time at the last beat
    last bigint not null,                 -- append time of the last record
    primary key (run, writer)
) with (fillfactor = 50);

-- Every change of state: of a run, or of one of its writers.
create table transition (
    id bigint generated always as identity primary key,
    run uuid not null,
    writer uuid,
    time bigint not null,
    before text,
    after text not null,
    reason text not null
);

create index transition_of_run on transition (run, id);
