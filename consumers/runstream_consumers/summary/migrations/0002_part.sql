-- Keys of runs that have many, some hundred a part, beside those in the run's own row (part 0): a batch writes the parts
-- that it touched. Each part has what the summary shows of its keys, a JSON object.
create table part (
    run uuid not null,
    number integer not null,
    keys bytea not null,
    summary text not null,
    primary key (run, number)
) with (fillfactor = 60);

alter table part
    alter column keys set storage external,
    alter column summary set storage external;
