//! `sslmode` against a real server: which of them take which certificate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use db_chat::app::private_postgres::PrivatePostgres;
use db_chat::guard::policy::Policy;
use db_chat::postgres::catalog;
use db_chat::postgres::read_only::{self, ExecutionLimits};
use db_chat::postgres::row_scope::RowScope;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::support::postgres::{checked, connect, pool};

/// What a session says of itself.
const VIEW: &str =
    "CREATE VIEW public.tls AS SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// An authority that has signed a certificate for `localhost`, and another one that has not.
    fn create() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let certificates = Self { folder };
        let authority = certificates.authority("authority");
        certificates.authority("stranger");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        let certificate = params.signed_by(&key, &authority).expect("a signature");
        certificates.write("server.key", &key.serialize_pem());
        certificates.write("server.crt", &certificate.pem());
        certificates
    }

    /// An authority, whose certificate is in `<name>.pem`.
    fn authority(&self, name: &str) -> Issuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        self.write(&format!("{name}.pem"), &certificate.pem());
        Issuer::new(params, key)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives a file to whoever the server runs as.
    fn install(&self, name: &str, data: &Path) {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        let target = data.join(name);
        std::fs::copy(self.path(name), &target).expect("copied");
        let owner = std::fs::metadata(data).expect("the server's folder");
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).expect("mode");
        chown(&target, Some(owner.uid()), Some(owner.gid())).expect("given");
    }
}

/// Whether the session was encrypted; `None` if there was none.
async fn is_encrypted(server: &PrivatePostgres, admin: &Client, parameters: &str) -> Option<bool> {
    let url = format!(
        "port={} user=tls_reader password=p dbname=postgres {parameters}",
        server.port()
    );
    let pool = pool(&url, 1);
    let policy = Policy::compile("*.*", "").expect("a policy");
    let snapshot = policy.apply(catalog::read(admin).await.expect("a catalog"));
    let sql = checked("SELECT ssl FROM public.tls", &snapshot);
    let limits = ExecutionLimits::from(&db_chat::config::Limits::default());
    let result = read_only::run(
        &pool,
        &sql,
        &RowScope::Everybody,
        &limits,
        &CancellationToken::new(),
    )
    .await;
    pool.close().await;
    result
        .ok()
        .map(|result| result.rows[0][0].as_deref() == Some("t"))
}

#[tokio::test]
async fn each_sslmode_takes_the_server_that_it_promises_and_no_other() {
    let server = PrivatePostgres::start().await.expect("a server");
    let admin = connect(&server.admin_url("postgres")).await;
    let role =
        "CREATE ROLE tls_reader LOGIN PASSWORD 'p'; GRANT SELECT ON public.tls TO tls_reader";
    admin
        .batch_execute(&format!("{VIEW}; {role}"))
        .await
        .expect("a role");
    let certificates = Certificates::create();
    let root = |name: &str| format!("sslrootcert={}", certificates.path(name).display());
    let (ours, stranger) = (root("authority.pem"), root("stranger.pem"));
    let (by_name, by_address) = ("host=localhost hostaddr=127.0.0.1", "host=127.0.0.1");

    for (mode, expected) in [
        ("disable", Some(false)),
        ("prefer", Some(false)),
        ("require", None),
    ] {
        let parameters = format!("{by_name} sslmode={mode}");
        let found = is_encrypted(&server, &admin, &parameters).await;
        assert_eq!(found, expected, "without TLS: {parameters}");
    }
    let parameters = format!("{by_name} sslmode=verify-full {ours}");
    assert_eq!(is_encrypted(&server, &admin, &parameters).await, None);

    let data = server.directory().join("data");
    for name in ["server.crt", "server.key"] {
        certificates.install(name, &data);
    }
    admin
        .batch_execute("ALTER SYSTEM SET ssl = on")
        .await
        .expect("a setting");
    admin
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .expect("a reload");
    // The server takes the new setting a moment later; every connection from then on can be encrypted.
    let on = async {
        while is_encrypted(&server, &admin, &format!("{by_name} sslmode=require"))
            .await
            .is_none()
        {}
    };
    tokio::time::timeout(Duration::from_secs(60), on)
        .await
        .expect("TLS");

    for (host, mode, root, expected) in [
        (by_name, "disable", "", Some(false)),
        (by_name, "prefer", "", Some(true)),
        (by_name, "require", "", Some(true)),
        (by_address, "require", &ours, Some(true)),
        (by_address, "require", &stranger, None),
        (by_address, "verify-ca", &ours, Some(true)),
        (by_name, "verify-ca", &stranger, None),
        (by_name, "verify-full", &ours, Some(true)),
        (by_address, "verify-full", &ours, None),
        (by_name, "verify-full", &stranger, None),
        // Nobody's system trusts an authority that was made a second ago.
        (by_name, "verify-full", "sslrootcert=system", None),
    ] {
        let parameters = format!("{host} sslmode={mode} {root}");
        let found = is_encrypted(&server, &admin, &parameters).await;
        assert_eq!(found, expected, "with TLS: {parameters}");
    }
    drop(admin);
    server.stop().await.expect("an end");
}
