-- The number of each run in its project. Each is published by its run as the attribute `number`, so that a replay reads it;
-- this table is what makes it the only one.
create table project (
    entity text not null,
    project text not null,
    last bigint not null check (last >= 0),
    primary key (entity, project)
) with (fillfactor = 50);

create table run_number (
    run uuid primary key,
    entity text not null,
    project text not null,
    run_id text not null,
    number bigint not null check (number > 0),
    unique (entity, project, number)
);

-- Returns null where the project has no counter yet. Runs of one project wait for each other at its row; the second look
-- is for a run that was numbered meanwhile.
create function take_number(the_run uuid, the_entity text, the_project text, the_run_id text) returns bigint
language plpgsql as $$
declare
    taken bigint;
begin
    select number into taken from control.run_number where run = the_run;
    if found then
        return taken;
    end if;
    perform from control.project where entity = the_entity and project = the_project for update;
    if not found then
        return null;
    end if;
    select number into taken from control.run_number where run = the_run;
    if found then
        return taken;
    end if;
    update control.project set last = last + 1 where entity = the_entity and project = the_project
        returning last into taken;
    insert into control.run_number values (the_run, the_entity, the_project, the_run_id, taken);
    return taken;
end $$;
