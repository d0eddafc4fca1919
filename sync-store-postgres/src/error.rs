//! What sqlx and Postgres report, sorted by what to do next.

use std::time::Duration;

use sync_core::{Error, ErrorKind};

/// How long a client should wait when the database was too busy: longer than a transaction, shorter than patience.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What Postgres says of an error, without its details: those quote rows, and content does not belong in logs.
#[derive(Debug, thiserror::Error)]
#[error("{message} (code {code})")]
struct Refused {
    code: String,
    message: String,
}

/// Makes an error of this library of one from sqlx; `what` says what was attempted.
pub(crate) fn sorted(what: &str, error: sqlx::Error) -> Error {
    let kind = kind(&error);
    let message = match code(&error).as_deref() {
        // duplicate_prepared_statement, invalid_sql_statement_name
        Some("42P05" | "26000") => {
            format!("cannot {what}: behind a transaction pooler write pooler=transaction into the URL")
        }
        Some(code) if is_rule_of_owner(code) && kind == ErrorKind::Invalid => {
            "the database refuses this content by a rule that its owner has added: an index, a constraint or a trigger"
                .to_owned()
        }
        _ => format!("cannot {what}"),
    };
    let sorted = with_cause(Error::new(kind, message), error);
    if kind == ErrorKind::Overloaded { sorted.with_retry_after(RETRY_AFTER) } else { sorted }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// The constraints and indexes of our own tables. Nothing violates them unless this library is wrong.
const OWN_CONSTRAINTS: [&str; 17] = [
    "spaces_pkey",
    "records_pkey",
    "records_feed",
    "tree_ops_pkey",
    "tree_ops_feed",
    "tree_checkpoints_pkey",
    "commits_pkey",
    "clients_pkey",
    "log_pkey",
    "users_pkey",
    "users_name_key_key",
    "users_address_key",
    "members_pkey",
    "credentials_pkey",
    "synced_pkey",
    "synced_credential_fkey",
    "notices_pkey",
];

/// Whether a promise of this library is broken: one of our own constraints, or a NULL where we allow none.
fn is_own_fault(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        error.code().as_deref() == Some("23502")
            || error.constraint().is_some_and(|name| OWN_CONSTRAINTS.contains(&name))
    })
}

/// Whether an error comes of what someone has added to our tables.
fn is_rule_of_owner(code: &str) -> bool {
    // Data that does not fit an expression, integrity constraints, limits such as the length of an entry of an index,
    // and what a trigger raises.
    matches!(code.get(..2), Some("22" | "23" | "54" | "P0"))
}

fn with_cause(sorted: Error, error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default().into_owned();
            // These quote what does not fit.
            let is_quoted = matches!(code.get(..2), Some("22" | "P0"));
            let message = if is_quoted { "a value does not fit" } else { error.message() }.to_owned();
            sorted.with_source(Refused { code, message })
        }
        error => sorted.with_source(error),
    }
}

/// The same for a commit: whether it happened is unknown, but for the few codes that say it did not.
pub(crate) fn sorted_commit(error: sqlx::Error) -> Error {
    match kind(&error) {
        ErrorKind::Contended => sorted("commit", error),
        _ => with_cause(Error::new(ErrorKind::Unavailable, "cannot tell whether the commit happened"), error),
    }
}

/// Whether the connection is gone, and not just the transaction.
pub(crate) fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        // Class 57P: the server ends the connection. Class 08: it is lost already.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}

fn kind(error: &sqlx::Error) -> ErrorKind {
    match error {
        _ if is_own_fault(error) => ErrorKind::Internal,
        sqlx::Error::Database(error) => {
            error.code().map_or(ErrorKind::Internal, |code| kind_of_code(code.as_ref()))
        }
        sqlx::Error::PoolTimedOut => ErrorKind::Overloaded,
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolClosed => ErrorKind::Unavailable,
        sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => ErrorKind::Incompatible,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => ErrorKind::Corrupt,
        _ => ErrorKind::Internal,
    }
}

/// Sorts an error code of Postgres (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn kind_of_code(code: &str) -> ErrorKind {
    match code {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => ErrorKind::Contended,
        // lock_not_available, query_canceled by a timeout, too_many_connections, out_of_memory
        "55P03" | "57014" | "53300" | "53200" => ErrorKind::Overloaded,
        "53100" => ErrorKind::StorageFull,
        // read_only_sql_transaction: the server has become a standby.
        "25006" => ErrorKind::Unavailable,
        // data_corrupted, index_corrupted
        "XX001" | "XX002" => ErrorKind::Corrupt,
        // syntax_error: that is ours.
        "42601" => ErrorKind::Internal,
        _ => match code.get(..2) {
            // connection exceptions, operator intervention, system errors, idle transactions ended by the server
            Some("08" | "57" | "58" | "25") => ErrorKind::Unavailable,
            // insufficient resources
            Some("53") => ErrorKind::Overloaded,
            // invalid authorization; rights, tables or columns that are not as they were made; no such database or schema
            Some("28" | "42" | "26" | "3D" | "3F") => ErrorKind::Incompatible,
            _ if is_rule_of_owner(code) => ErrorKind::Invalid,
            _ => ErrorKind::Internal,
        },
    }
}

/// The error for a task of this crate that ended without an answer, because the runtime shuts down or it panicked.
pub(crate) fn task(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Unavailable, "database work was cut off").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_to_do_next() {
        let table = [
            ("40001", ErrorKind::Contended),
            ("40P01", ErrorKind::Contended),
            ("55P03", ErrorKind::Overloaded),
            ("57014", ErrorKind::Overloaded),
            ("53300", ErrorKind::Overloaded),
            ("53100", ErrorKind::StorageFull),
            ("57P01", ErrorKind::Unavailable),
            ("57P03", ErrorKind::Unavailable),
            ("08006", ErrorKind::Unavailable),
            ("25006", ErrorKind::Unavailable),
            ("25P03", ErrorKind::Unavailable),
            ("58030", ErrorKind::Unavailable),
            ("XX001", ErrorKind::Corrupt),
            ("42P01", ErrorKind::Incompatible),
            ("28P01", ErrorKind::Incompatible),
            ("54000", ErrorKind::Invalid),
            ("42501", ErrorKind::Incompatible),
            ("42P05", ErrorKind::Incompatible),
            ("28000", ErrorKind::Incompatible),
            ("23505", ErrorKind::Invalid),
            ("22P02", ErrorKind::Invalid),
            ("P0001", ErrorKind::Invalid),
            ("42601", ErrorKind::Internal),
        ];
        for (code, kind) in table {
            assert_eq!(kind_of_code(code), kind, "code {code}");
        }
    }
}
