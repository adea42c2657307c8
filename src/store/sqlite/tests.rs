//! What only this store promises: files, other processes, erased bytes.

use super::*;

fn fresh() -> Fresh {
    Fresh { key: [7; 32], origin: "test.example/log".to_owned() }
}

fn mode() -> OpenMode {
    OpenMode { create: true, ..OpenMode::default() }
}

#[test]
fn a_fresh_store_is_empty_and_only_its_owner_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/desk.db");
    let store = Sqlite::open(&path, mode(), &fresh()).unwrap();
    let s = store.snapshot().unwrap();
    assert_eq!((s.head, s.generation, s.policy, s.decisions), (0, 0, None, 0));
    assert_eq!((s.key, s.origin.as_str(), s.record_clock), ([7; 32], "test.example/log", false));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |p: &Path| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    store.close().unwrap();
    assert_eq!(store.head(), Err(StoreError::Closed));
    assert_eq!(store.put_draft("x", "ann", None).wait(), Err(StoreError::Closed));
}

fn open(folder: &Path) -> Sqlite {
    Sqlite::open(&folder.join("desk.db"), mode(), &fresh()).unwrap()
}

crate::store::conformance::suite!(|_| {
    let folder = tempfile::tempdir().unwrap();
    Some(crate::store::conformance::place(move || open(folder.path())))
});

fn admission(id: &str, raw: &[u8]) -> crate::store::Admission {
    let mut row = crate::store::conformance::auto(id);
    row.entry.bodies[0].value = raw.to_vec();
    row
}

fn batch(rows: Vec<crate::store::Admission>, bulk: bool) -> AdmitBatch {
    let now = Timestamp::UNIX_EPOCH;
    AdmitBatch {
        premises: crate::store::Premises::default(),
        now,
        rows: rows.into(),
        dead: Vec::new(),
        bulk,
    }
}

fn log(n: u64) -> Write {
    let entry = crate::store::EntryDraft {
        item: None,
        bytes: n.to_be_bytes().to_vec(),
        bodies: Vec::new(),
    };
    Write {
        premises: crate::store::Premises::default(),
        now: Timestamp::UNIX_EPOCH,
        ops: vec![crate::store::Op::Entry(entry)],
    }
}

#[test]
fn a_missing_store_is_not_made_unasked_and_a_newer_one_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("desk.db");
    let missing = Sqlite::open(&path, OpenMode::default(), &fresh()).unwrap_err();
    assert!(matches!(missing, StoreError::Missing(_)), "{missing}");
    assert!(!path.exists());

    open(folder.path()).close().unwrap();
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let newer = StoreError::Newer { found: 99, known: schema::version() };
    for read_only in [false, true] {
        let opened = Sqlite::open(&path, OpenMode { read_only, ..mode() }, &fresh());
        assert_eq!(opened.unwrap_err(), newer);
    }

    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "not a database, and longer than a page header would be".repeat(9))
        .unwrap();
    let refused = Sqlite::open(&other, mode(), &fresh()).unwrap_err().to_string();
    assert!(refused.contains("not an overrule store"), "{refused}");
}

#[test]
fn a_store_keeps_the_key_and_clock_it_was_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("desk.db");
    let made = OpenMode { record_clock: true, ..mode() };
    Sqlite::open(&path, made, &fresh()).unwrap().close().unwrap();
    let other = Fresh { key: [9; 32], origin: "other".to_owned() };
    let s = Sqlite::open(&path, mode(), &other).unwrap().snapshot().unwrap();
    assert_eq!((s.key, s.origin.as_str(), s.record_clock), ([7; 32], "test.example/log", true));
}

#[test]
fn a_store_opened_for_reading_reads_and_refuses_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.admit(batch(vec![admission("a", b"{}")], false)).wait().unwrap();
    let only = OpenMode { read_only: true, ..OpenMode::default() };
    let reading = Sqlite::open(&folder.path().join("desk.db"), only, &fresh()).unwrap();
    assert_eq!(reading.head().unwrap(), 1);
    let refused = reading.commit(log(0)).wait().unwrap_err().to_string();
    assert_eq!(refused, "the store cannot store this: it was opened only for reading");
    store.close().unwrap();
    assert_eq!(reading.head().unwrap(), 1);
}

#[test]
fn what_was_erased_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let secret = |n: usize| {
        format!(
            "{{\"id\":\"i{n}\",\"output\":\"Winterbottom-{n:04}-{}\"}}",
            "x".repeat(n * 7 % 9000)
        )
    };
    let rows = (0..300).map(|n| admission(&format!("i{n}"), secret(n).as_bytes()));
    store.admit(batch(rows.collect(), false)).wait().unwrap();
    let in_files = |text: &str| {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path());
        files
            .filter(|p| {
                let bytes = std::fs::read(p).unwrap();
                bytes.windows(text.len()).any(|w| w == text.as_bytes())
            })
            .count()
    };
    assert!(in_files("Winterbottom-0123") > 0);
    let salt = store.pool.read("", |conn| {
        Ok(conn.query_row("SELECT salt FROM bodies WHERE id = 123 * 64", (), |r| {
            r.get::<_, Vec<u8>>(0)
        })?)
    });
    let salt = salt.unwrap();
    let erase = |id: &str| {
        let ops = vec![crate::store::Op::Erase { item: id.to_owned(), below: u64::MAX }];
        store.commit(Write { ops, ..log(0) }).wait().unwrap()
    };
    for n in [0, 123, 299] {
        erase(&format!("i{n}"));
    }
    for n in [0, 123, 299] {
        assert_eq!(in_files(&format!("Winterbottom-{n:04}")), 0, "i{n}");
    }
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(32).any(|w| w == salt), "the salt is still there");
    }
    assert!(in_files("Winterbottom-0122") > 0);
    assert_eq!(store.decision("i122").unwrap().unwrap().raw, Some(secret(122).into_bytes()));
}

#[test]
fn people_write_beside_a_bulk_writer_and_nobody_sees_a_locked_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("desk.db");
    let bulk = open(folder.path());
    let people = OpenMode { interactive: true, ..mode() };
    let people: Vec<_> = (0..3).map(|_| Sqlite::open(&path, people, &fresh()).unwrap()).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (k, store) in (0u64..).zip(&people) {
            let done = &done;
            scope.spawn(move || {
                let mut n = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) || n < 20 {
                    store.commit(log(k * 1_000_000 + n)).wait().unwrap();
                    store.snapshot().unwrap();
                    n += 1;
                }
            });
        }
        let bulk = &bulk;
        scope
            .spawn(move || {
                for n in 0..20 {
                    let rows = (0..500).map(|i| admission(&format!("b{n}-{i}"), b"{}"));
                    let answers = bulk.admit(batch(rows.collect(), true)).wait().unwrap();
                    assert!(answers.iter().all(|a| matches!(a, AdmitResult::New(_))));
                }
            })
            .join()
            .unwrap();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let s = bulk.snapshot().unwrap();
    assert_eq!(s.decisions, 10_000);
    assert!(s.head >= 10_060);
    let conn = Connection::open(&path).unwrap();
    let entries: i64 = conn.query_row("SELECT count(*) FROM log", (), |r| r.get(0)).unwrap();
    assert_eq!(count(entries), s.head);
    for store in &people {
        assert_eq!(store.head().unwrap(), s.head);
    }
}

#[test]
fn the_data_version_changes_with_every_commit_of_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (open(folder.path()), open(folder.path()));
    let mut last = one.data_version().unwrap();
    assert_eq!(one.data_version().unwrap(), last);
    for store in [&one, &two, &one] {
        store.commit(log(1)).wait().unwrap();
        let now = one.data_version().unwrap();
        assert_ne!(now, last);
        last = now;
    }
}

#[test]
fn a_full_disk_refuses_what_is_queued_and_work_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.admit(batch(vec![admission("a", b"{}")], false)).wait().unwrap();
    // SQLite's own limit on the size of the file stands in for the disk's.
    let pages = |n: i64| {
        let run = Call::boxed("limit pages", Ticket::new().0, move |tx| {
            tx.conn.pragma_update(None, "max_page_count", n)?;
            Ok(())
        });
        store.push(run, false);
    };
    pages(1);
    let big = vec![b'x'; 3_000_000];
    let refused = store.admit(batch(vec![admission("b", &big)], false)).wait().unwrap_err();
    let StoreError::Io { cause, .. } = &refused else { panic!("{refused:?}") };
    assert!(cause.contains("full"), "{cause}");
    // The limit was the connection's: it is opened anew, checked, and goes on.
    assert_eq!(store.head().unwrap(), 1);
    store.admit(batch(vec![admission("b", &big)], false)).wait().unwrap();
    assert_eq!(store.known(&["a", "b"]).unwrap(), [true, true]);
}

#[test]
fn a_damaged_file_is_named_as_such_and_nothing_more_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("desk.db");
    let store = open(folder.path());
    let rows = (0..2_000).map(|n| admission(&format!("i{n}"), &[b'x'; 700]));
    store.admit(batch(rows.collect(), false)).wait().unwrap();
    store.close().unwrap();
    // Overwrite the middle of the file; the tables' names, with which it opens, are in front.
    let mut bytes = std::fs::read(&path).unwrap();
    let (from, to) = (bytes.len() / 4, bytes.len() * 19 / 20);
    bytes[from..to].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let store = open(folder.path());
    let row = || batch(vec![admission("i5", b"{}"), admission("new", b"{}")], false);
    for _ in 0..2 {
        let refused = store.admit(row()).wait().unwrap_err().to_string();
        assert!(refused.contains("damaged"), "{refused}");
    }
}

/// Every statement of this room was prepared by some test; the planner must also find the indexes
/// that make the queue cheap.
#[test]
fn the_queue_is_read_by_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let plan = |sql: &str| {
        let plan = store.pool.read("", |conn| {
            let mut s = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let n = s.parameter_count();
            let rows = s.query_map(rusqlite::params_from_iter(vec![1; n]), |r| r.get(3))?;
            Ok(rows.collect::<Result<Vec<String>, _>>()?.join("; "))
        });
        plan.unwrap()
    };
    let page = plan(
        "SELECT i.place, i.n FROM items i CROSS JOIN decisions d ON d.n = i.n CROSS JOIN shapes s
         ON s.k = d.shape WHERE i.open = 1 AND i.queue = ? AND s.domain = ? AND i.place > ?
         ORDER BY i.place ASC",
    );
    assert!(
        page.contains("USING COVERING INDEX items_order") && !page.contains("TEMP B-TREE"),
        "{page}"
    );
    let follow = plan(
        "SELECT d.n FROM log l LEFT JOIN decisions d ON d.n = coalesce(l.item, l.idx)
         LEFT JOIN shapes s ON s.k = d.shape WHERE l.idx >= ? ORDER BY l.idx LIMIT ?",
    );
    assert!(!follow.contains("SCAN") && !follow.contains("TEMP B-TREE"), "{follow}");
    let counts = plan(
        "SELECT w.start, w.slice, w.part, w.value FROM windows w
         WHERE w.tier = ? AND w.start >= ? AND w.start < ? AND w.part = ''
         ORDER BY w.start, w.slice, w.part",
    );
    assert!(counts.contains("windows_counts") && !counts.contains("TEMP B-TREE"), "{counts}");
    let slice = plan(
        "WITH RECURSIVE starts(s) AS (
             SELECT (SELECT min(start) FROM windows WHERE tier = ?1 AND start >= ?2)
             UNION ALL SELECT (SELECT min(start) FROM windows WHERE tier = ?1 AND start > s)
             FROM starts WHERE s < ?3)
         SELECT w.value FROM starts CROSS JOIN windows w ON w.tier = ?1 AND w.start = s
         WHERE s < ?3 AND w.slice = ?4 AND w.part = ?5",
    );
    assert!(
        slice.contains("SEARCH w USING PRIMARY KEY (tier=? AND start=? AND slice=? AND part=?)"),
        "{slice}"
    );
    let grace = plan("SELECT n FROM items i WHERE i.grace <= ? ORDER BY i.grace, i.n LIMIT 1");
    assert!(grace.contains("items_grace") && !grace.contains("TEMP B-TREE"), "{grace}");
}
