-- What lists of runs select and sort by: one short row a run, beside the wide row in run. The keys of the objects are
-- paths joined by dots (summary/listing.py describes the values), so that jsonpath finds each at once. The rows are not
-- compressed and not moved out of line: a list of a large project reads all of them.
create table listing (
    run uuid primary key,
    entity text not null,
    project text not null,
    run_id text not null,
    created bigint not null,
    updated bigint not null,
    described jsonb not null,             -- c.KEY: the config; a.NAME: name, tags, group, job type, user, notes
    summary jsonb not null,
    partial boolean not null              -- the run has further keys, by which it is not found
) with (fillfactor = 90, toast_tuple_target = 8160);

alter table listing
    alter column described set storage main,
    alter column summary set storage main;

-- Readers of lists use these instead.
drop index run_of_project;
drop index run_created;

create function flattened(tree text, prefix text) returns jsonb language plpgsql as $$
declare
    found jsonb;
begin
    with recursive walk (key, value) as (
        select prefix || each.key, each.value from jsonb_each(replace(tree, '\u0000', '\ufffd')::jsonb) as each
        union all
        select walk.key || '.' || each.key, each.value
        from walk, jsonb_each(case jsonb_typeof(walk.value) when 'object' then walk.value else '{}' end) as each
    )
    select coalesce(jsonb_object_agg(key, case jsonb_typeof(value) when 'object' then '{}' else value end), '{}')
        into found from walk;
    return found;
exception when others then              -- a lone surrogate, for example: the next event of the run writes its row
    return '{}';
end $$;

insert into listing
select run, entity, project, run_id, created, updated,
    flattened(config, 'c.') || jsonb_strip_nulls(jsonb_build_object(
        'a.id', run_id,
        'a.display_name', coalesce(
            nullif(known ->> 'a.name', ''),
            (known ->> 'a.generated_name') || coalesce('-' || (known ->> 'a.number'), ''),
            run_id),
        'a.notes', known -> 'a.notes', 'a.tags', known -> 'a.tags', 'a.group', known -> 'a.group',
        'a.job_type', known -> 'a.job_type', 'a.sweep', known -> 'a.sweep_id',
        'a.user', flattened(metadata, '') -> 'username')),
    flattened(summary, ''), false
from (select *, flattened(attributes, 'a.') as known from run) as run;

drop function flattened;

create index listing_of_project on listing (entity, project, created desc, run desc);
create index listing_created on listing (created desc, run desc);
create index listing_partial on listing (entity, project) where partial;
