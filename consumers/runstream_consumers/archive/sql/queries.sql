-- name: parts_across
-- The parts of runs that have rows in a range of steps (both inclusive).
select archive_part.*, run.entity, run.project, run.run_id
from history.archive_part join history.run using (run)
where run = any($1::uuid[]) and stream = $2 and max_step >= $3 and min_step <= $4
order by min_step, part;

-- name: add_part
insert into history.archive_part (
    run, stream, part, base, files, index_object_size, index_size, bytes, rows, points, columns,
    min_step, max_step, first_offset, last_offset, min_time, max_time
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17);

-- name: add_orphans
-- Objects that nothing refers to until a transaction that removes them from this table is committed.
insert into history.archive_orphan (key, was_part) select key, $2 from unnest($1::text[]) as given (key);

-- name: remove_orphans
delete from history.archive_orphan where key = any($1::text[]);

-- name: old_orphans
-- What never belonged to a part has no readers: a compactor was killed, or another one was faster.
select key from history.archive_orphan where not was_part or since < now() - make_interval(secs => $1)
order by since limit 1000;

-- name: hot_runs
-- The blocks of streams that are archived, by run. Does not read messages, only their sizes.
select run, stream, count(*) as blocks, sum(rows)::bigint as rows, sum(octet_length(message))::bigint as bytes,
    max(append_time) as newest
from history.block where stream = any($1::smallint[]) group by run, stream;

-- name: oldest_blocks
select "offset", seq, rows, greatest, append_time, message from history.block
where run = $1 and stream = $2 order by "offset", seq;

-- name: lock_run
select 1 from history.run where run = $1 for share;

-- name: run_path
select entity, project, run_id from history.run where run = $1;

-- name: remove_blocks
delete from history.block using unnest($3::bigint[], $4::bigint[]) as archived ("offset", seq)
where block.run = $1 and block.stream = $2 and block."offset" = archived."offset" and block.seq = archived.seq;

-- name: remove_parts
delete from history.archive_part where run = $1 and stream = $2 and part = any($3::uuid[]);

-- name: known_keys
-- Those of some objects that are orphans or belong to a part: a key is the base of the part with an underscore before the
-- name of the index, or a number after the name of a file.
select given.key from unnest($1::text[]) as given (key)
where exists (select from history.archive_orphan where archive_orphan.key = given.key)
    or exists (
        select from history.archive_part
        where base = regexp_replace(regexp_replace(given.key, '/_([0-9a-f]+)\.index$', '/\1'), '-[0-9]+\.parquet$', '')
    );

-- name: newest_of
-- The greatest offset of the rows of each run; null if it has none.
select given.run, greatest(
    (select max("offset") from history.block where block.run = given.run and stream = $2),
    (select max(last_offset) from history.archive_part where archive_part.run = given.run and stream = $2)
) as newest
from unnest($1::uuid[]) as given (run);

-- name: has_hot_rows
select exists (select from history.block where run = $1 and stream = $2);

-- name: overview
-- What charts and pages of a run need, in one state: what determines its view, its parts, and the blocks that are not
-- archived and overlap a range of steps ($3 to $4, both inclusive), those that begin first. Messages that the reader has
-- ($5 to $7 are their offsets, sequence numbers and append times) are left out, and so are those after $8 bytes of others.
with overlapping as (
    select * from (
        select * from history.block
        where run = $1 and stream = $2 and $3 > -9223372036854775808
          and min_step < $3::bigint and min_step >= greatest($3::numeric - 100, -9223372036854775808)::bigint
          and max_step >= $3 and max_step::numeric - min_step::numeric <= 100
        union all
        select wide.* from generate_series(7, 64) as power (power)
        cross join lateral (
            select * from history.block
            where run = $1 and stream = $2 and $3 > -9223372036854775808
              and ceil(log(2, greatest(max_step::numeric - min_step::numeric, 1)))::int = power
              and max_step::numeric - min_step::numeric > 100
              and min_step < $3 and max_step >= $3
              and min_step >= greatest($3::numeric - 2::numeric ^ (power + 1), -9223372036854775808)::bigint
        ) as wide
        union all
        (select * from history.block
        where run = $1 and stream = $2 and min_step >= $3 and min_step <= $4
        order by min_step, "offset", seq limit $9)
    ) as found
    order by min_step, "offset", seq limit $9
), measured as (
    select overlapping.*, known.seq is not null as is_known,
        sum(case when known.seq is null then octet_length(message) else 0 end)
            over (order by min_step, "offset", seq) - octet_length(message) as before
    from overlapping
    left join unnest($5::bigint[], $6::bigint[], $7::bigint[]) as known ("offset", seq, append_time)
        using ("offset", seq, append_time)
)
select
    array(select row(entity, project, run_id) from history.run where run = $1) as paths,
    array(select row(writer, first_step, began) from history.writer where run = $1 and stream = $2) as writers,
    array(select row(writer, continues) from history.lineage where run = $1) as lineage,
    array(
        select row(writer, origin, step, "offset", append_time) from history.branch
        where run = $1 order by "offset", seq
    ) as branches,
    array(
        select row(
            part, base, files, index_object_size, index_size, rows, points, columns,
            min_step, max_step, first_offset, last_offset
        ) from history.archive_part where run = $1 and stream = $2 order by min_step, part
    ) as parts,
    (select min("offset") from history.block where run = $1 and stream = $2) as oldest,
    (select max("offset") from history.block where run = $1 and stream = $2) as newest,
    array(
        select row(
            writer, "offset", seq, greatest, min_step, max_step, append_time,
            case when before < $8 and not is_known then message end
        ) from measured order by min_step, "offset", seq
    ) as blocks;
