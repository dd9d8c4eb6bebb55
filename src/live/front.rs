//! The machines that serve mailboxes: sessions ended, caches emptied, deliveries waited for.
