-- One row a run: what the fold needs to go on (state), and what readers get (texts). Texts are JSON, in ASCII; json and
-- jsonb would refuse NUL characters and numbers that are valid here. Times are microseconds since 1970, of the broker.
create table run (
    run uuid primary key,
    entity text not null,
    project text not null,
    run_id text not null,
    created bigint not null,
    updated bigint not null,
    last_step bigint,
    keys bytea not null,
    document bytea not null,
    summary text not null,
    config text not null,
    attributes text not null,
    metadata text not null,
    metrics text not null
) with (fillfactor = 60);

-- Compressing state that is written anew with every batch costs more than it saves.
alter table run
    alter column keys set storage external,
    alter column document set storage external,
    alter column summary set storage external;

create index run_of_project on run (entity, project, created desc, run desc);
create index run_created on run (created desc, run desc);
