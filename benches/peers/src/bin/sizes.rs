//! Draws the sizes that all programs read: `sizes MAILBOXES WEIGHT FOLDER` writes there `sizes`, eight bytes a mailbox, and for
//! drawdown the same sizes as an inventory with its scenario. Lognormal, median 40 MB, sigma 1.8, from `SplitMix64` with seed 1 and
//! the transform of Box and Muller.

use std::error::Error;
use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

struct SplitMix64(u64);

impl SplitMix64 {
    /// Uniform, above 0 and at most 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((bits ^ (bits >> 31)) >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mailboxes, stream, folder] = arguments.as_slice() else {
        return Err("sizes MAILBOXES WEIGHT FOLDER".into());
    };
    let (mailboxes, stream): (usize, f64) = (mailboxes.parse()?, stream.parse()?);
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder)?;
    let mut source = SplitMix64(1);
    let sizes: Vec<u64> = (0..mailboxes).map(|_| (40e6 * (1.8 * source.normal()).exp()).min(10e12) as u64).collect();
    fs::write(folder.join("sizes"), sizes.iter().flat_map(|size| size.to_le_bytes()).collect::<Vec<u8>>())?;

    let half = mailboxes.div_ceil(2);
    let mut rows = String::from("mailbox,head,bytes,messages,activity\n");
    for (mailbox, bytes) in sizes.iter().enumerate() {
        let head = 1 + mailbox / half;
        writeln!(rows, "{mailbox},head-{head},{bytes},{},0.009", bytes / 75_000)?;
    }
    fs::write(folder.join("sizes.csv"), rows)?;
    fs::write(folder.join("same-sizes.toml"), scenario(&sizes, stream, "inventory = \"sizes.csv\""))?;
    let drawn = format!("mailboxes = {mailboxes}");
    fs::write(folder.join("drawn.toml"), scenario(&sizes, stream, &drawn))?;
    Ok(())
}

/// The reference scenario with heads and clusters that grow with the number of mailboxes.
fn scenario(sizes: &[u64], stream: f64, population: &str) -> String {
    let (mailboxes, total) = (sizes.len() as f64, sizes.iter().sum::<u64>() as f64);
    let mut text = format!(
        "extends = \"drain-reference.toml\"\n\n[population]\n{population}\n\n[cost]\nhead_per_stream = \"{} op/s\"\n",
        stream * 0.01 * mailboxes
    );
    for head in ["head-1", "head-2"] {
        let _ = write!(text, "\n[[head]]\nname = \"{head}\"\ncapacity = \"{} op/s\"\n", 0.01 * mailboxes);
    }
    for cluster in ["nas-1", "nas-2", "nas-3"] {
        let _ = write!(text, "\n[[cluster]]\nname = \"{cluster}\"\nrated = \"{:.6} TB\"\n", 1.15e-12 * total);
    }
    text
}
