//! `trait Store`: whole business operations, each one transaction.
