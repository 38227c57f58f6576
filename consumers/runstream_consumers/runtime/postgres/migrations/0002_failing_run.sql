-- Runs whose messages recently failed with an unexpected exception, in any process of a sink: the circuit breaker
-- counts them, also after a restart.
create table failing_run (
    sink text not null,
    run uuid not null,
    error text not null,
    failed timestamptz not null default clock_timestamp(),
    primary key (sink, run)
);
