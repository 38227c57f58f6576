-- Events that a sink has published to a derived topic: of each run, all below next. Kept when the sink's tables are
-- rebuilt, so that a replay does not publish them again.
create table published (
    sink text not null,
    run uuid not null,
    next bigint not null,
    primary key (sink, run)
);
