//! Builds the probes of a site's stores: what would be read, run or asked. Nothing of it is here.

use super::build_site::argv;
use super::item::Item;
use super::reader::Reader;
use super::site::{LoadProbe, Prometheus};

/// Builds the probe of a store.
pub(crate) fn load_probe(item: &Item, reader: &mut Reader<'_>) -> Option<LoadProbe> {
    if let Some(disk) = item.get("disk") {
        let name = disk.text()?.strip_prefix("/dev/").unwrap_or(disk.text()?);
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            reader.problem(disk, format!("is {:?}, must be the name of a block device such as \"sdb\"", disk.text()?));
        }
        return Some(LoadProbe::Disk(name.to_owned()));
    }
    if let Some(command) = item.get("command") {
        return argv(command, reader).map(LoadProbe::Command);
    }
    if item.get("prometheus").is_some() {
        return prometheus(item, reader).map(LoadProbe::Prometheus);
    }
    let (name, probe) =
        if item.get("nfs").is_some() { ("nfs", LoadProbe::Nfs) } else { ("pressure", LoadProbe::Pressure) };
    let flag = item.get(name)?;
    if !flag.flag() {
        reader
            .problem(flag, "is false, must be true; another probe is one of disk, nfs, pressure, prometheus, command");
    }
    Some(probe)
}

/// A server that is asked in plain HTTP, and the expressions.
fn prometheus(item: &Item, reader: &mut Reader<'_>) -> Option<Prometheus> {
    let server = item.get("prometheus")?;
    let address = server.text()?.trim_end_matches('/');
    let after = address.strip_prefix("http://");
    let host = after.map(|after| after.split('/').next().unwrap_or_default());
    let message = match host {
        None if address.starts_with("https://") => {
            Some("is over TLS, which is not spoken here: ask through a local proxy")
        }
        None | Some("") => Some("must begin with `http://` and a host, such as \"http://127.0.0.1:9090\""),
        Some(host) if host.contains('@') => Some("holds a password: ask through a local proxy that adds it"),
        Some(_) if address.contains(['?', '#']) || address.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            Some("must be an address without a query, such as \"http://127.0.0.1:9090\"")
        }
        Some(_) if address.ends_with("/api/v1") || address.ends_with("/query") => {
            Some("must be the server's address without `/api/v1`")
        }
        Some(_) => None,
    };
    if let Some(message) = message {
        reader.problem(server, message);
    }
    let expression = |name: &str, reader: &mut Reader<'_>| {
        let given = item.get(name)?;
        if given.text()?.trim().is_empty() {
            reader.problem(given, "is empty, must be an expression of Prometheus");
        }
        given.text().map(str::to_owned)
    };
    let (utilisation, latency) = (expression("utilisation", reader), expression("latency", reader));
    if item.get("utilisation").is_none() && item.get("latency").is_none() {
        reader.problem(item, "asks for nothing: needs `utilisation`, `latency`, or both");
    }
    let max_age = reader.span(item, "max_age");
    Some(Prometheus { server: address.to_owned(), utilisation, latency, max_age })
}
