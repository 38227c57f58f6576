-- The objects of a part that is removed, because it was joined with others or its run was deleted, are orphans.
create function part_removed() returns trigger language plpgsql as $$
begin
    insert into history.archive_orphan (key, was_part)
    select regexp_replace(old.base, '/([^/]+)$', '/_\1.index'), true
    union all
    select old.base || '-' || lpad(number::text, 4, '0') || '.parquet', true
    from generate_series(0, old.files - 1) as numbers (number)
    on conflict do nothing;
    return null;
end $$;
create trigger part_removed after delete on archive_part for each row execute function part_removed();

-- A part may be added after the parts of a deleted run were removed, and before the run is.
create function run_removed() returns trigger language plpgsql as $$
begin
    delete from history.archive_part where run = old.run;
    return null;
end $$;
create trigger run_removed after delete on run for each row execute function run_removed();
