//! sqlx fills in all parameters, so that below it none can be a process.

use pkit_test::{Process, simple, with_processes};
use sqlx::PgPool;

/// No parameter is a process.
#[sqlx::test]
#[with_processes(db = simple("a"))]
async fn below_sqlx_with_a_parameter(pool: PgPool, db: Process) {
    drop((pool, db));
}

/// The processes are up before sqlx connects.
#[sqlx::test]
#[with_processes(db = simple("b"))]
async fn without_parameter(pool: PgPool) {
    drop(pool);
}
