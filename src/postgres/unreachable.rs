//! What to look at when the database cannot be reached: for whoever wrote `DATABASE_URL`. Recognised by type and SQLSTATE,
//! never by message text.

use std::error::Error;
use std::io;

use super::error::QueryError;

/// Where no more is known.
const ANYTHING: &str =
    "cannot be reached with DATABASE_URL: look at its host, port, user, password, name and sslmode";

/// A sentence that names what of `DATABASE_URL` is probably wrong.
#[must_use]
pub fn advice(error: &QueryError) -> &'static str {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(answer) = error.downcast_ref::<tokio_postgres::error::DbError>() {
            return by_sqlstate(answer.code().code());
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return by_io_error(error);
        }
        cause = error.source();
    }
    ANYTHING
}

fn by_sqlstate(sqlstate: &str) -> &'static str {
    match sqlstate {
        "28P01" => "does not accept the user or the password in DATABASE_URL",
        "28000" => {
            "does not let this user in from here: look at the user and sslmode in DATABASE_URL, and at the server's pg_hba.conf"
        }
        "3D000" => "has no database of that name: look at the end of DATABASE_URL",
        "42501" => {
            "does not let this user connect to the database: GRANT CONNECT is missing, which `db-chat grants` prints"
        }
        "53300" => {
            "has no connection left for this user: look at CONNECTION LIMIT and max_connections"
        }
        "57P03" => "is starting or stopping: try again in a moment",
        _ => ANYTHING,
    }
}

fn by_io_error(error: &io::Error) -> &'static str {
    if error.raw_os_error().is_none() {
        // The system's resolver has errors of its own, which the standard library gives no kind.
        return "the host in DATABASE_URL cannot be found. In a URL, write @ : / # % in a password as %40 %3A %2F %23 %25";
    }
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return "nothing listens at the host and port in DATABASE_URL: is PostgreSQL running there, and does it listen on that address?";
    }
    "does not answer at the host and port in DATABASE_URL: is there a firewall in between?"
}
