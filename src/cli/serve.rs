//! `serve`: the desk over HTTP, for model services and for reviewers elsewhere.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::value_parser;
use serde_json::json;

use super::app::App;
use super::failure::{Failure, Outcome};
use super::open::How;
use super::session::{Session, variant};
use super::sync::Delivery;
use crate::desk::Local;
use crate::domain::TokenScope;
use crate::protocol::{Answer, Command, Query, Reply, TokenAsk};
use crate::server::{
    self, CONNECTIONS, CONNECTIONS_PER_ADDRESS, DOOR, Listen, Patience, Rates, Served, Tls,
};

/// How often what is due happens.
const TICK: Duration = Duration::from_secs(1);
/// How long the first token lasts: a day is enough to make others.
const FIRST_TOKEN: Duration = Duration::from_secs(24 * 60 * 60);
/// Files that are no connections of clients: the store, its pool, deliveries, the log.
const OTHER_FILES: usize = 256;
/// How often the ticker looks whether it is to end, or has much to count.
const LOOK: Duration = Duration::from_millis(100);

/// Serve the desk over HTTP
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  overrule serve                              on 127.0.0.1:7400
  overrule serve --listen 0.0.0.0:7400 --tls-cert cert.pem --tls-key key.pem
  overrule serve --listen 10.0.0.5:7400 --behind-proxy

Who asks needs a token: overrule token create --for NAME --scope SCOPE. What is due happens while \
it runs, and alerts go out, as with overrule watch. It ends on Ctrl-C or SIGTERM, after finishing \
what it has begun. Without TLS it listens on this machine only, unless a proxy in front does TLS.")]
pub struct Serve {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7400")]
    listen: String,
    /// Certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Where nobody has a token yet: make one for you with every scope, and keep it in this file
    #[arg(long, value_name = "FILE")]
    first_token: Option<PathBuf>,
    /// A proxy in front does TLS; the last X-Forwarded-For address is who asks
    #[arg(long)]
    behind_proxy: bool,
    /// Requests a minute with one token
    #[arg(long, value_name = "N", default_value_t = Rates::default().token)]
    token_limit: f64,
    /// Requests a minute from one address
    #[arg(long, value_name = "N", default_value_t = Rates::default().address)]
    address_limit: f64,
    /// Connections at once; whoever comes then is answered 503
    #[arg(long, value_name = "N", default_value_t = CONNECTIONS)]
    connections: usize,
    /// Of these, from one address (of IPv6: one network of 2^64); more are answered 503. Behind a
    /// proxy all come from one, and the proxy has to see to it
    #[arg(long, value_name = "N", default_value_t = CONNECTIONS_PER_ADDRESS, conflicts_with = "behind_proxy",
        value_parser = at_least_one)]
    connections_per_address: usize,
    /// How long a connection may wait for the next request's head to be there
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = value_parser!(u16).range(1..=3600))]
    head_seconds: u16,
    /// How long a request's body may take
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = value_parser!(u16).range(1..=60))]
    body_seconds: u16,
    /// How long a client may read nothing of what is waiting for it; then its connection closes
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = value_parser!(u16).range(1..=3600))]
    write_seconds: u16,
    /// How long a stream of events lasts; its client opens it anew and goes on where it was
    #[arg(long, value_name = "S", default_value_t = 3600, value_parser = value_parser!(u32).range(1..=86_400))]
    stream_seconds: u32,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse::<std::num::NonZeroUsize>().map_err(|e| e.to_string())?;
    Ok(number.get())
}

impl Serve {
    pub fn run(self, app: &App) -> Outcome {
        let tls = self.tls_cert.clone().zip(self.tls_key.clone());
        let tls = tls.map(|(cert, key)| Tls { cert, key });
        let address = self.address(tls.is_some())?;
        let connections = self.room(app)?;
        let session = app.open_how(How::serve())?;
        session.install_default(&session.header()?)?;
        session.wrote();
        let socket = TcpListener::bind(address)
            .map_err(|e| Failure::io(format!("{address} cannot be listened on"), &e))?;
        let address = socket
            .local_addr()
            .map_err(|e| Failure::io("the address listened on is not known", &e))?;
        self.say(app, &session, address, tls.is_some())?;
        let ticker = Ticker::start(&session)?;
        let delivery = Delivery::start(&session);
        let rates =
            Rates { token: self.token_limit, address: self.address_limit, ..Rates::default() };
        let patience = Patience {
            head: Duration::from_secs(self.head_seconds.into()),
            body: Duration::from_secs(self.body_seconds.into()),
            write: Duration::from_secs(self.write_seconds.into()),
            stream: Duration::from_secs(self.stream_seconds.into()),
        };
        let per_address = (!self.behind_proxy).then_some(self.connections_per_address);
        let served = Served::new(session.local()?.clone(), self.behind_proxy, rates)?;
        let ended = session.runtime()?.block_on(server::serve(
            served,
            Listen { socket, tls, connections, per_address, patience },
            asked_to_end(),
        ));
        app.out.note("ending: what came is finished");
        if let Some(delivery) = delivery {
            delivery.end(&session);
        }
        ticker.end();
        ended.map_err(|e| Failure::io("the server ended", &e))
    }

    /// Where to listen: elsewhere than on this machine only with TLS, ours or a proxy's.
    fn address(&self, tls: bool) -> Result<SocketAddr, Failure> {
        let found = self.listen.to_socket_addrs().ok().and_then(|mut all| all.next());
        let address = found.ok_or_else(|| {
            Failure::usage(format!("{} is no address to listen on", self.listen))
                .hint("write HOST:PORT, such as 127.0.0.1:7400")
        })?;
        if address.ip().is_loopback() || tls || self.behind_proxy {
            return Ok(address);
        }
        Err(Failure::usage(format!(
            "{address} can be reached from other machines, and tokens would travel in clear"
        ))
        .hint("give --tls-cert and --tls-key, or --behind-proxy if a proxy in front does TLS"))
    }

    /// How many connections there is room for: each is an open file of this process.
    fn room(&self, app: &App) -> Result<usize, Failure> {
        let others = DOOR + OTHER_FILES;
        let open = open_files(self.connections.saturating_add(others));
        let room = open.saturating_sub(others).min(self.connections);
        if room == 0 {
            return Err(Failure::usage(format!(
                "{} connections cannot be taken where {open} files may be open at once",
                self.connections
            ))
            .hint("ulimit -n (LimitNOFILE= of a service) sets that limit"));
        }
        if room < self.connections {
            app.out.note(format!(
                "only {open} files may be open at once here, so at most {room} connections are \
                 taken; ulimit -n (LimitNOFILE= of a service) sets that limit"
            ));
        }
        Ok(room)
    }

    /// One line when it is ready, and how to begin.
    fn say(&self, app: &App, session: &Session, address: SocketAddr, tls: bool) -> Outcome {
        let tokens = variant!(session.ask(Query::Tokens), Ok(Reply::Tokens(all)) => all);
        let nobody = tokens.is_ok_and(|all| all.is_empty());
        if let (true, Some(file)) = (nobody, &self.first_token) {
            first_token(session, file)?;
        }
        let url = format!("{}://{address}", if tls { "https" } else { "http" });
        if app.out.json {
            app.out.json(&json!({"listening": url, "store": session.header()?.store}))?;
        } else {
            app.out.line(format!("serving {} on {url}", session.header()?.store))?;
        }
        app.out.flush()?;
        if !nobody {
            return Ok(());
        }
        match &self.first_token {
            Some(file) => {
                app.out.note(format!("the first token is {}'s, in {}", session.by, file.display()));
            }
            // A database is opened by no command that could make one.
            None if app.database().is_some() => app.out.note(
                "nobody has a token yet; start once with --first-token FILE, and make others with \
                 it: overrule token create --store https://HOST:PORT",
            ),
            None => app.out.note(
                "nobody has a token yet; make one with: \
                 overrule token create --for NAME --scope ingest",
            ),
        }
        Ok(())
    }
}

/// How many files this process may have open, after asking for `needs`.
fn open_files(needs: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let count = |limit: Option<u64>| limit.and_then(|n| n.try_into().ok()).unwrap_or(usize::MAX);
    let now = getrlimit(Resource::Nofile);
    let wanted = needs.min(count(now.maximum));
    if count(now.current) < wanted {
        let limit = Rlimit { current: u64::try_from(wanted).ok(), maximum: now.maximum };
        // Where it may not be raised, it stays what it is.
        let _ = setrlimit(Resource::Nofile, limit);
    }
    count(getrlimit(Resource::Nofile).current)
}

/// Make a token that may do whatever its owner may, in a file that is its owner's only.
fn first_token(session: &Session, file: &Path) -> Outcome {
    let io = |e: std::io::Error| Failure::io(format!("{} cannot be written", file.display()), &e);
    // Before the token is made: one that could not be kept would be lost.
    let mut open = OpenOptions::new();
    let mut kept = open.write(true).create_new(true).mode(0o600).open(file).map_err(io)?;
    let command = Command::CreateToken(TokenAsk {
        name: session.by.clone(),
        scopes: TokenScope::ALL.to_vec(),
        lasts_s: FIRST_TOKEN.as_secs(),
    });
    let made = variant!(session.execute(command)?, Answer::Token(made) => made)?;
    writeln!(kept, "{}", made.token).and_then(|()| kept.sync_all()).map_err(io)
}

/// What is due, on a thread of its own.
struct Ticker {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Ticker {
    fn start(session: &Session) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let (local, end) = (session.local()?.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name("ticker".into())
            .spawn(move || tick(&local, &end))
            .map_err(|e| Failure::io("the program's threads cannot be started", &e))?;
        Ok(Self { stop, thread })
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::error!("the ticker failed; what is due happens with the next process");
        }
    }
}

/// Tick until asked to end, in nobody's name: who started the server may leave. A tick that fails is
/// tried again.
fn tick(local: &Local, end: &AtomicBool) {
    while !end.load(Ordering::Relaxed) {
        match local.watch_itself() {
            Ok(happened) => {
                for one in happened {
                    tracing::info!(what = one.what, about = one.about, text = one.text, "happened");
                }
            }
            Err(refused) => tracing::warn!(why = refused.message, "a tick did nothing"),
        }
        let (ticked, mut counts) = (Instant::now(), true);
        while ticked.elapsed() < TICK && !end.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
            // What fails is told, and tried again, by the tick.
            counts = counts && local.count_in().is_ok();
        }
    }
}

/// Ready when somebody asks the process to end.
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut asked) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = asked.recv() => {}
    }
}
