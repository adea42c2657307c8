//! Entries, Merkle tiles, checkpoints, commitments, signatures, verification. Pure.
