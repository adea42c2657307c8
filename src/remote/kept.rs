//! What a reviewer's machine keeps of a desk that is elsewhere: one small SQLite file a server,
//! for its owner alone.
//!
//! Verdicts that wait, what became of those that waited and nobody was told yet, the items in hand
//! with the grants of their leases, drafts, and the last header and policy. Verdicts and fates are
//! on disk before anybody hears of them; the rest may be lost with the power.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};
use rustix::fs::FlockOperation;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::outbox::Job;
use crate::domain::Timestamp;
use crate::protocol::{Arrived, Draft, ItemView, Refused, Why};

/// `ovrm`: tells this file from a store.
const APPLICATION_ID: i32 = 0x6f76_726d;

const TABLES: &str = "
CREATE TABLE verdicts(
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id TEXT NOT NULL UNIQUE,
    who TEXT NOT NULL,
    at INTEGER NOT NULL,
    tried INTEGER NOT NULL,
    request TEXT NOT NULL
) STRICT;
CREATE TABLE fates(n INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT NOT NULL, arrived TEXT NOT NULL) STRICT;
CREATE TABLE items(
    item TEXT NOT NULL, who TEXT NOT NULL, until INTEGER NOT NULL, view TEXT NOT NULL,
    PRIMARY KEY (item, who)
) STRICT;
CREATE TABLE drafts(
    item TEXT NOT NULL, who TEXT NOT NULL, draft TEXT NOT NULL, PRIMARY KEY (item, who)
) STRICT;
CREATE TABLE last(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
";

/// The file.
#[derive(Debug)]
pub struct Kept {
    conn: Connection,
    /// Changes when another process writes.
    seen: i64,
    path: PathBuf,
}

/// Held by the process that delivers for one person; the others leave it to that one.
#[derive(Debug)]
pub struct Turn(#[allow(dead_code, reason = "held, not read")] File);

fn failed(doing: &str, error: impl std::fmt::Display) -> Refused {
    Refused::new(
        Why::Unavailable,
        format!("what is kept on this machine cannot be {doing}: {error}"),
    )
    .hint("is the disk full? nothing was kept that is not said to be")
}

impl Kept {
    /// The file for the server at `address`, below `folder`; made if it is not there.
    pub fn open(folder: &Path, address: &str, host: &str) -> Result<Self, Refused> {
        let bad = |e: &dyn std::fmt::Display| failed("opened", e);
        let folder = folder.join("remote");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|e| bad(&e))?;
        let plain =
            |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
        let host: String = host.chars().map(plain).take(64).collect();
        let digest = Sha256::digest(address.as_bytes());
        let short = hex::encode(digest.get(..4).unwrap_or_default());
        let path = folder.join(format!("{host}-{short}.db"));
        // SQLite would make it as open as the umask lets it; what it adds takes the file's mode.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| bad(&e))?;
        let conn = Connection::open(&path).map_err(|e| bad(&e))?;
        let mut kept = Self { conn, seen: -1, path };
        kept.prepare().map_err(|e| bad(&e))?;
        Ok(kept)
    }

    fn prepare(&mut self) -> rusqlite::Result<()> {
        self.conn.busy_timeout(std::time::Duration::from_secs(5))?;
        self.conn.pragma_update(None, "journal_mode", "WAL")?;
        self.conn.pragma_update(None, "secure_delete", "ON")?;
        self.conn.pragma_update(None, "synchronous", "NORMAL")?;
        let tx = self.conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let version: u32 = tx.query_row("PRAGMA user_version", (), |r| r.get(0))?;
        if version == 0 {
            tx.execute_batch(TABLES)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.pragma_update(None, "user_version", 1)?;
        }
        tx.commit()
    }

    /// Something that must be on disk when this returns.
    fn durably<T>(
        &mut self,
        doing: &str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Refused> {
        let run = |conn: &mut Connection| {
            conn.pragma_update(None, "synchronous", "FULL")?;
            let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit()?;
            Ok::<T, rusqlite::Error>(done)
        };
        let done = run(&mut self.conn);
        // What is only convenient to have again waits for no disk.
        let _ = self.conn.pragma_update(None, "synchronous", "NORMAL");
        done.map_err(|e| failed(doing, e))
    }

    /// Keep a verdict; on disk when this returns. The same request is kept once.
    pub fn put(&mut self, job: &Job) -> Result<(), Refused> {
        let request = text(&job.request)?;
        self.durably("written", |tx| {
            tx.execute(
                "INSERT OR IGNORE INTO verdicts(request_id, who, at, tried, request)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    job.request.request_id,
                    job.by,
                    job.at.as_millisecond(),
                    job.tried,
                    request
                ],
            )?;
            tx.execute(
                "DELETE FROM drafts WHERE item = ?1 AND who = ?2",
                (&job.request.item, &job.by),
            )
        })?;
        Ok(())
    }

    /// A verdict is about to be sent.
    pub fn tried(&mut self, request_id: &str) -> Result<bool, Refused> {
        self.durably("written", |tx| {
            tx.execute("UPDATE verdicts SET tried = 1 WHERE request_id = ?1", [request_id])
        })
        .map(|n| n > 0)
    }

    /// A verdict was taken back before it was sent. `false`: it is not there, or was sent.
    pub fn take_back(&mut self, request_id: &str) -> Result<bool, Refused> {
        self.durably("written", |tx| {
            tx.execute("DELETE FROM verdicts WHERE request_id = ?1 AND tried = 0", [request_id])
        })
        .map(|n| n > 0)
    }

    /// A verdict was answered: it waits no more, and its fate waits to be told. `draft`: what was
    /// said, where the desk did not take it.
    pub fn answered(
        &mut self,
        job: &Job,
        arrived: &Arrived,
        draft: Option<&Draft>,
    ) -> Result<(), Refused> {
        let fate = text(arrived)?;
        let draft = draft.map(text).transpose()?;
        self.durably("written", |tx| {
            let gone = tx
                .execute("DELETE FROM verdicts WHERE request_id = ?1", [&job.request.request_id])?;
            // Another process may have heard the same.
            if gone > 0 {
                tx.execute("INSERT INTO fates(who, arrived) VALUES (?1, ?2)", (&job.by, fate))?;
                tx.execute(
                    "DELETE FROM items WHERE item = ?1 AND who = ?2",
                    (&job.request.item, &job.by),
                )?;
                if let Some(draft) = draft {
                    put_draft(tx, &job.request.item, &job.by, &draft)?;
                }
            }
            Ok(())
        })
    }

    /// What waits of this person's, in the order in which it was given.
    pub fn waiting(&self, who: &str) -> Result<Vec<Job>, Refused> {
        let sql = "SELECT request, at, tried FROM verdicts WHERE who = ?1 ORDER BY n";
        let rows = self.rows(sql, [who], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?, r.get::<_, bool>(2)?))
        })?;
        rows.into_iter()
            .map(|(request, at, tried)| {
                let at = Timestamp::from_millisecond(at).unwrap_or_default();
                Ok(Job { request: value(&request)?, by: who.to_owned(), at, tried })
            })
            .collect()
    }

    /// What became of verdicts that waited and was not shown yet, in order. What this version
    /// cannot read stays for one that can.
    pub fn fates(&self, who: &str) -> Result<Vec<Arrived>, Refused> {
        let sql = "SELECT n, arrived FROM fates WHERE who = ?1 ORDER BY n";
        let found = self.rows(sql, [who], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)))?;
        let read = |(n, text): (i64, String)| match serde_json::from_str::<Arrived>(&text) {
            Ok(arrived) => Some(Arrived { number: n.unsigned_abs(), ..arrived }),
            Err(error) => {
                tracing::warn!(%error, "what became of a verdict cannot be read");
                None
            }
        };
        Ok(found.into_iter().filter_map(read).collect())
    }

    /// These were shown to whom they concern.
    pub fn shown(&mut self, who: &str, numbers: &[u64]) -> Result<(), Refused> {
        numbers.iter().try_for_each(|n| {
            let n = i64::try_from(*n).unwrap_or(i64::MAX);
            self.quick("DELETE FROM fates WHERE who = ?1 AND n = ?2", params![who, n])
        })
    }

    /// An item is in hand.
    pub fn hold(&mut self, who: &str, view: &ItemView) -> Result<(), Refused> {
        let Some(lease) = view.lease.as_ref().filter(|l| l.grant.is_some()) else { return Ok(()) };
        self.quick(
            "INSERT INTO items(item, who, until, view) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET until = ?3, view = ?4",
            params![view.id, who, lease.until.as_millisecond(), text(view)?],
        )
    }

    /// An item is in hand no more.
    pub fn let_go(&mut self, who: &str, item: &str) -> Result<(), Refused> {
        self.quick("DELETE FROM items WHERE item = ?1 AND who = ?2", (item, who))
    }

    /// Items whose leases ran out before then are in hand no more, but where a verdict waits.
    pub fn let_go_before(&mut self, who: &str, then: Timestamp) -> Result<(), Refused> {
        self.quick(
            "DELETE FROM items WHERE who = ?1 AND until < ?2 AND NOT EXISTS (
                 SELECT 1 FROM verdicts v WHERE v.who = ?1
                     AND v.request ->> '$.item' = items.item)",
            params![who, then.as_millisecond()],
        )
    }

    /// An item in hand.
    pub fn item(&self, who: &str, item: &str) -> Result<Option<ItemView>, Refused> {
        let sql = "SELECT view FROM items WHERE item = ?1 AND who = ?2";
        let found = self.rows(sql, (item, who), |r| r.get::<_, String>(0))?;
        found.first().map(|text| value(text)).transpose()
    }

    /// All items in hand.
    pub fn items(&self, who: &str) -> Result<Vec<ItemView>, Refused> {
        let sql = "SELECT view FROM items WHERE who = ?1 ORDER BY item";
        let found = self.rows(sql, [who], |r| r.get::<_, String>(0))?;
        found.iter().map(|text| value(text)).collect()
    }

    /// Keep a draft until the desk can have it.
    pub fn draft(&mut self, who: &str, item: &str, draft: &Draft) -> Result<(), Refused> {
        let draft = text(draft)?;
        self.durably("written", |tx| put_draft(tx, item, who, &draft))
    }

    /// Nobody wants the draft any more.
    pub fn drop_draft(&mut self, who: &str, item: &str) -> Result<(), Refused> {
        self.quick("DELETE FROM drafts WHERE item = ?1 AND who = ?2", (item, who))
    }

    /// The desk has this draft, or will never take it; one that was typed since stays.
    pub fn draft_told(&mut self, who: &str, item: &str, draft: &Draft) -> Result<(), Refused> {
        let draft = text(draft)?;
        let sql = "DELETE FROM drafts WHERE item = ?1 AND who = ?2 AND draft = ?3";
        self.quick(sql, (item, who, draft))
    }

    /// Drafts that the desk has not.
    pub fn drafts(&self, who: &str) -> Result<Vec<(String, Draft)>, Refused> {
        let found =
            self.rows("SELECT item, draft FROM drafts WHERE who = ?1 ORDER BY item", [who], |r| {
                Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?))
            })?;
        found.into_iter().map(|(item, text)| Ok((item, value(&text)?))).collect()
    }

    /// Keep the last of something, by name.
    pub fn keep_last(&mut self, name: &str, what: &impl Serialize) -> Result<(), Refused> {
        self.quick(
            "INSERT INTO last(name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
            (name, text(what)?),
        )
    }

    /// The last of something; none where an earlier version wrote it otherwise.
    pub fn last<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Refused> {
        let found: Option<String> = self
            .conn
            .query_row("SELECT value FROM last WHERE name = ?1", [name], |r| r.get(0))
            .optional()
            .map_err(|e| failed("read", e))?;
        Ok(found.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Has another process written since this was asked last?
    pub fn changed(&mut self) -> bool {
        let now = self.conn.query_row("PRAGMA data_version", (), |r| r.get(0)).unwrap_or(-1);
        std::mem::replace(&mut self.seen, now) != now
    }

    /// The turn to deliver what is this person's, if no other process has it.
    pub fn turn(&self, who: &str) -> Option<Turn> {
        let digest = Sha256::digest(who.as_bytes());
        let whose = hex::encode(digest.get(..8).unwrap_or_default());
        let lock = self.path.with_extension(format!("{whose}.lock"));
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(lock).ok()?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Turn(file))
    }

    fn quick(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<(), Refused> {
        let done = self.conn.prepare_cached(sql).and_then(|mut s| s.execute(params));
        done.map(drop).map_err(|e| failed("written", e))
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Refused> {
        let found = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut s| s.query_map(params, read)?.collect::<rusqlite::Result<Vec<T>>>());
        found.map_err(|e| failed("read", e))
    }
}

fn put_draft(conn: &Connection, item: &str, who: &str, draft: &str) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT INTO drafts(item, who, draft) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET draft = ?3",
        (item, who, draft),
    )
    .map(drop)
}

fn text(value: &impl Serialize) -> Result<String, Refused> {
    serde_json::to_string(value).map_err(|e| failed("written", e))
}

fn value<T: DeserializeOwned>(text: &str) -> Result<T, Refused> {
    serde_json::from_str(text).map_err(|e| failed("read", e))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::domain::{Verdict, VerdictKind};
    use crate::protocol::{Fate, ReviewRequest};

    fn job(id: &str) -> Job {
        Job {
            request: ReviewRequest {
                request_id: id.into(),
                item: format!("item of {id}"),
                verdict: Verdict::plain(VerdictKind::Reject),
                lease: Some(1),
                revision: Some(1),
                seen: None,
                signature: None,
                grace_ms: 0,
                offline: None,
            },
            by: "ann".into(),
            at: Timestamp::from_millisecond(5_000).unwrap(),
            tried: false,
        }
    }

    #[test]
    fn verdicts_survive_in_order_and_leave_with_their_fate() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Kept::open(folder.path(), "https://desk.example", "desk.example").unwrap();
        let mut kept = open();
        for id in ["r-2", "r-1", "r-3"] {
            kept.put(&job(id)).unwrap();
        }
        kept.put(&job("r-1")).unwrap();
        assert!(kept.tried("r-2").unwrap());
        assert!(!kept.take_back("r-2").unwrap(), "it was sent");
        assert!(kept.take_back("r-3").unwrap());
        drop(kept);

        let mut kept = open();
        let waiting = kept.waiting("ann").unwrap();
        assert_eq!(kept.waiting("ben").unwrap(), [], "nobody else's");
        assert_eq!(waiting, [Job { tried: true, ..job("r-2") }, job("r-1")]);
        let arrived = Arrived {
            number: 0,
            item: "item of r-2".into(),
            verdict: VerdictKind::Reject,
            fate: Fate::Refused(Refused::new(Why::Policy, "no")),
        };
        let draft = Draft { note: Some("why".into()), ..Draft::default() };
        kept.answered(&waiting[0], &arrived, Some(&draft)).unwrap();
        kept.answered(&waiting[0], &arrived, None).unwrap();
        assert_eq!(kept.waiting("ann").unwrap(), [job("r-1")]);
        assert_eq!(kept.drafts("ann").unwrap(), [("item of r-2".to_owned(), draft)]);
        assert_eq!(kept.fates("ben").unwrap(), []);
        drop(kept);
        // A newer version has written one, too.
        let mut kept = open();
        let newer = "INSERT INTO fates(who, arrived) VALUES ('ann', '{\"fate\": \"new\"}')";
        kept.conn.execute(newer, ()).unwrap();
        let told = kept.fates("ann").unwrap();
        assert_eq!(told, [Arrived { number: 1, ..arrived }]);
        assert_eq!(kept.fates("ann").unwrap(), told, "until it was shown");
        kept.shown("ben", &[1]).unwrap();
        assert_eq!(kept.fates("ann").unwrap(), told, "to whom it concerns");
        kept.shown("ann", &[1]).unwrap();
        assert_eq!(kept.fates("ann").unwrap(), []);
        let left: u32 =
            kept.conn.query_row("SELECT count(*) FROM fates", (), |r| r.get(0)).unwrap();
        assert_eq!(left, 1, "what cannot be read here stays");
    }

    #[test]
    fn a_draft_that_was_typed_since_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = Kept::open(folder.path(), "https://d.example", "d.example").unwrap();
        let note = |text: &str| Draft { note: Some(text.into()), ..Draft::default() };
        kept.draft("ann", "i-1", &note("first")).unwrap();
        kept.draft("ann", "i-1", &note("second")).unwrap();
        kept.draft_told("ann", "i-1", &note("first")).unwrap();
        assert_eq!(kept.drafts("ann").unwrap(), [("i-1".to_owned(), note("second"))]);
        kept.draft_told("ann", "i-1", &note("second")).unwrap();
        assert_eq!(kept.drafts("ann").unwrap(), []);
    }

    #[test]
    fn the_file_is_its_owners_and_one_process_at_a_time_delivers() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Kept::open(folder.path(), "https://desk.example", "desk.example").unwrap();
        let (mut one, mut two) = (open(), open());
        let path = folder.path().join("remote");
        for entry in std::fs::read_dir(path).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        let turn = one.turn("ann").unwrap();
        assert!(two.turn("ann").is_none());
        assert!(two.turn("ben").is_some(), "one person holds up no other");
        drop(turn);
        assert!(two.turn("ann").is_some());
        one.changed();
        assert!(!one.changed());
        two.put(&job("r-1")).unwrap();
        assert!(one.changed());
        let other = Kept::open(folder.path(), "https://other.example", "desk.example").unwrap();
        assert_eq!(other.waiting("ann").unwrap(), [], "another server, another file");
    }
}
