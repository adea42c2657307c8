//! A look at the server for those who have to set it up: version, settings, rights, migrations.

use tokio::runtime::Builder;

use super::conn::Address;
use super::fault::Done;
use super::schema;
use crate::store::StoreError;

/// What a server and its database say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The address without name and password.
    pub address: String,
    /// As the server writes it, such as `15.8`.
    pub server: String,
    /// Who we are there.
    pub role: String,
    /// Is the connection encrypted?
    pub encrypted: bool,
    /// It follows another server and cannot be written.
    pub replica: bool,
    /// Acknowledged commits survive a crash of the machine only if both hold.
    pub fsync: bool,
    pub full_page_writes: bool,
    /// What the server does unless told otherwise; the store's own sessions say `on`.
    pub synchronous_commit: String,
    pub encoding: String,
    pub max_connections: i64,
    /// May this role make tables where ours are looked for?
    pub may_create: bool,
    /// Version of the schema that is there (0: none), and the one this program knows.
    pub found: u32,
    pub known: u32,
}

impl super::Postgres {
    /// Look at a server without changing anything. Errors: [`StoreError::Io`] where it cannot be
    /// reached or does not let us in.
    pub fn inspect(url: &str) -> Result<Inspection, StoreError> {
        let address = Address::parse(url)?;
        let doing = format!("look at {}", address.shown);
        let io = |e: std::io::Error| StoreError::Io { doing: doing.clone(), cause: e.to_string() };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(io)?;
        runtime.block_on(look(&address)).map_err(|e| e.told(&doing))
    }
}

async fn look(address: &Address) -> Done<Inspection> {
    let client = address.connect().await?;
    let row = client
        .query_one(
            "SELECT current_setting('server_version'), current_user::text,
                 coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
                 pg_is_in_recovery(), current_setting('fsync')::bool,
                 current_setting('full_page_writes')::bool,
                 coalesce((SELECT reset_val FROM pg_settings
                     WHERE name = 'synchronous_commit'), 'on'),
                 current_setting('server_encoding'), current_setting('max_connections')::bigint,
                 coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)",
            &[],
        )
        .await?;
    Ok(Inspection {
        address: address.shown.clone(),
        server: row.try_get(0)?,
        role: row.try_get(1)?,
        encrypted: row.try_get(2)?,
        replica: row.try_get(3)?,
        fsync: row.try_get(4)?,
        full_page_writes: row.try_get(5)?,
        synchronous_commit: row.try_get(6)?,
        encoding: row.try_get(7)?,
        max_connections: row.try_get(8)?,
        may_create: row.try_get(9)?,
        found: schema::found(&client).await?,
        known: schema::version(),
    })
}
