-- One row an alert, repeats included. Times are microseconds since 1970.
create table alert (
    partition int not null,
    "offset" bigint not null,
    run uuid not null,
    entity text not null,
    project text not null,
    run_id text not null,
    writer uuid not null,
    seq bigint not null,
    "order" bigint not null,
    -- of the brokers; decides
    append_time bigint not null,
    -- of the client; shown
    time bigint not null,
    level text not null,
    wait_ms bigint not null,
    -- the first half of the SHA-256 of the whole title: titles may be long
    title bytea not null,
    -- title, full_title and text as JSON, in ASCII: Postgres has no NUL characters
    content text not null,
    -- offset of the alert of this title that was shown, and whose wait had not passed; null: this one is shown
    repeat_of bigint,
    primary key (partition, "offset")
);

create index alert_of_title on alert (run, title, "offset");
create index shown_of_title on alert (run, title, "offset") where repeat_of is null;
create index alert_of_run on alert (run, "offset");
create index repeat_of_alert on alert (partition, repeat_of) where repeat_of is not null;
create index alert_of_project on alert (entity, project, append_time desc, partition desc, "offset" desc);
create index alert_latest on alert (append_time desc, partition desc, "offset" desc);
