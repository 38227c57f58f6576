-- Replays that are not finished: tables of a consumer that are built beside those in use (docs/consumers.md).
create table runtime.replay (
    consumer text primary key,
    -- What the tables are built with; with another version they are built from the beginning.
    version text not null,
    began timestamptz not null default now()
);
