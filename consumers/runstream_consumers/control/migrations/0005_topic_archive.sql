-- The topic archive (docs/topic-archive.md): messages of topics in the object store, from which consumers are rebuilt
-- after the topics were trimmed. This is in the schema control because, after that, nothing else knows the objects.

-- How far each partition of a topic is archived.
create table topic_archive (
    topic text not null,                -- Kafka's name, prefix included
    partition integer not null,
    next bigint not null check (next >= 0),
    primary key (topic, partition)
) with (fillfactor = 50);

-- The objects. Those of a partition follow each other; where one begins after the end of the one before it, the broker
-- had deleted messages before they were archived.
create table topic_chunk (
    topic text not null,
    partition integer not null,
    first bigint not null,              -- offset of its first message
    stop bigint not null check (stop > first),
    key text not null unique,
    size bigint not null,
    sha256 bytea not null check (length(sha256) = 32),
    messages integer not null,
    first_time bigint not null,         -- append times of the brokers, the least and the greatest, milliseconds since 1970
    last_time bigint not null,
    runs uuid[] not null,               -- the runs of its messages, without those that were purged
    created timestamptz not null default now(),
    primary key (topic, partition, first)
);

-- Objects that are about to be written, or that others replaced: deleted after a time, unless a chunk refers to them.
create table topic_object (
    key text primary key,
    since timestamptz not null default now()
);
