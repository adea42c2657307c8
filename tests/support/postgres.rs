//! A throw-away PostgreSQL cluster for tests, from whatever server is installed here.
//!
//! All test processes of a build share one cluster: a test runner that gives each test a process
//! of its own would otherwise wait for `initdb` each time. Whoever uses the cluster holds a shared
//! lock on a file; a keeper in a process of its own waits until nobody does, then stops the server
//! and removes its folder. The kernel gives up the locks of a process that is killed, so nothing
//! stays behind however a test ends. Each test gets a fresh database, with `fsync` on.
//!
//! The cluster sorts text by the rules of a language where the server can: what relies on the
//! order of bytes without saying so fails here instead of at somebody's desk.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

/// Who owns everything in the cluster.
const OWNER: &str = "overrule";
/// `1`: without a server the tests fail instead of being skipped.
const REQUIRE: &str = "OVERRULE_REQUIRE_POSTGRES";
/// A file that the names of skipped tests are added to.
const SKIPPED: &str = "OVERRULE_SKIPPED";

/// A fresh database in the shared cluster; `None`, said with the test's name, where no server is
/// installed.
pub fn database(test: &str) -> Option<Database> {
    cluster(test).map(|cluster| cluster.database())
}

/// The cluster that all tests share.
pub fn cluster(test: &str) -> Option<Arc<Cluster>> {
    static SHARED: LazyLock<Option<Arc<Cluster>>> = LazyLock::new(|| {
        let server = Server::find()?;
        let exe = std::env::current_exe().unwrap();
        // The folder above `deps`, for whatever is built there.
        let folder = exe.parent().and_then(Path::parent).unwrap();
        Some(Arc::new(Cluster::shared(server, folder)))
    });
    let found = SHARED.clone();
    if found.is_none() {
        skipped(test);
    }
    found
}

/// A cluster of this test alone, to be stopped and started at will.
pub fn own_cluster(test: &str) -> Option<Cluster> {
    let server = Server::find();
    if server.is_none() {
        skipped(test);
    }
    server.map(Cluster::own)
}

fn skipped(test: &str) {
    let required = std::env::var_os(REQUIRE).is_some_and(|v| v == "1");
    assert!(!required, "{test} needs PostgreSQL: no server is installed, and {REQUIRE} is 1");
    eprintln!("skipped {test}: PostgreSQL is not installed");
    if let Some(list) = std::env::var_os(SKIPPED) {
        let mut list = OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{test}").unwrap();
    }
}

/// An installed server.
#[derive(Clone, Debug)]
struct Server {
    bin: PathBuf,
    /// Whom it runs as, where we are root (it refuses to be).
    user: Option<(u32, u32)>,
}

impl Server {
    /// The newest in Debian's place, otherwise what the path has.
    fn find() -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut versions: Vec<(u32, PathBuf)> = versions
            .filter_map(|e| Some((e.file_name().to_str()?.parse().ok()?, e.path().join("bin"))))
            .collect();
        versions.sort();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bin = versions
            .into_iter()
            .rev()
            .map(|(_, bin)| bin)
            .chain(std::env::split_paths(&path))
            .find(|bin| ["initdb", "pg_ctl", "psql"].iter().all(|p| bin.join(p).exists()))?;
        let user = match rustix::process::geteuid().is_root() {
            true => Some(other_user()?),
            false => None,
        };
        Some(Self { bin, user })
    }

    /// A program of the server, as its user.
    fn command(&self, program: &str) -> Command {
        self.drop_rights(Command::new(self.bin.join(program)))
    }

    fn drop_rights(&self, mut command: Command) -> Command {
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir("/").stdin(Stdio::null());
        command
    }
}

/// A user who is not root: the server's own, or nobody.
fn other_user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|l| l.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(|n| n.parse().ok());
        Some((ids.next()??, ids.next()??))
    })
}

/// A running server with data that nobody will miss.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    dir: PathBuf,
    port: u16,
    password: String,
    /// Held for as long as the cluster is used.
    _used: File,
}

/// Waits (lock on its standard input) until nobody uses the cluster, a little longer in case the
/// next test is about to, and takes it away.
const KEEPER: &str = r#"
while :; do
    flock -x 0; flock -u 0
    sleep "$3"
    flock -xn 0 && break
done
"$1/pg_ctl" -D "$2/data" -m immediate -w stop
rm -rf "$2"
"#;

impl Cluster {
    /// Join the cluster that this build's tests use, or start it.
    fn shared(server: Server, folder: &Path) -> Self {
        // One at a time looks, and starts it if need be.
        let start = lock_file(&folder.join("postgres.start"));
        start.lock().unwrap();
        let path = folder.join("postgres.use");
        let mut used = lock_file(&path);
        // Waits for a keeper that is just taking the last one away.
        used.lock_shared().unwrap();
        let mut dir = String::new();
        used.read_to_string(&mut dir).unwrap();
        let dir = PathBuf::from(dir);
        if let Some((port, password)) = ready(&dir) {
            return Self { server, dir, port, password, _used: used };
        }
        let keeper = lock_file(&path);
        let cluster = Self::start(server, used, keeper, "3");
        let mut named = lock_file(&path);
        named.set_len(0).unwrap();
        named.rewind().unwrap();
        named.write_all(cluster.dir.to_str().unwrap().as_bytes()).unwrap();
        cluster
    }

    /// A cluster of its own.
    fn own(server: Server) -> Self {
        let lock = tempfile::NamedTempFile::new().unwrap();
        let used = lock_file(lock.path());
        used.lock_shared().unwrap();
        let keeper = lock_file(lock.path());
        Self::start(server, used, keeper, "0")
    }

    #[allow(clippy::zombie_processes, reason = "the keeper outlives us; the system buries it")]
    fn start(server: Server, used: File, keeper: File, linger: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("overrule-pg-").tempdir().unwrap().keep();
        if let Some((uid, gid)) = server.user {
            std::os::unix::fs::chown(&dir, Some(uid), Some(gid)).unwrap();
        }
        // In a group of its own, so that what is meant for the tests does not reach it.
        let mut sh = server.drop_rights(Command::new("sh"));
        sh.arg("-c").arg(KEEPER).arg("keeper").args([&server.bin, &dir]).arg(linger);
        sh.stdin(keeper).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        #[expect(
            clippy::zombie_processes,
            reason = "it outlives this process: it stops the server"
        )]
        sh.spawn().unwrap();
        let password: String = fs::read_to_string("/proc/sys/kernel/random/uuid").map_or_else(
            |_| format!("{:p}{}", &server, std::process::id()),
            |uuid| uuid.trim().to_owned(),
        );
        init(&server, &dir, &password);
        let mut cluster = Self { server, dir, port: 0, password, _used: used };
        cluster.start_on_some_port();
        fs::write(cluster.dir.join("ready"), format!("{} {}", cluster.port, cluster.password))
            .unwrap();
        cluster
    }

    fn start_on_some_port(&mut self) {
        // Somebody may take the port between our looking and the server's.
        for _ in 0..5 {
            self.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .and_then(|l| l.local_addr())
                .unwrap()
                .port();
            if self.restart() {
                return;
            }
        }
        let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        panic!("the server in {} does not start:\n{log}", self.dir.display());
    }

    /// Start it (again), on the port it had; `false`: it did not start.
    pub fn restart(&self) -> bool {
        let options = format!(
            "-c port={} -c listen_addresses=127.0.0.1 -c unix_socket_directories={}",
            self.port,
            self.dir.display()
        );
        self.pg_ctl(&["-o", &options, "-l", &self.in_dir("log"), "-t", "60", "-w", "start"])
    }

    /// Stop it: `fast` ends sessions in order, `immediate` is as a power cut would be.
    pub fn stop(&self, mode: &str) {
        assert!(self.pg_ctl(&["-m", mode, "-t", "60", "-w", "stop"]), "it does not stop");
    }

    fn pg_ctl(&self, args: &[&str]) -> bool {
        let mut command = self.server.command("pg_ctl");
        command.arg("-D").arg(self.dir.join("data")).args(args);
        command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        command.status().unwrap().success()
    }

    fn in_dir(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }

    /// A fresh database.
    pub fn database(self: &Arc<Self>) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}_{number}", std::process::id());
        // One left by a process of the same number that was killed.
        self.psql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        Database { cluster: Arc::clone(self), name }
    }

    /// The address of a database over TCP, with the password in it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{OWNER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The password in [`Self::url`].
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Run SQL as the owner of everything; rows as `psql -At` prints them.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new(self.server.bin.join("psql"));
        command.env_clear().env("PGOPTIONS", "-c client_min_messages=warning");
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            OWNER,
            "-d",
            database,
        ]);
        command.arg("-h").arg(&self.dir).args(["-p", &self.port.to_string(), "-c", sql]);
        let out = command.output().unwrap();
        assert!(out.status.success(), "{sql}\n{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }
}

/// Make the cluster's files. Without syncing: nobody waits for these after a power cut.
fn init(server: &Server, dir: &Path, password: &str) {
    let pwfile = dir.join("pw");
    fs::write(&pwfile, password).unwrap();
    fs::set_permissions(&pwfile, fs::Permissions::from_mode(0o644)).unwrap();
    let data = dir.join("data");
    let run = |extra: &[&str]| {
        let mut command = server.command("initdb");
        command.arg("-D").arg(&data).arg("--pwfile").arg(&pwfile);
        command.args(["-U", OWNER, "--no-sync", "-E", "UTF8", "--auth-local=trust"]);
        command.args(["--auth-host=scram-sha-256"]).args(extra).output().unwrap()
    };
    let sorted = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"];
    if !run(&sorted).status.success() {
        // An older server, or one without that library.
        let made = run(&["--locale=C"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let settings = "\nfsync = on\nsynchronous_commit = on\nmax_connections = 200\n\
        shared_buffers = 64MB\nmax_wal_size = 256MB\ntimezone = 'Asia/Kolkata'\n\
        log_line_prefix = '%m [%p] %d '\n";
    let mut conf = OpenOptions::new().append(true).open(data.join("postgresql.conf")).unwrap();
    conf.write_all(settings.as_bytes()).unwrap();
}

/// Port and password of the cluster there, if it answers.
fn ready(dir: &Path) -> Option<(u16, String)> {
    let text = fs::read_to_string(dir.join("ready")).ok()?;
    let (port, password) = text.split_once(' ')?;
    let port = port.parse().ok()?;
    std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    Some((port, password.to_owned()))
}

fn lock_file(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

/// A database that goes when the test does.
#[derive(Debug)]
pub struct Database {
    cluster: Arc<Cluster>,
    pub name: String,
}

impl Database {
    /// Its address, with the password in it.
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// The password in [`Self::url`].
    pub fn password(&self) -> &str {
        self.cluster.password()
    }

    /// Run SQL as the owner; rows as `psql -At` prints them.
    pub fn psql(&self, sql: &str) -> String {
        self.cluster.psql(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.cluster.psql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}
