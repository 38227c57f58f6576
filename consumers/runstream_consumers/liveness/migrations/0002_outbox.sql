-- How many transitions the run has had: the sequence number of the next one.
alter table run add column transitions bigint not null default 0;

update run set transitions = found.transitions
from (select run, count(*) as transitions from transition where writer is null group by run) as found
where run.run = found.run;

-- Transitions of runs that have to be published to the topic state; deleted once they are.
create table outbox (
    partition integer not null,
    run uuid not null,
    seq bigint not null,
    time bigint not null,
    previous text,
    state text not null,
    qualifiers text[] not null,
    cause uuid not null,
    reason text not null,
    primary key (partition, run, seq)
);
