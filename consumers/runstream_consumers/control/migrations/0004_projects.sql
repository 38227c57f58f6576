-- Projects that were created before a run of theirs began.
create table created_project (
    entity text not null,
    project text not null,
    created timestamptz not null default now(),
    primary key (entity, project)
);
