-- How far each sink has come in each partition: the arbiter of progress. Kafka's own committed offset is only a gauge.
create table sink_offset (
    sink text not null,
    topic text not null,                  -- Kafka's name, prefix included
    partition integer not null,
    next bigint not null check (next >= 0),
    redrives bigint not null default 0,   -- counts changes that moved no offset, so that memory of them can be stale
    primary key (sink, partition, topic)
) with (fillfactor = 50);

-- Which records of a writer have been applied: all below next but those in holes.
create table writer_progress (
    run uuid not null,
    writer uuid not null,
    topic smallint not null,
    sink text not null,
    next bigint not null,
    holes int8multirange not null default '{}',
    primary key (run, writer, topic, sink)
) with (fillfactor = 70);

-- Messages that could not be decoded or applied, as they came.
create table quarantine (
    id bigint generated always as identity primary key,
    sink text not null,
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    append_time bigint not null,          -- microseconds since 1970
    stage text not null check (stage in ('decode', 'apply')),
    reason text not null,
    raw bytea,
    quarantined timestamptz not null default now(),
    redriven timestamptz,
    unique (sink, topic, partition, "offset")
);

-- Offsets that were gone before they could be read.
create table loss (
    sink text not null,
    topic text not null,
    partition integer not null,
    first bigint not null,
    stop bigint not null,                 -- exclusive
    reason text not null,
    noticed timestamptz not null default now(),
    primary key (sink, topic, partition, first)
);
