-- The exceptions that ended writers, apart from the writers' rows, which are read and written often.
create table failure (
    run uuid not null,
    writer uuid not null,
    time bigint not null,                 -- broker append time of the exit, microseconds since 1970
    type text not null,
    message text not null,
    traceback text not null,
    primary key (run, writer)
);
