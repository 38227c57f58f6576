-- Messages that wait until the other runs of their partition had their turn, because their run has used its share of
-- the consumer's time. The stored offset is after them; they are applied in the order of id, and deleted with that.
create table deferred (
    id bigint generated always as identity,
    sink text not null,
    partition integer not null,
    run uuid not null,
    topic text not null,                  -- Kafka's name, prefix included
    "offset" bigint not null,
    append_time bigint not null,          -- microseconds since 1970
    raw bytea not null,
    primary key (sink, partition, run, id)
);
alter table deferred alter column raw set storage external;
