//! A PostgreSQL server of the test's own, on a high loopback port.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use drawdown::scenario::site::defaults::SCHEMA_POSTGRES;
use postgres::{Client, NoTls};

use super::holds::KEPT_BY_POSTGRES;

/// Of the user that both Dovecot and the migration are.
pub(crate) const SECRET: &str = "secret-of-the-test";
/// Where Debian has its versions.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Runs until it is dropped.
pub(crate) struct Server {
    folder: PathBuf,
    port: u16,
}

impl Server {
    /// Whether there is one to start, and somebody who may run it.
    pub(crate) fn available() -> bool {
        programs().is_some() && Command::new("id").arg("postgres").output().is_ok_and(|id| id.status.success())
    }

    /// A server that has the default tables, with these users: name, store and path.
    pub(crate) fn new(folder: &Path, users: impl Iterator<Item = (String, String, String)>) -> Self {
        fs::create_dir(folder).unwrap();
        let owner = Command::new("id").args(["-u", "postgres"]).output().unwrap();
        let owner = String::from_utf8_lossy(&owner.stdout).trim().parse().unwrap();
        chown(folder, Some(owner), None).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let server = Self { folder: folder.to_owned(), port };
        // Ours alone, as a site has it, and a copy that its owner can read.
        for (file, of) in [("password", 0), ("password.init", owner)] {
            fs::write(folder.join(file), SECRET).unwrap();
            fs::set_permissions(folder.join(file), fs::Permissions::from_mode(0o600)).unwrap();
            chown(folder.join(file), Some(of), None).unwrap();
        }
        let init = format!("--pwfile={}", folder.join("password.init").display());
        server.run("initdb", &["-U", "mail", "-A", "scram-sha-256", "--locale=C", "-E", "UTF8", "--no-sync", &init]);
        let below = folder.display();
        let options = format!("-F -p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={below}");
        server.run("pg_ctl", &["-l", &format!("{below}/log"), "-o", &options, "-w", "start"]);
        let mut client = server.client();
        client.batch_execute(SCHEMA_POSTGRES).unwrap();
        client.batch_execute(KEPT_BY_POSTGRES).unwrap();
        for (name, home, path) in users {
            client
                .execute("INSERT INTO mailbox (name, home, path) VALUES ($1, $2, $3)", &[&name, &home, &path])
                .unwrap();
        }
        server
    }

    /// How to reach it, without the password.
    pub(crate) fn connection(&self) -> String {
        format!("host=127.0.0.1 port={} user=mail dbname=postgres", self.port)
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.folder.join("password")
    }

    pub(crate) fn count(&self, query: &str) -> i64 {
        self.client().query_one(query, &[]).unwrap().get(0)
    }

    /// Two texts and a number in each row.
    pub(crate) fn rows(&self, query: &str) -> Vec<(String, String, i64)> {
        let rows = self.client().query(query, &[]).unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }

    pub(crate) fn sql(&self, text: &str) {
        self.client().batch_execute(text).unwrap();
    }

    fn client(&self) -> Client {
        Client::connect(&format!("{} password={SECRET}", self.connection()), NoTls).unwrap()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let log = fs::File::create(self.folder.join(format!("{program}.log"))).unwrap();
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(programs().unwrap().join(program));
        command.arg("-D").arg(self.folder.join("data")).args(arguments).current_dir(&self.folder);
        // Not pipes, which the server would keep open.
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let status = command.status().unwrap();
        let said = || fs::read_to_string(self.folder.join(format!("{program}.log"))).unwrap_or_default();
        assert!(status.success(), "{program}: {status}: {}", said());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends the server by the number in the data's folder.
        self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }
}

/// The newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    versions.filter(|bin| bin.join("initdb").exists()).max()
}
