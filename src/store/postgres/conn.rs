//! Ways to the server: the address, TLS, what every session is told, and how long anybody waits.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime,
};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::{Done, Fail};
use super::tls;
use crate::store::StoreError;

/// Read connections of one node. Reads are short; more would only take turns on the server.
const READERS: usize = 8;
/// How long anybody waits for a connection, and for the server to come back, before saying so.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long making one connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// The head of the log, for as long as the transaction lasts: one writer at a time in a schema.
pub(super) const LOCK: &str =
    "SELECT pg_advisory_xact_lock(1870033516, hashtext(current_schema()))";

/// What every session is told. A node that dies or hangs within a transaction is noticed within
/// seconds, so that it does not keep the head of the log from others. Rows are looked up by their
/// keys and walked in their order: a plan that was made while the tables were empty, and kept for
/// a prepared statement, would go through all of them later.
const SESSION: &str = "SET application_name = 'overrule';
     SET synchronous_commit = on;
     SET client_min_messages = warning;
     SET standard_conforming_strings = on;
     SET default_transaction_isolation = 'read committed';
     SET statement_timeout = '60s';
     SET lock_timeout = '30s';
     SET idle_in_transaction_session_timeout = '5s';
     SET tcp_keepalives_idle = 5;
     SET tcp_keepalives_interval = 2;
     SET tcp_keepalives_count = 3;
     SET enable_seqscan = off;
     SET jit = off";

/// Where the server is and how to talk to it.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: MakeRustlsConnect,
    /// For people: without the password.
    pub(super) shown: String,
}

impl Address {
    /// From `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`.
    ///
    /// `sslmode`: `disable`, `prefer` (the default: TLS where the server has it, whoever it is),
    /// `require` (TLS, whoever the server is; with `sslrootcert` as `verify-full`), `verify-full`
    /// (TLS, and the server's certificate is checked against `sslrootcert` or the system's).
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let bad =
            |cause: String| StoreError::Io { doing: "read the database URL".to_owned(), cause };
        let (plain, wish) = tls::split(url).map_err(bad)?;
        let mut config: Config = plain.parse().map_err(|e: tokio_postgres::Error| {
            bad(format!("{}: write postgres://USER@HOST/DATABASE", super::fault::cause(&e)))
        })?;
        config.ssl_mode(wish.mode()).connect_timeout(CONNECT).keepalives_idle(CONNECT);
        let shown = shown(&config);
        let tls = MakeRustlsConnect::new(wish.config().map_err(bad)?);
        Ok(Self { config, tls, shown })
    }

    /// A connection of one's own.
    pub(super) async fn connect(&self) -> Done<ClientWrapper> {
        let connected = tokio::time::timeout(CONNECT * 2, self.config.connect(self.tls.clone()));
        let (client, connection) = connected
            .await
            .map_err(|_| Fail::Unreachable(format!("{} does not answer", self.shown)))??;
        let task = tokio::spawn(async move {
            if let Err(e) = connection.await {
                tracing::debug!(error = %e, "a connection to the database ended");
            }
        });
        let client = ClientWrapper::new(client, task);
        client.batch_execute(SESSION).await?;
        Ok(client)
    }

    /// The same without [`ClientWrapper`]: whoever listens drives the connection.
    pub(super) fn config(&self) -> (&Config, &MakeRustlsConnect) {
        (&self.config, &self.tls)
    }

    /// Connections for reads.
    pub(super) fn pool(&self) -> Result<Pool, StoreError> {
        let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), how);
        let told = Hook::async_fn(|client: &mut ClientWrapper, _| {
            Box::pin(async move {
                let read_only = format!("{SESSION}; SET default_transaction_read_only = on");
                client.batch_execute(&read_only).await.map_err(HookError::Backend)
            })
        });
        Pool::builder(manager)
            .max_size(READERS)
            .runtime(Runtime::Tokio1)
            .timeouts(deadpool_postgres::Timeouts {
                wait: Some(PATIENCE),
                create: Some(CONNECT * 2),
                recycle: Some(CONNECT),
            })
            .post_create(told)
            .build()
            .map_err(|e| StoreError::Io {
                doing: "make connections".to_owned(),
                cause: e.to_string(),
            })
    }
}

/// Call again while the server is away, for as long as anybody waits.
pub(super) async fn patiently<T>(call: impl AsyncFn() -> Done<T>) -> Done<T> {
    let since = tokio::time::Instant::now();
    loop {
        match call().await {
            Err(e) if e.is_lost() && since.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other,
        }
    }
}

/// The address without its password.
fn shown(config: &Config) -> String {
    use tokio_postgres::config::Host;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or_else(|| config.get_user()).unwrap_or("postgres");
    format!("postgres://{host}:{port}/{database}")
}

/// What is shared by everything that talks to the server.
pub(super) type Shared = Arc<Address>;
