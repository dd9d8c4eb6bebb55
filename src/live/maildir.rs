//! One mailbox's files: copied, compared, fenced, removed. Never outside its roots.
//!
//! | room | holds |
//! |---|---|
//! | `root` | a store's root, and the only way to what lies below it |
//! | `error` | what goes wrong, and the gate that each piece of work passes |
//! | `name` | a message's identity, and the names that stay behind |
//! | `dir` | directories by handle: opened, listed, made durable, removed |
//! | `walk` | the folders and messages of a mailbox |
//! | `copy` | a mailbox on its way: passes, comparison |
//! | `fence` | the source's place taken and given back, and its end |
//! | `place` | the copy's way into its place and back |
//! | `audit` | what is there, and what has been left behind |
//!
//! It knows nothing of who is served from where, of holds and of the order of a switch: the mover asks for one step after
//! the other. Neither extended attributes nor ACLs are kept, nor the times of directories.

mod audit;
mod copy;
mod dir;
mod error;
mod fence;
mod name;
mod place;
mod root;
mod walk;

#[cfg(test)]
mod tests;

pub use audit::{Left, Totals, folders_left, is_there, measure, stray};
pub use copy::{Copy, Pass};
pub use error::{Gate, MailError, Open, Stopped};
#[cfg(test)]
use fence::is_fenced;
pub use fence::{Fence, can_be_fenced, fence, has_old_copy, is_behind_fence, keep_spare, purge, unfence};
pub use name::{ARRIVING, ENDINGS, MOVING, PURGING};
pub use place::{discard, has_arrived, is_free, mark_placed, place, take_back, unmark_placed, unplace};
pub use root::Root;
