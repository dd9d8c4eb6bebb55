//! Events and commands as text, for the ledger: the same bytes for the same message.
