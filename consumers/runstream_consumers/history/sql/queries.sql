-- name: add_runs
insert into run (run, entity, project, run_id)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
on conflict do nothing;

-- name: load_writers
select writer.run, writer.stream, writer.writer, greatest, widest, rows, late, first_seq, first_step, began
from unnest($1::uuid[], $2::smallint[], $3::uuid[]) as wanted (run, stream, writer)
join writer using (run, stream, writer);

-- name: save_writers
insert into writer (run, stream, writer, greatest, widest, rows, late, first_seq, first_step, began)
select * from unnest(
    $1::uuid[], $2::smallint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[], $10::bigint[]
)
on conflict (run, stream, writer) do update
set greatest = excluded.greatest, widest = excluded.widest, rows = excluded.rows, late = excluded.late,
    first_seq = excluded.first_seq, first_step = excluded.first_step, began = excluded.began;

-- name: add_lineage
insert into lineage (run, writer, continues) select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])
on conflict do nothing;

-- name: add_branches
insert into branch (run, writer, seq, origin, step, "offset", append_time) values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing;

-- name: add_markers
insert into marker (run, writer, seq, count, kind, stream, reason, partition, "offset", append_time)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: writers_of
select run, writer, first_step, began from history.writer where run = any($1::uuid[]) and stream = $2;

-- name: lineage_of
select run, writer, continues from history.lineage where run = any($1::uuid[]);

-- name: branches_of
select run, writer, origin, step, "offset", append_time from history.branch where run = any($1::uuid[])
order by "offset", seq;

-- name: branches_of_runs
-- The path of the run that is continued is null if no row of it has arrived.
select branch.run, branch.step, branch.append_time, origin.entity, origin.project, origin.run_id
from history.branch left join history.run as origin on origin.run = branch.origin
where branch.run = any($1::uuid[]) order by branch."offset", branch.seq;

-- name: blocks_from_step
select writer, "offset", seq, greatest, min_step, max_step, message from history.block
where run = $1 and stream = $2 and min_step >= $3 and min_step <= $4
order by min_step, "offset", seq;

-- name: blocks_of_runs
select run, writer, "offset", seq, greatest, min_step, max_step, message from history.block
where run = any($1::uuid[]) and stream = $2 and min_step <= $4 and max_step >= $3;

-- name: blocks_across_step
-- Blocks that begin before a step and reach it: narrow ones, and wide ones by each power of two of their width.
select writer, "offset", seq, greatest, min_step, max_step, message from (
    select * from history.block
    where run = $1 and stream = $2
      and min_step < $3::bigint and min_step >= greatest($3::numeric - 100, -9223372036854775808)::bigint
      and max_step >= $3 and max_step::numeric - min_step::numeric <= 100
    union all
    select wide.* from generate_series(7, 64) as power (power)
    cross join lateral (
        select * from history.block
        where run = $1 and stream = $2
          and ceil(log(2, greatest(max_step::numeric - min_step::numeric, 1)))::int = power
          and max_step::numeric - min_step::numeric > 100
          and min_step < $3 and max_step >= $3
          and min_step >= greatest($3::numeric - 2::numeric ^ (power + 1), -9223372036854775808)::bigint
    ) as wide
) as across
order by min_step, "offset", seq;

-- name: narrow_blocks_to_step
select writer, "offset", seq, greatest, min_step, max_step, message from history.block
where run = $1 and stream = $2 and min_step <= $3 and max_step::numeric - min_step::numeric <= 100
order by min_step desc, "offset" desc, seq desc;

-- name: wide_blocks_to_step
select writer, "offset", seq, greatest, min_step, max_step, message from history.block
where run = $1 and stream = $2 and min_step <= $3 and max_step::numeric - min_step::numeric > 100
order by max_step desc;

-- name: latest_blocks
select writer, "offset", seq, greatest, min_step, max_step, message from history.block
where run = $1 and stream = $2 and ("offset", seq) < ($3, $4)
order by "offset" desc, seq desc limit $5;

-- name: newest
select max("offset") from history.block where run = $1 and stream = $2;

-- name: earliest_blocks
-- At least one, then those that begin within a number of bytes.
select writer, "offset", seq, greatest, min_step, max_step, message from (
    select *, sum(octet_length(message)) over (order by "offset", seq) - octet_length(message) as before from (
        select * from history.block
        where run = $1 and stream = $2 and "offset" >= $3 and ("offset" > $3 or seq + rows - 1 > $4)
        order by "offset", seq limit 200
    ) as next
) as measured
where before < $5
order by "offset", seq;
