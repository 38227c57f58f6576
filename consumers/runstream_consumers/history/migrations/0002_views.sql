-- What decides which rows the default view shows: where each writer began, whom it continues, and what was branched.

-- The first row of a writer that is known, by its seq, and when the brokers got it. 0 for writers of an earlier version,
-- which neither continue another nor branch.
alter table writer
    add column first_seq bigint not null default 0,
    add column first_step bigint not null default 0,
    add column began bigint not null default 0;

-- The writers whose work a writer continues (resume).
create table lineage (
    run uuid not null,
    writer uuid not null,
    continues uuid not null,
    primary key (run, writer, continues)
);

-- Forks (origin is another run) and rewinds (origin is the run itself).
create table branch (
    run uuid not null,
    writer uuid not null,
    seq bigint not null,
    origin uuid not null,
    step bigint not null,         -- the last one that counts
    "offset" bigint not null,
    append_time bigint not null,
    primary key (run, writer, seq)
);
