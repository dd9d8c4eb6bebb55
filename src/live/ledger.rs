//! What has happened, written before anything is done about it.
