-- What was assigned to large runs since their documents (config, attributes, metadata, and what the state needs) were
-- written, one row a batch: writing a large document with every batch would cost as much as the run is large.
create table change (
    id bigint generated always as identity,
    run uuid not null,
    entries bytea not null,               -- MessagePack: assignments, as in run.document
    primary key (run, id)
);
