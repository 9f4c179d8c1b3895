//! `#[sqlx::test]`, which connects to a database before the body of the test runs, and PostgreSQL of our own.

use pkit_test::{Process, with_processes};
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::children::{said, says};
use crate::postgres::{Cluster, Shared, url};

async fn words(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select word from words order by word").fetch_all(pool).await.unwrap()
}

async fn add(pool: &PgPool, word: &str) {
    sqlx::query("insert into words values ($1)").bind(word).execute(pool).await.unwrap();
}

/// Right where the database is one of our processes: it is up, and `DATABASE_URL` is set, before sqlx connects. No process
/// can be a parameter, since sqlx fills in all of them.
#[sqlx::test(migrations = "attributes/migrations")]
#[with_processes(db = Shared)]
#[cfg_attr(not(has_postgres), ignore = "postgres is not installed")]
async fn below_sqlx_test(pool: PgPool) {
    add(&pool, "from the test").await;
    assert_eq!(words(&pool).await, ["from a migration", "from the test"]);
}

/// Each test has a database of its own on the one server.
#[sqlx::test(migrations = "attributes/migrations")]
#[with_processes(db = Shared)]
#[cfg_attr(not(has_postgres), ignore = "postgres is not installed")]
async fn below_sqlx_test_again(pool: PgPool) -> sqlx::Result<()> {
    add(&pool, "from another test").await;
    assert_eq!(words(&pool).await, ["from a migration", "from another test"]);
    Ok(())
}

/// Right where the database is not one of the processes: sqlx connects first. On the same function another one may stand
/// below, for the database.
#[with_processes(a = says("beside a database"))]
#[sqlx::test(migrations = "attributes/migrations")]
#[with_processes(db = Shared)]
#[cfg_attr(not(has_postgres), ignore = "postgres is not installed")]
async fn above_sqlx_test(pool: PgPool, a: Process) {
    add(&pool, &said(&a)).await;
    assert_eq!(words(&pool).await, ["beside a database", "from a migration"]);
}

/// Without `#[sqlx::test]` nothing has to be known beforehand: a server for this test alone, a handle, and the migrations in
/// the body.
#[with_processes(db = Cluster::installed())]
#[tokio::test]
#[cfg_attr(not(has_postgres), ignore = "postgres is not installed")]
async fn a_database_without_sqlx_test(db: &Process) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(&url(db)).await?;
    sqlx::migrate!("attributes/migrations").run(&mut connection).await?;
    let words: Vec<String> = sqlx::query_scalar("select word from words").fetch_all(&mut connection).await?;
    assert_eq!(words, ["from a migration"]);
    connection.close().await
}
