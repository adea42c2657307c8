//! What goes into a store and what comes out of it.

mod admit;
mod effects;
mod error;
mod kept;
mod lease;
mod measured;
mod page;
mod write;

pub use admit::*;
pub use effects::*;
pub use error::*;
pub use kept::*;
pub use lease::*;
pub use measured::*;
pub use page::*;
pub use write::*;
