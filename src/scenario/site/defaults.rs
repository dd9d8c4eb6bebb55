//! What a site need not write itself: tables and statements of a directory, and Dovecot's commands.
//!
//! The rules that the statements keep, whoever writes them:
//!
//! * every change asks for the user's epoch and for the lease's fencing number, so that whoever has lost either changes
//!   nothing;
//! * a hold can be taken again under the same or a later fencing number (after an answer that got lost, or by the next
//!   instance), and never over a hold that somebody set by hand (`fence` is null there);
//! * only what this lease holds can be flipped; ending a hold that has already ended is no error;
//! * an owner takes its own lease anew, and the earlier number is good for nothing then: an owner is a ledger, which one
//!   process alone has open;
//! * giving the lease back raises the fencing number: nothing late gets through.

use super::{FrontEnd, Statements};

/// The default tables in SQLite. Nothing creates them by itself: a directory belongs to its site.
pub const SCHEMA_SQLITE: &str = "\
CREATE TABLE IF NOT EXISTS mailbox (
  name TEXT NOT NULL PRIMARY KEY,
  home TEXT NOT NULL,
  path TEXT NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'hold')),
  fence INTEGER
);
CREATE TABLE IF NOT EXISTS drawdown_lease (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  fence INTEGER NOT NULL,
  owner TEXT NOT NULL,
  until INTEGER NOT NULL
);
";

/// The default tables in PostgreSQL.
pub const SCHEMA_POSTGRES: &str = "\
CREATE TABLE IF NOT EXISTS mailbox (
  name text NOT NULL PRIMARY KEY,
  home text NOT NULL,
  path text NOT NULL,
  epoch bigint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'hold')),
  fence bigint
);
CREATE TABLE IF NOT EXISTS drawdown_lease (
  id integer NOT NULL PRIMARY KEY CHECK (id = 1),
  fence bigint NOT NULL,
  owner text NOT NULL,
  until bigint NOT NULL
);
";

/// In SQLite one writer excludes every other, so that the lease cannot change under a statement.
const LEASE_SQLITE: &str = "EXISTS (SELECT 1 FROM drawdown_lease WHERE fence = :fence)";

/// In PostgreSQL the lease's row stays locked until the change is committed: without that a change that began under the
/// old lease could be committed after somebody else has taken it.
const LEASE_POSTGRES: &str = "EXISTS (SELECT 1 FROM drawdown_lease WHERE fence = :fence FOR SHARE)";

/// All addresses, in halves: a network of all of them would be taken for none asked for.
const HALVES: [&str; 4] = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"];

impl Statements {
    /// Statements for the tables of [`SCHEMA_SQLITE`].
    #[must_use]
    pub fn default_for_sqlite() -> Self {
        Self::for_default_tables(LEASE_SQLITE)
    }

    /// Statements for the tables of [`SCHEMA_POSTGRES`].
    #[must_use]
    pub fn default_for_postgres() -> Self {
        Self::for_default_tables(LEASE_POSTGRES)
    }

    fn for_default_tables(lease: &str) -> Self {
        Self {
            list: "SELECT name, home, path, epoch, state FROM mailbox ORDER BY name".to_owned(),
            user: "SELECT name, home, path, epoch, state FROM mailbox WHERE name = :user".to_owned(),
            hold: format!(
                "UPDATE mailbox SET state = 'hold', fence = :fence WHERE name = :user AND epoch = :epoch \
                 AND (state = 'ok' OR fence <= :fence) AND {lease}"
            ),
            flip: format!(
                "UPDATE mailbox SET home = :to, epoch = epoch + 1, state = 'ok', fence = NULL WHERE name = :user \
                 AND epoch = :epoch AND state = 'hold' AND fence = :fence AND {lease}"
            ),
            release: format!(
                "UPDATE mailbox SET state = 'ok', fence = NULL WHERE name = :user AND epoch = :epoch \
                 AND (state = 'ok' OR fence <= :fence) AND {lease}"
            ),
            take_lease: "INSERT INTO drawdown_lease (id, fence, owner, until) VALUES (1, 1, :owner, :until) \
                         ON CONFLICT (id) DO UPDATE SET fence = drawdown_lease.fence + 1, owner = excluded.owner, \
                         until = excluded.until WHERE drawdown_lease.until <= :now \
                         OR drawdown_lease.owner = excluded.owner RETURNING fence"
                .to_owned(),
            keep_lease: "UPDATE drawdown_lease SET until = :until WHERE fence = :fence AND owner = :owner".to_owned(),
            end_lease: "UPDATE drawdown_lease SET fence = fence + 1, owner = '', until = 0 \
                        WHERE fence = :fence AND owner = :owner"
                .to_owned(),
            intake: None,
        }
    }
}

impl FrontEnd {
    /// A front end with Dovecot. `doveadm` is how it is called from here: `["doveadm"]` on the same machine,
    /// `["ssh", "-oBatchMode=yes", "mail-1", "doveadm"]` on another (ssh gives its arguments to a shell there, so that user
    /// names with characters that a shell knows are refused).
    ///
    /// `doveadm who` lists LMTP, by recipient and from RCPT to the last answer, where `lmtp_user_concurrency_limit` is not
    /// 0: then, and only then, it is known for whom a delivery is. What says so is the site's:
    ///
    /// ```toml
    /// deliveries = ["sh", "-c", """
    /// [ "$(doveconf -h lmtp_user_concurrency_limit)" -gt 0 ] && all=$(doveadm -f flow who -1 "$1") || exit 1
    /// printf '%s\\n' "$all" | sed -n '/proto=lmtp/p'
    /// """, "sh", "{user}"]
    /// ```
    ///
    /// It fails without that setting, rather than to say that there are no deliveries. Without the setting process titles
    /// (`verbose_proctitle = yes`) show that something is delivered, but not to whom: then every line is any user's.
    ///
    /// A plain `doveadm kick USER` would end deliveries, too: in the middle of one, LMTP stores the message and answers 421,
    /// and the sender sends it again. Deliveries are listed without an address, so that sessions alone are ended when an
    /// address is asked for: those of either half of IPv4 and of IPv6.
    #[must_use]
    pub fn dovecot(name: &str, doveadm: &[String]) -> Self {
        let command = |arguments: &[&str]| {
            let arguments = arguments.iter().map(|argument| (*argument).to_owned());
            Some(doveadm.iter().cloned().chain(arguments).collect::<Vec<_>>())
        };
        Self {
            name: name.to_owned(),
            flush: command(&["auth", "cache", "flush", "{user}"]),
            kick: HALVES.iter().filter_map(|half| command(&["kick", "{user}", half])).collect(),
            // As `flow`, because the table has a header also when there is nothing below it.
            who: command(&["-f", "flow", "who", "-1", "{user}"]),
            deliveries: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dovecot_is_asked_through_the_way_to_its_doveadm() {
        let way = ["ssh", "mail-1", "doveadm"].map(str::to_owned);
        let front = FrontEnd::dovecot("mail-1", &way);
        assert_eq!(front.kick[0].join(" "), "ssh mail-1 doveadm kick {user} 0.0.0.0/1");
        assert!(
            front.kick.iter().all(|kick| kick.last().is_some_and(|last| last.ends_with("/1"))),
            "no delivery is ended"
        );
        assert_eq!(front.who.expect("a list").join(" "), "ssh mail-1 doveadm -f flow who -1 {user}");
    }
}
