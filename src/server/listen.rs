//! Listening: plain or TLS, bounded against slow clients, ended without losing what was promised.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Address, Handle, Server};
use hyper_util::rt::TokioTimer;

use super::auth::blocking;
use super::patience::Patience;
use super::places::{Places, Seating};
use super::state::Served;
use super::unread::Reading;

/// How many connections at once, where nobody says otherwise.
pub const CONNECTIONS: usize = 4096;
/// How many of them from one address, where nobody says otherwise: an office behind one address
/// needs a few for each person, a service that calls often as many as it has workers.
pub const CONNECTIONS_PER_ADDRESS: usize = 1024;
/// How many headers, and how many bytes of them. What comes at once may be read beyond that; then
/// the request is refused by its size.
const HEADERS: usize = 64;
pub(super) const HEAD_BYTES: usize = 32 << 10;
/// How often refused attempts that were counted are told.
const MINUTE: Duration = Duration::from_secs(60);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long requests that are under way may take once the server is asked to end.
const LAST: Duration = Duration::from_secs(20);

/// Certificate chain and key, PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Where to listen.
#[derive(Debug)]
pub struct Listen {
    pub socket: TcpListener,
    pub tls: Option<Tls>,
    /// Connections at once; more are told to come again.
    pub connections: usize,
    /// Of them, from one address (of IPv6: one network); `None`: any number, for behind a proxy all
    /// come from one.
    pub per_address: Option<usize>,
    pub patience: Patience,
}

impl Listen {
    /// Without TLS, and as bounded as `serve` is by default.
    pub fn plain(socket: TcpListener) -> Self {
        Self {
            socket,
            tls: None,
            connections: CONNECTIONS,
            per_address: Some(CONNECTIONS_PER_ADDRESS),
            patience: Patience::default(),
        }
    }
}

/// Serve until `stop` is ready; then finish what came.
pub async fn serve(
    served: Served,
    listen: Listen,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let app = super::router(served.clone(), listen.patience)
        .into_make_service_with_connect_info::<SocketAddr>();
    let places = Places::new(listen.connections, listen.per_address);
    let (head, reading) = (listen.patience.head, Reading::within(listen.patience.write));
    tokio::spawn(count_denied(served.clone()));
    let (handle, denied) = (Handle::new(), served.clone());
    let ending = handle.clone();
    tokio::spawn(async move {
        stop.await;
        served.leave();
        ending.graceful_shutdown(Some(LAST));
    });
    listen.socket.set_nonblocking(true)?;
    let server = axum_server::from_tcp(listen.socket)?.handle(handle);
    let ended = match listen.tls {
        None => {
            let acceptor = Seating::new(reading, places);
            bounded(server.acceptor(acceptor), head).serve(app).await
        }
        Some(tls) => {
            // Somebody else in this process may have chosen already; that is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let config = RustlsConfig::from_pem_chain_file(tls.cert, tls.key).await?;
            let acceptor =
                RustlsAcceptor::new(config).handshake_timeout(HANDSHAKE).acceptor(reading);
            bounded(server.acceptor(Seating::new(acceptor, places)), head).serve(app).await
        }
    };
    tell_denied(&denied).await;
    ended
}

/// Refused attempts that were counted become entries every minute.
async fn count_denied(served: Served) {
    loop {
        tokio::time::sleep(MINUTE).await;
        tell_denied(&served).await;
    }
}

async fn tell_denied(served: &Served) {
    let desk = served.desk().clone();
    if let Err(refused) = blocking(move || desk.tell_denied()).await {
        tracing::error!(why = refused.message, "refused attempts are not in the trail");
    }
}

/// A client that is silent, or sends its head byte by byte, holds a connection for a while only.
fn bounded<A: Address, C>(server: Server<A, C>, head: Duration) -> Server<A, C> {
    // Waiting to see which version of HTTP a client speaks would know no end.
    let mut server = server.http1_only();
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_headers(HEADERS)
        .max_buf_size(HEAD_BYTES);
    server
}
