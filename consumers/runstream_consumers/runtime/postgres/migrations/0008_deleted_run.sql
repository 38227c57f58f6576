-- The runs that were deleted: their further records are counted and dropped, for good. A run is deleted by an event in
-- each of its topics, and each sink stores it.
create table runtime.deleted_run (
    run uuid not null,
    sink text not null,
    partition integer not null,
    deleted bigint not null,              -- append time of the first of these events, microseconds since 1970
    dropped bigint not null default 0,    -- records that arrived later
    primary key (run, sink)
);
create index deleted_run_of_sink on runtime.deleted_run (sink, partition);
