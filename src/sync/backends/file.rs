//! A folder of JSON Lines with a manifest of hashes: each correction is in it once, whatever
//! crashes.
//!
//! A batch is appended and flushed to the disk, then the manifest takes its place in one rename.
//! The manifest says where the last batch began, so lines that were written but not marked as sent
//! are found again and not written twice; half a line at the end is cut off. A file is closed when
//! the day is over or it is full; what is closed never changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::{Delivered, Leaving, Load, Sender};
use crate::desk::backends::Cargo;
use crate::domain::Timestamp;

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";
/// What the manifest says it is.
const FORMAT: &str = "overrule-corrections/1";
/// Who writes holds a lock on this file.
const LOCK: &str = ".lock";

/// What is in the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: String,
    /// Name of the log whose corrections they are.
    pub origin: String,
    /// Oldest first; only the last one may still grow.
    pub files: Vec<Listed>,
    /// Where the last batch began: a file, and bytes into it.
    pub last_batch: Option<(String, u64)>,
    pub updated_at: Timestamp,
}

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    /// UTC day on which it was begun.
    pub day: String,
    pub lines: u64,
    pub bytes: u64,
    /// Hex, over exactly these bytes.
    pub sha256: String,
    /// Lowest and highest number of a correction in it; 0 while it is empty.
    pub first_seq: u64,
    pub last_seq: u64,
    /// It will not grow any more.
    pub closed: bool,
}

/// Why nothing can be written now.
#[derive(Debug, Error)]
enum Fault {
    #[error("{} cannot be {doing}: {cause}", path.display())]
    Io { path: PathBuf, doing: &'static str, cause: io::Error },
    #[error("another process writes to {}", .0.display())]
    Busy(PathBuf),
    #[error("{} holds the corrections of {origin}, another desk: choose another folder", path.display())]
    Foreign { path: PathBuf, origin: String },
    #[error("{} is no manifest of overrule ({cause}): restore it, or choose another folder", path.display())]
    Unreadable { path: PathBuf, cause: String },
    #[error("{} was changed by other means since it was written: restore it, or choose another folder", .0.display())]
    Changed(PathBuf),
}

/// One line to write.
struct Line {
    key: String,
    seq: u64,
    text: Vec<u8>,
}

pub(super) async fn deliver(sender: &Sender<'_>, loads: &[Load]) -> Delivered {
    let mut done = Delivered::default();
    let mut lines = Vec::new();
    for load in loads {
        let key = load.parcel.key.clone();
        let Cargo::Correction { seq, correction, .. } = &load.cargo else {
            done.gone.push(key);
            continue;
        };
        let leaving = Leaving { correction, origin: sender.origin, seq: *seq };
        match serde_json::to_vec(&leaving) {
            Ok(mut text) => {
                text.push(b'\n');
                lines.push(Line { key, seq: *seq, text });
            }
            Err(e) => done.refused.push((key, format!("it cannot be written as JSON: {e}"))),
        }
    }
    let Some(folder) = sender.place.folder.clone().filter(|_| !lines.is_empty()) else {
        return done;
    };
    let keys: Vec<String> = lines.iter().map(|l| l.key.clone()).collect();
    let (origin, now) = (sender.origin.to_owned(), sender.now);
    let rotate = sender.place.backend.rotate_bytes;
    let work = move || append(&folder, &origin, &lines, rotate, now).map_err(|e| e.to_string());
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => done.sent = keys,
        Ok(Err(why)) => done.later = Some((why, None)),
        Err(e) => done.later = Some((format!("the task that writes failed: {e}"), None)),
    }
    done
}

/// Write what is not in the folder yet. `Ok`: every line is on the disk, once.
fn append(
    folder: &Path,
    origin: &str,
    lines: &[Line],
    rotate: u64,
    now: Timestamp,
) -> Result<(), Fault> {
    if !folder.is_dir() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(io_fault(folder, "made"))?;
    }
    let _held = lock(folder)?;
    let mut manifest = read(folder, origin, now)?;
    let known = recover(folder, &mut manifest)?;
    let fresh: Vec<&Line> = lines.iter().filter(|l| !known.contains(&l.seq)).collect();
    let size: u64 = fresh.iter().map(|l| l.text.len() as u64).sum();
    if !fresh.is_empty() {
        begin(folder, &mut manifest, size, rotate, now)?;
    }
    let Some(active) = manifest.files.last_mut() else { return Ok(()) };
    let began = (active.name.clone(), active.bytes);
    if !fresh.is_empty() {
        let path = folder.join(&active.name);
        let mut file = open(&path)?;
        let text: Vec<u8> = fresh.iter().flat_map(|l| l.text.iter().copied()).collect();
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(io_fault(&path, "written"))?;
        sync(folder)?;
        let (sha256, bytes) = hash(&path, None)?;
        active.sha256 = sha256;
        active.bytes = bytes;
        active.lines += fresh.len() as u64;
        for line in &fresh {
            count(active, line.seq);
        }
    }
    // While rows come again that were written before, the place where those began stays known.
    if fresh.len() == lines.len() {
        manifest.last_batch = Some(began);
    }
    manifest.updated_at = now;
    write(folder, &manifest)
}

/// Take in lines that are in the files but not in the manifest, cut off half a line, and say which
/// corrections the last batch, and what came after it, wrote.
fn recover(folder: &Path, manifest: &mut Manifest) -> Result<BTreeSet<u64>, Fault> {
    if let Some(active) = manifest.files.last_mut().filter(|f| !f.closed) {
        let path = folder.join(&active.name);
        let size = match fs::metadata(&path) {
            Ok(meta) => meta.len(),
            // It was listed before it was made.
            Err(e) if e.kind() == io::ErrorKind::NotFound && active.bytes == 0 => 0,
            Err(e) => return Err(io_fault(&path, "read")(e)),
        };
        if size < active.bytes
            || (active.bytes > 0 && hash(&path, Some(active.bytes))?.0 != active.sha256)
        {
            return Err(Fault::Changed(path));
        }
        if size > active.bytes {
            let tail = tail(&path, active.bytes)?;
            let whole = tail.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            let keep = active.bytes + whole as u64;
            if keep < size {
                let file = OpenOptions::new().write(true).open(&path);
                file.and_then(|f| f.set_len(keep).and_then(|()| f.sync_all()))
                    .map_err(io_fault(&path, "mended"))?;
            }
            for seq in seqs(tail.get(..whole).unwrap_or_default()) {
                active.lines += 1;
                count(active, seq);
            }
            let (sha256, bytes) = hash(&path, None)?;
            (active.sha256, active.bytes) = (sha256, bytes);
        }
    }
    let Some((name, from)) = &manifest.last_batch else {
        // Nothing was ever finished: whatever is there is the first batch.
        return first(folder, manifest);
    };
    let mut known = BTreeSet::new();
    let mut from = *from;
    for file in manifest.files.iter().skip_while(|f| f.name != *name).filter(|f| f.bytes > 0) {
        known.extend(seqs(&tail(&folder.join(&file.name), from)?));
        from = 0;
    }
    Ok(known)
}

fn first(folder: &Path, manifest: &Manifest) -> Result<BTreeSet<u64>, Fault> {
    let mut known = BTreeSet::new();
    for file in manifest.files.iter().filter(|f| f.bytes > 0) {
        known.extend(seqs(&tail(&folder.join(&file.name), 0)?));
    }
    Ok(known)
}

/// See to it that the last file takes `size` more bytes today; a new one is listed before it is
/// made.
fn begin(
    folder: &Path,
    manifest: &mut Manifest,
    size: u64,
    rotate: u64,
    now: Timestamp,
) -> Result<(), Fault> {
    let day = now.strftime("%Y-%m-%d").to_string();
    if let Some(active) = manifest.files.last_mut() {
        let full = active.bytes > 0 && active.bytes + size > rotate;
        if !active.closed && !full && active.day == day {
            return Ok(());
        }
        active.closed = true;
    }
    let nth = 1 + manifest.files.iter().filter(|f| f.day == day).count();
    manifest.files.push(Listed {
        name: format!("corrections-{day}-{nth:03}.jsonl"),
        day,
        lines: 0,
        bytes: 0,
        sha256: hex::encode(Sha256::digest(b"")),
        first_seq: 0,
        last_seq: 0,
        closed: false,
    });
    manifest.updated_at = now;
    write(folder, manifest)
}

fn count(file: &mut Listed, seq: u64) {
    let lowest = if file.first_seq == 0 { seq } else { file.first_seq.min(seq) };
    (file.first_seq, file.last_seq) = (lowest, file.last_seq.max(seq));
}

fn lock(folder: &Path) -> Result<File, Fault> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(io_fault(&path, "made"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Fault::Busy(folder.to_owned())),
        Err(fs::TryLockError::Error(e)) => Err(io_fault(&path, "locked")(e)),
    }
}

fn read(folder: &Path, origin: &str, now: Timestamp) -> Result<Manifest, Fault> {
    let path = folder.join(MANIFEST);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(Manifest {
                format: FORMAT.to_owned(),
                origin: origin.to_owned(),
                files: Vec::new(),
                last_batch: None,
                updated_at: now,
            });
        }
        Err(e) => return Err(io_fault(&path, "read")(e)),
    };
    let unreadable = |cause: String| Fault::Unreadable { path: path.clone(), cause };
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
    if manifest.format != FORMAT {
        return Err(unreadable(format!("its format is {:?}", manifest.format)));
    }
    if manifest.files.iter().any(|f| Path::new(&f.name).file_name() != Some(f.name.as_ref())) {
        return Err(unreadable("it lists a file outside the folder".to_owned()));
    }
    if manifest.origin != origin {
        return Err(Fault::Foreign { path: folder.to_owned(), origin: manifest.origin });
    }
    Ok(manifest)
}

/// Put the manifest in place: all of it, or the one before.
fn write(folder: &Path, manifest: &Manifest) -> Result<(), Fault> {
    let (path, new) = (folder.join(MANIFEST), folder.join("manifest.json.new"));
    let mut text = serde_json::to_vec_pretty(manifest)
        .map_err(|e| Fault::Unreadable { path: path.clone(), cause: e.to_string() })?;
    text.push(b'\n');
    let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new);
    file.and_then(|mut f| f.write_all(&text).and_then(|()| f.sync_all()))
        .map_err(io_fault(&new, "written"))?;
    fs::rename(&new, &path).map_err(io_fault(&path, "written"))?;
    sync(folder)
}

fn open(path: &Path) -> Result<File, Fault> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    file.map_err(io_fault(path, "opened"))
}

/// Names in the folder are on the disk.
fn sync(folder: &Path) -> Result<(), Fault> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(io_fault(folder, "flushed"))
}

/// The bytes from there to the end.
fn tail(path: &Path, from: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut read = || -> io::Result<()> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut bytes).map(|_| ())
    };
    read().map_err(io_fault(path, "read"))?;
    Ok(bytes)
}

/// SHA-256 of the first `most` bytes (all where there is no such number), and how many they were.
fn hash(path: &Path, most: Option<u64>) -> Result<(String, u64), Fault> {
    let mut digest = Sha256::new();
    let file = File::open(path).map_err(io_fault(path, "read"))?;
    let mut part = file.take(most.unwrap_or(u64::MAX));
    let bytes = io::copy(&mut part, &mut digest).map_err(io_fault(path, "read"))?;
    Ok((hex::encode(digest.finalize()), bytes))
}

/// The numbers in whole lines.
fn seqs(bytes: &[u8]) -> Vec<u64> {
    let lines = bytes.split(|b| *b == b'\n');
    lines
        .filter_map(|line| {
            let line: BTreeMap<String, serde_json::Value> = serde_json::from_slice(line).ok()?;
            line.get("seq")?.as_u64()
        })
        .collect()
}

fn io_fault(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Fault {
    let path = path.to_owned();
    move |cause| Fault::Io { path, doing, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn lines(seqs: impl IntoIterator<Item = u64>) -> Vec<Line> {
        let line = |seq| Line {
            key: format!("k{seq}"),
            seq,
            text: format!("{{\"id\":\"a{seq}\",\"seq\":{seq}}}\n").into_bytes(),
        };
        seqs.into_iter().map(line).collect()
    }

    fn put(folder: &Path, seqs: impl IntoIterator<Item = u64>) -> Result<(), String> {
        let now = at("2026-11-22T12:00:00Z");
        append(folder, "o", &lines(seqs), 1 << 20, now).map_err(|e| e.to_string())
    }

    fn manifest(folder: &Path) -> Manifest {
        serde_json::from_slice(&fs::read(folder.join(MANIFEST)).unwrap()).unwrap()
    }

    /// Every number in the files, in their order; every hash and count of the manifest holds.
    fn written(folder: &Path) -> Vec<u64> {
        let mut all = Vec::new();
        for file in manifest(folder).files {
            let bytes = fs::read(folder.join(&file.name)).unwrap();
            assert_eq!(file.sha256, hex::encode(Sha256::digest(&bytes)), "{}", file.name);
            assert_eq!(file.bytes, bytes.len() as u64);
            let inside = seqs(&bytes);
            assert_eq!(file.lines, inside.len() as u64);
            assert_eq!(file.first_seq, inside.iter().copied().min().unwrap_or(0));
            all.extend(inside);
        }
        all
    }

    #[test]
    fn what_was_written_and_not_marked_is_not_written_again() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("out");
        put(&folder, 1..=3).unwrap();
        // The rows were not marked as sent: they come again, with more.
        put(&folder, 1..=5).unwrap();
        put(&folder, 1..=5).unwrap();
        put(&folder, 4..=7).unwrap();
        assert_eq!(written(&folder), [1, 2, 3, 4, 5, 6, 7]);
        use std::os::unix::fs::PermissionsExt as _;
        for file in fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()) {
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_crash_after_any_byte_loses_nothing_and_repeats_nothing() {
        let home = tempfile::tempdir().unwrap();
        let whole: Vec<u8> = lines(4..=6).into_iter().flat_map(|l| l.text).collect();
        for cut in 0..=whole.len() {
            let folder = home.path().join(format!("at{cut}"));
            put(&folder, 1..=3).unwrap();
            // The process dies while it appends the next batch.
            let name = manifest(&folder).files[0].name.clone();
            let mut file = open(&folder.join(name)).unwrap();
            file.write_all(&whole[..cut]).unwrap();
            drop(file);
            put(&folder, 4..=6).unwrap();
            assert_eq!(written(&folder), [1, 2, 3, 4, 5, 6], "cut at {cut}");
        }
        // The very first batch, and a file that was listed but never made.
        let folder = home.path().join("first");
        put(&folder, 1..=1).unwrap();
        let mut torn = manifest(&folder);
        torn.last_batch = None;
        torn.files[0] = Listed {
            lines: 0,
            bytes: 0,
            first_seq: 0,
            last_seq: 0,
            sha256: hex::encode(Sha256::digest(b"")),
            ..torn.files[0].clone()
        };
        write(&folder, &torn).unwrap();
        put(&folder, 1..=2).unwrap();
        assert_eq!(written(&folder), [1, 2]);
        write(&folder, &torn).unwrap();
        fs::remove_file(folder.join(&torn.files[0].name)).unwrap();
        put(&folder, 1..=2).unwrap();
        assert_eq!(written(&folder), [1, 2]);
    }

    #[test]
    fn files_are_closed_by_day_and_by_size() {
        let home = tempfile::tempdir().unwrap();
        let put = |seqs: std::ops::RangeInclusive<u64>, now: &str| {
            append(home.path(), "o", &lines(seqs), 60, at(now)).unwrap();
        };
        put(1..=2, "2026-11-22T12:00:00Z");
        put(3..=4, "2026-11-22T12:00:01Z");
        put(5..=5, "2026-11-23T00:00:00Z");
        // Across a change of files, too, nothing comes twice.
        put(5..=6, "2026-11-24T00:00:00Z");
        let files = manifest(home.path()).files;
        let told: Vec<(&str, u64, u64, bool)> =
            files.iter().map(|f| (f.name.as_str(), f.first_seq, f.last_seq, f.closed)).collect();
        assert_eq!(
            told,
            [
                ("corrections-2026-11-22-001.jsonl", 1, 2, true),
                ("corrections-2026-11-22-002.jsonl", 3, 4, true),
                ("corrections-2026-11-23-001.jsonl", 5, 5, true),
                ("corrections-2026-11-24-001.jsonl", 6, 6, false),
            ]
        );
        assert_eq!(written(home.path()), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn what_others_did_to_the_folder_is_told_and_nothing_is_written() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("out");
        put(&folder, 1..=2).unwrap();
        let why = append(&folder, "other", &lines(3..=3), 99, at("2026-11-22T12:00:00Z"));
        assert!(why.unwrap_err().to_string().contains("the corrections of o, another desk"));
        let held = lock(&folder).unwrap();
        assert!(put(&folder, 3..=3).unwrap_err().starts_with("another process writes to "));
        drop(held);
        let path = folder.join(&manifest(&folder).files[0].name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("a1", "b1")).unwrap();
        let why = put(&folder, 3..=3).unwrap_err();
        assert!(why.contains("was changed by other means"), "{why}");
        fs::write(&path, text).unwrap();
        put(&folder, 3..=3).unwrap();
        assert_eq!(written(&folder), [1, 2, 3]);
    }
}
