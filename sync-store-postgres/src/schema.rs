//! The tables, and the settings of the database they are in.

use std::sync::Arc;

use sea_query::Values;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row, SqlSafeStr};
use sync_core::sql::{Driver, Statement, pending_migrations};
use sync_core::{Error, ErrorKind, Result};

use crate::driver::PostgresDriver;
use crate::error::sorted;
use crate::pool::{Pool, Work};

/// What to run to get from version `n` to `n + 1`, for each `n` from 0.
const MIGRATIONS: [&str; 4] = [
    include_str!("../migrations/1.sql"),
    include_str!("../migrations/2.sql"),
    include_str!("../migrations/3.sql"),
    include_str!("../migrations/4.sql"),
];

/// The oldest Postgres that this was tested with.
const VERSION_MIN: i32 = 150_000;

/// Whoever holds this advisory lock migrates; others wait. A number of no meaning, the same in every version.
const MIGRATION_LOCK: i64 = 0x5379_6e63_4d69_6772;

/// Whatever the role has as its default: in any other isolation, who waited for the lock would not see what was migrated
/// meanwhile, and do it again.
const MIGRATION_BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Migrating takes as long as it takes, and so does waiting for it.
const MIGRATION_LIMITS: &str = "SET LOCAL statement_timeout TO 0; SET LOCAL lock_timeout TO 0";

/// The [code](Error::code) of the refusal to open a database in which there is no store, by
/// [`PostgresStore::open_existing`](crate::PostgresStore::open_existing).
pub const NO_STORE: &str = "no_store";

/// What may be done to the tables of a database that is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tables {
    /// They are made, and brought up to date. Processes that start together do it one after the other.
    Prepare,
    /// They must be there as this program knows them.
    Expect,
}

/// Looks at the database, and sees to its tables.
///
/// # Errors
///
/// [`ErrorKind::Incompatible`] when its settings or its version do not do, or the tables are newer than this program; also
/// when they are [expected](Tables::Expect) and not there, or older.
pub(crate) async fn open(pool: &Arc<Pool>, tables: Tables) -> Result<()> {
    drop(pool.first_connection().await?);
    let settings = Settings::read(pool).await?;
    let takes_weak_durability = pool.options().takes_weak_durability;
    settings.refuse(takes_weak_durability)?;
    for warning in settings.warnings(takes_weak_durability) {
        tracing::error!("{warning}");
    }
    let (mut connection, schema) = (pool.connection().await?, &pool.options().schema);
    match tables {
        Tables::Prepare => migrate(&mut connection, schema).await,
        Tables::Expect => expect(&mut connection, schema).await,
    }
}

/// That there is a store of this version. Others may have a table of versions, too, so one is asked for that is ours alone.
async fn expect(connection: &mut PgConnection, schema: &str) -> Result<()> {
    let failed = |error| sorted("look for the tables of a store", error);
    let is_there = format!(
        "SELECT to_regclass('\"{schema}\".schema_version') IS NOT NULL \
         AND to_regclass('\"{schema}\".commits') IS NOT NULL"
    );
    if !one::<bool>(connection, is_there).await.map_err(failed)? {
        let message = format!("there is no store in schema {schema} of this database");
        return Err(Error::new(ErrorKind::Incompatible, message).with_code(NO_STORE));
    }
    let found = newest_version(connection, schema).await.map_err(failed)?;
    let pending = pending_migrations(&format!("schema {schema}"), found, MIGRATIONS.len())?;
    if pending.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the tables of schema {schema} have version {found} and this program needs {}: start the server of this version first, \
         which brings them up to date",
        MIGRATIONS.len()
    );
    Err(Error::new(ErrorKind::Incompatible, message))
}

/// What about the settings of the database endangers data now.
pub(crate) async fn warnings(pool: &Arc<Pool>) -> Result<Vec<String>> {
    let settings = Settings::read(pool).await?;
    settings.refuse(true)?;
    check_rights(pool).await?;
    Ok(settings.warnings(pool.options().takes_weak_durability))
}

/// Whether all tables are there, and this program may do with them what it does.
async fn check_rights(pool: &Arc<Pool>) -> Result<()> {
    let question = "SELECT bool_and(has_table_privilege(name, kind))::text \
                    FROM unnest(ARRAY['spaces', 'records', 'tree_ops', 'tree_checkpoints', 'commits', 'clients', 'log', 'users', 'members', \
                    'space_infos', 'credentials', 'synced', 'notices', 'noticed']) name, \
                    unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) kind";
    match pool.transaction(Work::Read).text(Statement::fixed(question)).await?.as_deref() {
        Some("true") => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Incompatible,
            "this role may not read and write all tables of the schema; make it their owner",
        )),
    }
}

#[derive(Debug, Default)]
struct Settings {
    version: i32,
    encoding: String,
    fsync: String,
    synchronous_commit: String,
    full_page_writes: String,
}

impl Settings {
    /// Whether it is a standby was asked when the transaction began.
    async fn read(pool: &Arc<Pool>) -> Result<Self> {
        let question = "SELECT concat_ws(' ', current_setting('server_version_num'), \
                        current_setting('server_encoding'), current_setting('fsync'), \
                        current_setting('synchronous_commit'), current_setting('full_page_writes'))";
        let answer = pool.transaction(Work::Read).text(Statement::fixed(question)).await?.unwrap_or_default();
        let mut words = answer.split(' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        Ok(Self {
            version: word().parse().unwrap_or_default(),
            encoding: word(),
            fsync: word(),
            synchronous_commit: word(),
            full_page_writes: word(),
        })
    }

    /// Refuses what cannot work, or would lose what was acknowledged.
    fn refuse(&self, takes_weak_durability: bool) -> Result<()> {
        let refusal = if self.version < VERSION_MIN {
            format!("it is version {} and 15 is the oldest that will do", self.version / 10_000)
        } else if self.encoding != "UTF8" {
            format!("its encoding is {}; create a database with encoding UTF8", self.encoding)
        } else if self.synchronous_commit == "off" && !takes_weak_durability {
            "synchronous_commit is off, so that a crash takes back what was acknowledged; \
             run ALTER ROLE … SET synchronous_commit = on for the role of this program"
                .to_owned()
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Incompatible, format!("cannot use this database: {refusal}")))
    }

    fn warnings(&self, takes_weak_durability: bool) -> Vec<String> {
        const LOSES: &str = "a crash can take back what was acknowledged";
        const WAITS: &str =
            "transactions of this program wait for the disk all the same, but it will not start again";
        let of_commit = if takes_weak_durability { LOSES } else { WAITS };
        [
            ("fsync", &self.fsync, LOSES),
            ("synchronous_commit", &self.synchronous_commit, of_commit),
            ("full_page_writes", &self.full_page_writes, LOSES),
        ]
        .iter()
        .filter(|(_, value, _)| *value == "off")
        .map(|(name, _, what)| format!("the database has {name}=off: {what}"))
        .collect()
    }
}

/// The secret of this name, which is `candidate` when there was none; in a write transaction that the caller commits.
pub(crate) async fn shared_secret(
    driver: &mut PostgresDriver,
    name: &str,
    candidate: &str,
) -> Result<String> {
    let select = "SELECT value FROM secrets WHERE name = $1";
    // Where it is kept already, the database may be one that is only read at the moment.
    if let Some(found) = driver.text(statement(select, &[name])).await? {
        return Ok(found);
    }
    let insert = "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    driver.execute(statement(insert, &[name, candidate])).await?;
    let found = driver.text(statement(select, &[name])).await?;
    found.ok_or_else(|| Error::new(ErrorKind::Internal, "a secret that was just kept is gone"))
}

fn statement(sql: &str, texts: &[&str]) -> Statement {
    let values = Values(texts.iter().map(|&text| text.into()).collect());
    Statement { sql: sql.to_owned(), values, reusable: false }
}

/// One transaction under a lock: who starts at the same time waits and finds the work done.
async fn migrate(connection: &mut PgConnection, schema: &str) -> Result<()> {
    let failed = |error| sorted("migrate the database", error);
    let mut transaction = connection.begin_with(MIGRATION_BEGIN).await.map_err(failed)?;
    let lock = format!("{MIGRATION_LIMITS}; SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
    run(&mut transaction, lock).await.map_err(failed)?;
    // Asked first, because creating one needs a right that the owner of an existing one may not have.
    let is_there = format!("SELECT to_regnamespace('\"{schema}\"') IS NOT NULL");
    if !one::<bool>(&mut transaction, is_there).await.map_err(failed)? {
        run(&mut transaction, format!("CREATE SCHEMA \"{schema}\"")).await.map_err(failed)?;
    }
    run(&mut transaction, format!("SET LOCAL search_path TO \"{schema}\"")).await.map_err(failed)?;
    let found = version(&mut transaction, schema).await.map_err(failed)?;
    for n in pending_migrations(&format!("schema {schema}"), found, MIGRATIONS.len())? {
        run(&mut transaction, MIGRATIONS[n].to_owned()).await.map_err(failed)?;
        let note = format!("INSERT INTO schema_version VALUES ({})", n + 1);
        run(&mut transaction, note).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// How many migrations have run, as the tables say.
async fn version(connection: &mut PgConnection, schema: &str) -> sqlx::Result<usize> {
    let is_there = format!("SELECT to_regclass('\"{schema}\".schema_version') IS NOT NULL");
    if !one::<bool>(connection, is_there).await? {
        run(connection, "CREATE TABLE schema_version (version bigint NOT NULL)".to_owned()).await?;
    }
    newest_version(connection, schema).await
}

async fn newest_version(connection: &mut PgConnection, schema: &str) -> sqlx::Result<usize> {
    let newest = format!("SELECT coalesce(max(version), 0) FROM \"{schema}\".schema_version");
    let newest: i64 = one(connection, newest).await?;
    Ok(usize::try_from(newest).unwrap_or(usize::MAX))
}

async fn run(connection: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql).into_sql_str())).await.map(drop)
}

async fn one<T>(connection: &mut PgConnection, sql: String) -> sqlx::Result<T>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Settings {
        let on = || "on".to_owned();
        Settings {
            version: 150_018,
            encoding: "UTF8".to_owned(),
            fsync: on(),
            synchronous_commit: on(),
            full_page_writes: on(),
        }
    }

    #[test]
    fn what_cannot_work_or_loses_data_is_refused() {
        assert!(good().refuse(false).is_ok());
        let off = || "off".to_owned();
        for settings in [
            Settings { version: 140_009, ..good() },
            Settings { encoding: "SQL_ASCII".to_owned(), ..good() },
            Settings { synchronous_commit: off(), ..good() },
        ] {
            let refused = settings.refuse(false).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Incompatible, "{settings:?}");
        }
        assert!(Settings { synchronous_commit: off(), ..good() }.refuse(true).is_ok());
        // `local` and `remote_write` wait for the disk of this machine; that is what is promised.
        assert!(Settings { synchronous_commit: "local".to_owned(), ..good() }.refuse(false).is_ok());
    }

    #[test]
    fn weak_settings_are_told() {
        assert!(good().warnings(false).is_empty());
        let weak = Settings { fsync: "off".to_owned(), full_page_writes: "off".to_owned(), ..good() };
        assert_eq!(weak.warnings(false).len(), 2);
    }
}
