//! File systems of a test's own: ext4 in a file, mounted over a loop device. Their power can be cut.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::site_world::waits;

/// `EXT4_IOC_SHUTDOWN` with `NOLOGFLUSH`: from now on nothing reaches the disk, the journal's end neither. Written in Perl,
/// which every Debian has, since a call by number is not safe in the eyes of Rust.
const SHUTDOWN: &str = "sysopen(my $root, $ARGV[0], 0) or die $!; my $how = pack('L', 2); \
                        ioctl($root, 0x8004587d, $how) or die $!;";

/// A mounted image.
pub(crate) struct Image {
    file: PathBuf,
    at: PathBuf,
}

impl Image {
    /// A new file system of so many megabytes, mounted there.
    ///
    /// # Errors
    /// Why that cannot be done here.
    pub(crate) fn new(file: PathBuf, at: &Path, megabytes: u64) -> Result<Self, String> {
        File::create(&file).and_then(|made| made.set_len(megabytes << 20)).map_err(|error| error.to_string())?;
        let made = Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0", "-J", "size=4"]).arg(&file).output();
        let made = made.map_err(|error| format!("mkfs.ext4: {error}"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        let image = Self { file, at: at.to_owned() };
        image.mount()?;
        Ok(image)
    }

    /// Its journal is written when somebody asks for that, or when it is full.
    fn mount(&self) -> Result<(), String> {
        let mount = Command::new("mount").args(["-o", "loop,commit=300"]).arg(&self.file).arg(&self.at).output();
        let mount = mount.map_err(|error| format!("mount: {error}"))?;
        if mount.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&mount.stderr).into_owned()) }
    }

    fn unmount(&self) {
        let gone = || Command::new("umount").arg(&self.at).output().is_ok_and(|output| output.status.success());
        assert!(waits(Duration::from_secs(10), gone), "{} cannot be unmounted", self.at.display());
    }

    /// What nobody has asked to be durable may be gone.
    pub(crate) fn cut_power(&self) {
        let cut = Command::new("perl").args(["-e", SHUTDOWN]).arg(&self.at).output().unwrap();
        assert!(cut.status.success(), "{}", String::from_utf8_lossy(&cut.stderr));
    }

    /// What is on it is durable.
    pub(crate) fn sync(&self) {
        assert!(Command::new("sync").arg("--file-system").arg(&self.at).status().is_ok_and(|status| status.success()));
    }

    pub(crate) fn remount(&self, options: &str) -> bool {
        let options = format!("remount,{options}");
        Command::new("mount").args(["-o", &options]).arg(&self.at).output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).output();
    }
}

/// Cuts the power of all of them and brings them back, the outermost first in the list.
pub(crate) fn cut_power(images: &[Image]) {
    for image in images {
        image.cut_power();
    }
    for image in images.iter().rev() {
        image.unmount();
    }
    for image in images {
        image.mount().unwrap();
    }
}

/// Whether images can be mounted here. Where the environment asks for it, they have to.
pub(crate) fn can_mount() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("at");
    std::fs::create_dir(&at).unwrap();
    let tried = Image::new(folder.path().join("image"), &at, 16).map(|image| {
        image.cut_power();
        image.unmount();
    });
    let Err(why) = tried else { return true };
    assert!(std::env::var_os("DRAWDOWN_TEST_IMAGES").is_none(), "{why}");
    println!("skipped: no file system can be mounted here: {}", why.trim());
    false
}
