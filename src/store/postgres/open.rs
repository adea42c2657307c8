//! Opening the store: reach the server, look what is there, bring it to this version.

use std::sync::{Arc, Mutex};

use tokio::runtime::{Builder, Runtime};

use super::conn::{Address, patiently};
use super::fault::{Done, Fail, damaged};
use super::leases::Desk;
use super::watch::{NodeClock, Standing, Watch};
use super::writer::Writer;
use super::{Postgres, Tasks, schema};
use crate::store::{Fresh, OpenMode, StoreError};

/// Threads of the store's runtime: one that writes can run beside one that reads.
const THREADS: usize = 2;
/// The oldest server whose SQL is enough.
const OLDEST: i32 = 150_000;

pub(super) fn open(
    url: &str,
    mode: OpenMode,
    fresh: &Fresh,
    clock: NodeClock,
) -> Result<Postgres, StoreError> {
    let address = Arc::new(Address::parse(url)?);
    let doing = format!("open {}", address.shown);
    let io = |e: std::io::Error| StoreError::Io { doing: doing.clone(), cause: e.to_string() };
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("store-postgres")
        .enable_all()
        .build()
        .map_err(io)?;
    let standing = Arc::new(Standing::default());
    let made = runtime.block_on(async {
        let key = prepare(&address, mode, fresh).await?;
        // Known before anybody decides anything.
        let watch = Watch::start(address.clone(), standing.clone(), clock).await?;
        if mode.read_only {
            return Ok(None);
        }
        let (desk, leases) = Desk::start(address.clone());
        Ok(Some(Tasks { queue: Writer::start(address.clone(), key), desk, leases, watch }))
    });
    let made: Result<_, StoreError> = made.map_err(|e: Fail| e.told(&doing));
    match made {
        Ok(tasks) => Ok(Postgres {
            pool: address.pool()?,
            address,
            runtime: Mutex::new(Some(Arc::new(runtime))),
            tasks: Mutex::new(tasks),
            read_only: mode.read_only,
            standing,
        }),
        Err(e) => {
            Runtime::shutdown_background(runtime);
            Err(e)
        }
    }
}

/// Make or migrate what has to be; refuse what cannot be used. The store's key.
async fn prepare(address: &Address, mode: OpenMode, fresh: &Fresh) -> Done<[u8; 32]> {
    let missing = || StoreError::Missing(format!("store at {}", address.shown));
    patiently(async || {
        let client = address.connect().await?;
        let version: i32 = client
            .query_one("SELECT current_setting('server_version_num')::int", &[])
            .await?
            .get(0);
        if version < OLDEST {
            return Err(StoreError::Io {
                doing: format!("use {}", address.shown),
                cause: format!("the server has version {version}; PostgreSQL 15 is the oldest"),
            }
            .into());
        }
        let (found, known) = (schema::found(&client).await?, schema::version());
        match found {
            newer if newer > known => Err(StoreError::Newer { found, known }.into()),
            0 if !mode.create || mode.read_only => Err(missing().into()),
            older if older < known && mode.read_only => Err(StoreError::Io {
                doing: format!("read {}", address.shown),
                cause: format!("it has schema {older}, older than {known}: open it for writing"),
            }
            .into()),
            same if same == known => Ok(()),
            _ => schema::migrate(&client, fresh, mode.record_clock).await,
        }?;
        let key = client.query_one("SELECT key FROM meta", &[]).await?;
        let key: &[u8] = key.try_get(0)?;
        key.try_into().map_err(|_| damaged("the key of the store").into())
    })
    .await
}
