//! One mailbox's files: copied, compared, fenced, removed. Never outside its roots.
