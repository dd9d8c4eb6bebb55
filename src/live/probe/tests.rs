//! Tests on this machine's own counters.

use std::os::unix::fs::MetadataExt;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::fleet::HeadId;
use crate::live::clock::Clock;
use crate::units::Time;

const TIMEOUT: Span = Span::from_secs(20);

fn store(probe: LoadProbe) -> Store {
    Store { root: PathBuf::from("/"), mount: false, probe, fill: FillProbe::FileSystem }
}

/// The name of the device below `/`, when that is a disk.
fn root_device() -> Option<String> {
    let device = fs::metadata("/").ok()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let path = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    let name = path.file_name()?.to_str()?.to_owned();
    disk::find(&fs::read_to_string("/proc/diskstats").ok()?, &name).ok()?;
    Some(name)
}

/// Samples a store once a quarter of a second until three samples are good.
fn three_samples(probe: LoadProbe) -> Vec<Reading> {
    let (sender, samples) = mpsc::channel();
    let tell = move |sampled| sender.send(sampled).unwrap_or_default();
    let watched = Watched {
        store: StoreId::Head(HeadId(0)),
        every: Span::from_micros(250_000),
        probe: Probe::new(&store(probe), TIMEOUT),
    };
    let prober = Prober::start(vec![watched], TIMEOUT, Clock::start(Time::LONG_AGO), &tell).unwrap();
    let got = (0..3).map(|_| samples.recv_timeout(Duration::from_secs(30)).unwrap().reading).collect();
    assert_eq!(prober.status()[0].missed, 0, "{:?}", prober.status());
    got
}

#[test]
fn the_disk_of_this_machine_is_sampled() {
    let Some(device) = root_device() else {
        println!("skipped: / lies on no device of /proc/diskstats");
        return;
    };
    // Something to measure.
    let file = tempfile::tempfile().unwrap();
    let writer = std::thread::spawn(move || {
        use std::os::unix::fs::FileExt;
        for block in 0..40 {
            file.write_all_at(&vec![7; 65_536], block * 65_536).unwrap();
            file.sync_data().unwrap();
        }
    });
    let readings = three_samples(LoadProbe::Disk(device));
    writer.join().unwrap();
    for reading in &readings {
        assert!(reading.utilisation <= Share::ONE && reading.used <= reading.capacity, "{reading:?}");
        assert!(reading.used > Bytes::ZERO && reading.inodes_free > 0, "{reading:?}");
    }
    println!("{readings:?}");
}

#[test]
fn the_pressure_of_this_machine_is_sampled() {
    if !std::path::Path::new("/proc/pressure/io").exists() {
        println!("skipped: the kernel counts no pressure");
        return;
    }
    for reading in three_samples(LoadProbe::Pressure) {
        assert!(reading.utilisation <= Share::ONE && reading.latency == Latency::default(), "{reading:?}");
    }
}

#[test]
fn a_command_is_sampled_at_once() {
    let argv = ["/bin/echo", "0.25", "0.004"].map(str::to_owned).to_vec();
    let reading = Probe::new(&store(LoadProbe::Command(argv)), TIMEOUT).sample().unwrap();
    assert_eq!((reading.utilisation, reading.latency), (Share::from_ppm(250_000), Latency::from_micros(4_000)));
    assert!(reading.capacity > Bytes::ZERO);
}

#[test]
fn probes_that_cannot_work_fail_with_a_reason() {
    let failure = |probe| match Probe::new(&store(probe), TIMEOUT).sample() {
        Err(ProbeError::Failed(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(failure(LoadProbe::Disk("no-such-disk".to_owned())), "there is no block device no-such-disk");
    assert!(failure(LoadProbe::Command(vec!["/bin/false".to_owned()])).contains("/bin/false ended with status 1"));
    let garbage = ["/bin/echo", "busy"].map(str::to_owned).to_vec();
    assert!(failure(LoadProbe::Command(garbage)).contains("\"busy\""));
    if fs::read_to_string("/proc/self/mountstats").is_ok_and(|text| !text.contains("mounted on / with fstype nfs")) {
        assert!(failure(LoadProbe::Nfs).contains("not NFS"));
    }
}

#[test]
fn counters_have_nothing_to_compare_with_at_first() {
    let Some(device) = root_device() else {
        println!("skipped: / lies on no device of /proc/diskstats");
        return;
    };
    let mut probe = Probe::new(&store(LoadProbe::Disk(device)), TIMEOUT);
    assert!(matches!(probe.sample(), Err(ProbeError::Missing(_))));
}
