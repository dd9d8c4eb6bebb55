//! Runs all programs in turn, checks that they agree, and prints what each takes: `measure MAILBOXES ROUNDS DRAWDOWN PYTHON FOLDER`,
//! with the sizes made by `sizes` in the folders `reference`, `throttled`, `small` and perhaps `counted`, as `run.sh` does.
//!
//! CPU is user and system time of the whole process, the median over the rounds; ratios are medians of the rounds' own, since other
//! work on the machine comes and goes. Memory is the peak less that of a job of 1,000 mailboxes, and so are instructions, which
//! valgrind counts where there is the folder `counted`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wait4::Wait4;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Replications of drawdown of which all but the first tell what one more takes.
const REPLICATIONS: u32 = 5;
/// The mailboxes of the small job, and of the one whose instructions are counted.
const SMALL: usize = 1_000;
const COUNTED: usize = 20_000;
/// Where all mailboxes fit on the first cluster, drawdown does the job to the microsecond as the others do. Its core counts what has
/// come to a cluster since the last sample twice, and copies some mailboxes again, to the next one, when a cluster is nearly full.
const AMPLE: [&str; 2] = ["--set", "cluster.nas-1.rated=\"100000 TB\""];

struct Bench {
    mailboxes: usize,
    rounds: usize,
    drawdown: String,
    python: String,
    folder: PathBuf,
}

struct Measured {
    cpu_ns: f64,
    peak: u64,
    output: String,
}

/// A program: its name in the table, how it is called, and whether it draws the sizes itself.
struct Program {
    name: &'static str,
    call: Vec<String>,
    draws: bool,
}

impl Program {
    /// The words that run it on the job in a folder.
    fn words(&self, folder: &Path, weight: &str) -> Vec<String> {
        if self.draws {
            return forecast(&self.call[0], folder, "drawn.toml", 1);
        }
        let sizes = folder.join("sizes").display().to_string();
        self.call.iter().cloned().chain([sizes, weight.to_owned()]).collect()
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mailboxes, rounds, drawdown, python, folder] = arguments.as_slice() else {
        return Err("measure MAILBOXES ROUNDS DRAWDOWN PYTHON FOLDER".into());
    };
    let (mailboxes, rounds) = (mailboxes.parse()?, rounds.parse()?);
    let bench = Bench { mailboxes, rounds, drawdown: drawdown.clone(), python: python.clone(), folder: folder.into() };
    println!("{mailboxes} mailboxes, medians of {rounds} rounds");
    bench.table("The reference job", "reference", "0.005")?;
    bench.table("A stream weighs four times as much, so that the throttle fires", "throttled", "0.02")?;
    if bench.folder.join("counted").is_dir() { bench.count() } else { Ok(()) }
}

impl Bench {
    fn programs(&self) -> Result<Vec<Program>> {
        let here = std::env::current_exe()?.parent().ok_or("a folder of programs")?.to_owned();
        let mut all: Vec<Program> = ["floor", "desru", "simcore", "nexosim"]
            .iter()
            .map(|name| Program { name, call: vec![here.join(name).display().to_string()], draws: false })
            .collect();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference.py").display().to_string();
        if !self.python.is_empty() {
            all.push(Program { name: "SimPy", call: vec![self.python.clone(), script], draws: false });
        }
        let call = vec![self.drawdown.clone()];
        all.push(Program { name: "drawdown, which draws its sizes", call, draws: true });
        Ok(all)
    }

    fn table(&self, title: &str, job: &str, weight: &str) -> Result<()> {
        let folder = self.folder.join(job);
        let programs = self.programs()?;
        let idle: Vec<u64> = programs
            .iter()
            .map(|program| run(&program.words(&self.folder.join("small"), weight)).map(|measured| measured.peak))
            .collect::<Result<_>>()?;
        let mut rounds: Vec<Vec<Measured>> = Vec::new();
        let (mut further, mut reading) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let round: Vec<Measured> =
                programs.iter().map(|program| run(&program.words(&folder, weight))).collect::<Result<_>>()?;
            let [one, more] =
                [1, REPLICATIONS].map(|count| run(&forecast(&self.drawdown, &folder, "same-sizes.toml", count)));
            let (one, more) = (one?.cpu_ns, more?.cpu_ns);
            let of_one = (more - one) / f64::from(REPLICATIONS - 1);
            further.push(of_one);
            reading.push(one - of_one);
            rounds.push(round);
        }
        self.agree(job, &programs, &rounds)?;
        println!("\n{title}\n");
        println!("| program | CPU a mailbox | over the floor | memory a mailbox |\n|---|---|---|---|");
        let floor = |round: usize| rounds[round][0].cpu_ns;
        for (place, program) in programs.iter().enumerate() {
            let cpu: Vec<f64> = rounds.iter().map(|round| round[place].cpu_ns).collect();
            let peak = rounds.iter().map(|round| round[place].peak).max().unwrap_or_default();
            let bytes = peak.saturating_sub(idle[place]) as f64 / (self.mailboxes - SMALL) as f64;
            self.row(program.name, &cpu, floor, &format!("{bytes:.0} B"));
        }
        self.row("drawdown, from the same sizes, a further replication", &further, floor, "");
        println!(
            "\nReading the inventory takes drawdown {:.0} ns a mailbox.",
            median(&reading) / self.mailboxes as f64
        );
        Ok(())
    }

    /// Instructions a mailbox, which other work on the machine does not change.
    fn count(&self) -> Result<()> {
        println!("\nInstructions\n\n| program | a mailbox | over the floor |\n|---|---|---|");
        let mut floor = None;
        for program in self.programs()? {
            let [small, counted] = ["small", "counted"].map(|job| {
                instructions(&program.words(&self.folder.join(job), "0.005"), &self.folder.join("instructions"))
            });
            let each = (counted? - small?) / (COUNTED - SMALL) as f64;
            println!("| {} | {each:.0} | {:.1} |", program.name, each / *floor.get_or_insert(each));
        }
        Ok(())
    }

    fn row(&self, name: &str, cpu_ns: &[f64], floor: impl Fn(usize) -> f64, memory: &str) {
        let each = median(cpu_ns) / self.mailboxes as f64;
        let ratios: Vec<f64> = cpu_ns.iter().enumerate().map(|(round, cpu)| cpu / floor(round)).collect();
        println!("| {name} | {each:.0} ns | {:.1} | {memory} |", median(&ratios));
    }

    /// All peers say the same, in every round, and so does drawdown.
    fn agree(&self, job: &str, programs: &[Program], rounds: &[Vec<Measured>]) -> Result<()> {
        let said = &rounds[0][0].output;
        for (program, measured) in rounds.iter().flat_map(|round| programs.iter().zip(round)) {
            if !program.draws && measured.output != *said {
                return Err(format!("{job}: {} says {:?}, not {said:?}", program.name, measured.output).into());
            }
        }
        let field = |name: &str| said.split([' ', '=']).skip_while(|word| *word != name).nth(1)?.parse::<i64>().ok();
        let (Some(ended), Some(moved)) = (field("ended_us"), field("moved")) else {
            return Err(format!("{job}: {said:?}").into());
        };
        let [exact, as_it_is] = [&AMPLE[..], &[]].map(|settings| self.ended_us(job, settings));
        let (exact, as_it_is) = (exact?, as_it_is?);
        if exact != ended || moved != self.mailboxes as i64 {
            return Err(format!("{job}: drawdown ends after {exact} us and moves all; the others: {said}").into());
        }
        let off = (as_it_is - ended) as f64 / 1e6;
        println!("\nAll agree to the microsecond ({said}); drawdown as the scenario stands ends {off:.1} s later.");
        Ok(())
    }

    /// When drawdown has emptied both heads, in microseconds since the start.
    fn ended_us(&self, job: &str, settings: &[&str]) -> Result<i64> {
        let folder = self.folder.join(job);
        let mut words = forecast(&self.drawdown, &folder, "same-sizes.toml", 1);
        words.retain(|word| word != "--no-files");
        words.extend(["--output".to_owned(), folder.join("output").display().to_string()]);
        words.extend(settings.iter().map(|setting| (*setting).to_owned()));
        run(&words)?;
        let rows = fs::read_to_string(folder.join("output/same-sizes/replications.csv"))?;
        let mut lines = rows.lines().map(|line| line.split(','));
        let column = lines.next().and_then(|mut names| names.position(|name| name == "all_emptied_days"));
        let days = column.and_then(|column| lines.next()?.nth(column)?.parse::<f64>().ok());
        Ok((days.ok_or("the date of the end")? * 86_400e6).round() as i64)
    }
}

fn forecast(drawdown: &str, folder: &Path, scenario: &str, replications: u32) -> Vec<String> {
    let (scenario, replications) = (folder.join(scenario).display().to_string(), replications.to_string());
    [drawdown, "forecast", &scenario, "--no-files", "--quiet", "--threads", "1", "--replications", &replications]
        .map(str::to_owned)
        .to_vec()
}

/// Instructions of a program. Valgrind hides what drawdown reads the clock by, so that it ends there, when all is simulated.
fn instructions(words: &[String], log: &Path) -> Result<f64> {
    let file = format!("--log-file={}", log.display());
    let tool = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", &file];
    Command::new("valgrind").args(tool).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let text = fs::read_to_string(log)?;
    let count = text.lines().find_map(|line| line.split("I   refs:").nth(1).or_else(|| line.split("I refs:").nth(1)));
    Ok(count.ok_or("a count of instructions")?.trim().replace(',', "").parse()?)
}

fn run(words: &[String]) -> Result<Measured> {
    let mut child =
        Command::new(&words[0]).args(&words[1..]).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    let mut output = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        std::io::Read::read_to_string(&mut stdout, &mut output)?;
    }
    let used = child.wait4()?;
    if !used.status.success() {
        return Err(format!("{}: {}", words.join(" "), used.status).into());
    }
    let cpu_ns = (used.rusage.utime + used.rusage.stime).as_nanos() as f64;
    Ok(Measured { cpu_ns, peak: used.rusage.maxrss, output: output.lines().next().unwrap_or_default().to_owned() })
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { 0.5 * (sorted[middle - 1] + sorted[middle]) }
}
