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

crate::store::conformance::suite!(|folder: &Path| -> Box<dyn Store> {
    Box::new(Sqlite::open(&folder.join("desk.db"), mode(), &fresh()).unwrap())
});
