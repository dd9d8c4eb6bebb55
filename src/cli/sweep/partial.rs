//! What is done of a sweep that is under way: a line a point in a file beside the folder that is to come, so that a sweep that was
//! killed goes on where it stood.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::forecast::cases::{Impact, Run};
use crate::forecast::quantile::When;
use crate::lock;
use crate::report::files::sha256;
use crate::units::Time;

/// The points that are done, in order.
pub(super) struct Partial {
    /// None where no files are written.
    kept: Option<(File, PathBuf)>,
    done: Vec<Vec<Run>>,
}

/// A line: which point of which sweep, and its replications.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sweep: String,
    point: usize,
    /// Of the replications as they are written, so that a number which was changed is not taken for one that was simulated.
    sha256: String,
    runs: Vec<RunLine>,
}

impl Line {
    fn is_whole(&self) -> bool {
        hash(&self.runs).is_ok_and(|known| known == self.sha256)
    }
}

fn hash(runs: &[RunLine]) -> serde_json::Result<String> {
    Ok(sha256(&serde_json::to_vec(runs)?))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunLine {
    dates: Vec<DateLine>,
    impact: Vec<f64>,
    /// Earlier programs did not keep it.
    #[serde(default)]
    set_aside: u32,
    is_finished: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DateLine {
    At(i64),
    AfterHorizon,
    Never,
}

impl Partial {
    /// Nothing is done yet, and nothing is kept.
    pub(super) const fn none() -> Self {
        Self { kept: None, done: Vec::new() }
    }

    /// What is done of the sweep of this name. A last line that was cut off is not counted, and written anew.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds something else, or another program is at this sweep. The message names the file.
    pub(super) fn open(root: &Path, stem: &str, sweep: &str, replications: u32, is_fresh: bool) -> io::Result<Self> {
        let path = root.join(format!("{stem}-{}.partial", &sweep[..12]));
        let of_root = |error: io::Error| named(root, &error);
        fs::create_dir_all(root).map_err(of_root)?;
        Self::read(&path, sweep, replications, is_fresh).map_err(|error| named(&path, &error))
    }

    fn read(path: &Path, sweep: &str, replications: u32, is_fresh: bool) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).truncate(false).open(path)?;
        // Where a file system has no locks, two at once are not told apart: each still has all of its own points.
        if let Err(TryLockError::WouldBlock) = lock::take(&file) {
            return Err(io::Error::other(
                "the same sweep is under way already; wait for it, or stop it and give the command again",
            ));
        }
        if is_fresh {
            file.set_len(0)?;
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let (mut done, mut length) = (Vec::new(), 0);
        for line in text.split_inclusive('\n') {
            // A line without its end is the one at which the program was stopped.
            if !line.ends_with('\n') {
                break;
            }
            let known: Option<Line> = serde_json::from_str(line).ok();
            let is_next = |line: &Line| {
                line.sweep == sweep
                    && line.point == done.len()
                    && line.runs.len() == replications as usize
                    && line.is_whole()
            };
            let Some(runs) = known.filter(is_next).and_then(|line| line.runs.iter().map(RunLine::read).collect())
            else {
                let place = done.len() + 1;
                let text = format!("line {place} is not from this sweep, or was changed; --fresh begins anew");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            };
            done.push(runs);
            length += line.len() as u64;
        }
        file.set_len(length)?;
        file.seek(io::SeekFrom::End(0))?;
        Ok(Self { kept: Some((file, path.to_owned())), done })
    }

    /// The points that are done.
    pub(super) fn done(&self) -> &[Vec<Run>] {
        &self.done
    }

    /// Keeps one more.
    ///
    /// # Errors
    /// When it cannot be written. The message names the file.
    pub(super) fn push(&mut self, sweep: &str, runs: Vec<Run>) -> io::Result<()> {
        if let Some((file, path)) = &mut self.kept {
            let lines: Vec<RunLine> = runs.iter().map(RunLine::of).collect();
            let line = Line { sweep: sweep.to_owned(), point: self.done.len(), sha256: hash(&lines)?, runs: lines };
            let mut text = serde_json::to_vec(&line)?;
            text.push(b'\n');
            file.write_all(&text).and_then(|()| file.sync_data()).map_err(|error| named(path, &error))?;
        }
        self.done.push(runs);
        Ok(())
    }

    /// What is kept is in the folder now.
    ///
    /// # Errors
    /// When the file cannot be removed. One that is gone already is no error.
    pub(super) fn remove(self) -> io::Result<()> {
        let Some((_file, path)) = self.kept else { return Ok(()) };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(named(&path, &error)),
            _ => Ok(()),
        }
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl RunLine {
    fn of(run: &Run) -> Self {
        let date = |when: &When| match when {
            When::At(time) => DateLine::At(time.unix_micros()),
            When::AfterHorizon => DateLine::AfterHorizon,
            When::Never => DateLine::Never,
        };
        Self {
            dates: run.dates.iter().map(date).collect(),
            impact: run.impact.all().to_vec(),
            set_aside: run.set_aside,
            is_finished: run.is_finished,
        }
    }

    fn read(&self) -> Option<Run> {
        let when = |date: &DateLine| match date {
            DateLine::At(micros) => When::At(Time::from_unix_micros(*micros)),
            DateLine::AfterHorizon => When::AfterHorizon,
            DateLine::Never => When::Never,
        };
        let impact = Impact::from_all(self.impact.as_slice().try_into().ok()?);
        Some(Run {
            dates: self.dates.iter().map(when).collect(),
            impact,
            set_aside: self.set_aside,
            is_finished: self.is_finished,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, outcome};

    const SWEEP: &str = "0123456789abcdef";

    fn runs(of: u32) -> Vec<Run> {
        let mut runs: Vec<Run> = (0..3).map(|r| Run::of(&outcome(r, days_of(r) + f64::from(of) / 3.0))).collect();
        runs[1].dates[0] = When::Never;
        runs[2].dates[1] = When::AfterHorizon;
        runs[2].is_finished = false;
        runs
    }

    fn open(root: &Path, is_fresh: bool) -> io::Result<Partial> {
        Partial::open(root, "small-sweep", SWEEP, 3, is_fresh)
    }

    #[test]
    fn what_is_done_is_read_back_to_the_last_bit_and_a_cut_line_is_not() {
        let root = tempfile::tempdir().unwrap();
        let mut partial = open(root.path(), false).unwrap();
        for of in 0..3 {
            partial.push(SWEEP, runs(of)).unwrap();
        }
        let path = partial.kept.as_ref().unwrap().1.clone();
        drop(partial);
        assert_eq!(open(root.path(), false).unwrap().done(), [runs(0), runs(1), runs(2)]);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        let mut partial = open(root.path(), false).unwrap();
        assert_eq!(partial.done().len(), 2);
        partial.push(SWEEP, runs(2)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
        drop(partial);
        assert!(open(root.path(), true).unwrap().done().is_empty());
        let partial = open(root.path(), false).unwrap();
        let busy = open(root.path(), false).err().unwrap().to_string();
        assert!(busy.contains("small-sweep-0123456789ab.partial: the same sweep is under way"), "{busy}");
        partial.remove().unwrap();
        assert!(!path.exists());
        let partial = open(root.path(), false).unwrap();
        fs::remove_file(&path).unwrap();
        partial.remove().unwrap();
    }

    #[test]
    fn a_number_that_was_changed_is_none_that_was_simulated() {
        let root = tempfile::tempdir().unwrap();
        let mut partial = open(root.path(), false).unwrap();
        partial.push(SWEEP, runs(0)).unwrap();
        let path = partial.kept.as_ref().unwrap().1.clone();
        drop(partial);
        let text = fs::read_to_string(&path).unwrap();
        let changed = text.replacen("\"at\":1", "\"at\":2", 1);
        assert_ne!(text, changed);
        fs::write(&path, changed).unwrap();
        let problem = open(root.path(), false).err().unwrap().to_string();
        assert!(problem.contains("line 1 is not from this sweep, or was changed"), "{problem}");
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("small-sweep-0123456789ab.partial");
        fs::write(&path, "a letter\n").unwrap();
        let problem = open(root.path(), false).err().unwrap().to_string();
        assert!(problem.contains("line 1 is not from this sweep"), "{problem}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a letter\n");
    }
}
