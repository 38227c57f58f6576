-- One row a file. Of each kind of event about it, the last one in its partition counts (files/model.py): its offset, -1 if
-- there is none.
create table file (
    run uuid not null,
    path text collate "C" not null,
    -- the folder of the run's entity in the object store
    entity uuid not null,
    -- the last content
    stored bigint not null default -1,
    size bigint not null default 0,
    sha256 bytea,
    media_type text not null default '',
    -- the last announcement of a content that is uploaded later
    announced bigint not null default -1,
    -- the last content that could not be kept, and why
    lost bigint not null default -1,
    reason text not null default '',
    deleted bigint not null default -1,
    -- of the last of all these events: policy, writer, times (of the brokers; of the client), and who made a command
    policy text not null default '',
    writer uuid not null,
    append_time bigint not null,
    time bigint not null,
    principal text not null default '',
    primary key (run, path)
) with (fillfactor = 80);

create index file_of_content on file (entity, sha256) where stored > deleted;
