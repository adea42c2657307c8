//! Entries, Merkle tiles, checkpoints, commitments, signatures, verification. Pure.
//!
//! One write to the log, as the store does it:
//!
//! ```
//! use overrule::audit::{Entry, EntryKind, Frontier, Salt, commit, leaf_hash};
//!
//! let now = jiff::Timestamp::UNIX_EPOCH;
//! let record = br#"{"id":"lap-1","confidence":0.9}"#;
//! let salt = Salt::from_bytes([7; 32]); // 32 fresh random bytes for every body
//!
//! let mut entry = Entry::new(EntryKind::ADMIT, "system", now, now);
//! entry.id = Some("lap-1".into());
//! entry.commit_to("record", commit(&salt, "record", record));
//! let bytes = entry.bytes(); // stored once, never written anew
//!
//! let mut frontier = Frontier::new();
//! let mut full = Vec::new();
//! frontier.push(leaf_hash(&bytes), &mut full);
//! for tile in &full { /* INSERT tile (level, index, bytes): each is final */ }
//! let row = frontier.to_bytes(); // the frontier row, replaced with every group commit
//! assert_eq!(Frontier::from_bytes(&row).unwrap().root(), frontier.root());
//! ```
//!
//! Content never enters the log: an entry holds salted commitments, and the bodies with their
//! salts sit beside it, so that they can be erased while every proof still holds.

mod checkpoint;
mod commitment;
mod entry;
mod kind;
mod proof;
mod reader;
mod signature;
mod tree;
mod verify;

pub use checkpoint::{Checkpoint, KeyError, LogKey, LogVerifier, NoteError};
pub use commitment::{CONTROL_MARK, Salt, commit, state_mark};
pub use entry::{Commitment, Entry, EntryError, RowMark};
pub use kind::EntryKind;
pub use proof::{
    ProofError, consistency_proof, inclusion_proof, tlog_proof, verify_consistency,
    verify_inclusion,
};
pub use signature::{
    NAMESPACE, Said, SignatureError, Statement, armor, sign_with_key, to_be_signed,
    verify_signature, view_hash,
};
pub use tree::{
    Frontier, FrontierError, Hash, TILE_WIDTH, Tile, TileSource, empty_root, leaf_hash, node_hash,
    tile_path, tile_width,
};
pub use verify::{
    AnswerRow, CorrectionRow, DecisionRow, Fault as LogFault, ItemRow, PolicyRow, Report, StateRow,
    TokenRow, Verifier,
};
