//! Kills a run again and again, and holds what it leaves to an undisturbed one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail, ensure};

use crate::cargo;

/// How the program names files that it has not finished.
const UNFINISHED: &str = ".gradspectra-unfinished-";

#[derive(clap::Args)]
pub struct Options {
    /// How many times the run is killed
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// The seed of the moments
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The rows of Table 5 that are run, shortened
    #[arg(long, default_value = "random-b1,clip-1,pretrain-b1")]
    rows: String,
}

/// Runs the program, kills it at a seeded random moment and starts it again where it stopped; every second kill waits until
/// a file is being written.
///
/// # Errors
///
/// A finished row was lost or done again, a file is not that of an undisturbed run, or one is left over.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let built = cargo::build(None)?;
    let folder = cargo::target_directory()?.join("torture");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let program = folder.join(built.file_name().context("the program has no name")?);
    fs::copy(&built, &program).with_context(|| format!("cannot copy {}", built.display()))?;
    let mut torture = Torture::prepare(program, folder, options)?;
    let mut moments = Moments(options.seed);
    while torture.figures.kills < options.kills {
        torture.disturb(&mut moments)?;
        if torture.figures.kills % 20 == 0 {
            eprintln!("{} kills, {} runs to the end", torture.figures.kills, torture.figures.completed);
        }
    }
    torture.finish()?;
    println!("{}", torture.figures.table(options.seed));
    Ok(())
}

/// What was seen.
#[derive(Default)]
struct Figures {
    kills: u32,
    /// Kills that left an unfinished file.
    in_writes: u32,
    /// Kills before any row was finished, with some finished, and with all.
    by_progress: [u32; 3],
    /// Runs that came to their end, each from an empty folder or what kills had left.
    completed: u32,
    files_compared: usize,
    rows_kept: usize,
    undisturbed: Duration,
}

impl Figures {
    fn table(&self, seed: u64) -> String {
        let [none, some, all] = self.by_progress;
        let lines = [
            ("kills (SIGKILL), seed".to_owned(), format!("{}, {seed}", self.kills)),
            ("of them with a file half written".to_owned(), self.in_writes.to_string()),
            ("before the first row, between rows, after the last".to_owned(), format!("{none}, {some}, {all}")),
            ("an undisturbed run".to_owned(), format!("{:.1} s", self.undisturbed.as_secs_f64())),
            ("runs that ended, then begun from an empty folder".to_owned(), self.completed.to_string()),
            ("files compared with the undisturbed run's".to_owned(), self.files_compared.to_string()),
            ("finished rows looked at after a kill".to_owned(), self.rows_kept.to_string()),
            ("rows lost or done again".to_owned(), "0".to_owned()),
            ("files that differ or are left over".to_owned(), "0".to_owned()),
        ];
        let lines: String = lines.iter().map(|(name, value)| format!("| {name} | {value} |\n")).collect();
        format!("| | |\n| --- | --- |\n{lines}")
    }
}

struct Torture {
    program: PathBuf,
    folder: PathBuf,
    rows: String,
    /// The files of an undisturbed run, but for those that tell times.
    undisturbed: BTreeMap<PathBuf, Vec<u8>>,
    /// When the files of finished rows and trainings were written.
    finished: BTreeMap<PathBuf, SystemTime>,
    figures: Figures,
}

impl Torture {
    fn prepare(program: PathBuf, folder: PathBuf, options: &Options) -> anyhow::Result<Self> {
        let rows = options.rows.clone();
        let (undisturbed, finished, figures) = Default::default();
        let mut torture = Self { program, folder, rows, undisturbed, finished, figures };
        let started = Instant::now();
        let status = torture.command("undisturbed")?.status()?;
        ensure!(status.success(), "the undisturbed run failed: {}", torture.log());
        torture.figures.undisturbed = started.elapsed();
        torture.undisturbed = files(&torture.folder.join("undisturbed"))?;
        Ok(torture)
    }

    fn command(&self, out: &str) -> anyhow::Result<Command> {
        let log = File::create(self.folder.join("log")).context("cannot make the log")?;
        let mut command = Command::new(&self.program);
        command.args(["reproduce", "--table", "5", "--quick", "--rows", &self.rows, "--out"]);
        command.arg(self.folder.join(out)).stdout(Stdio::null()).stderr(log);
        Ok(command)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn killed(&self) -> PathBuf {
        self.folder.join("killed")
    }

    /// Runs it on until a moment, kills it, and looks at what is left; a run that ends before is held to the
    /// undisturbed one, and the next begins from nothing.
    fn disturb(&mut self, moments: &mut Moments) -> anyhow::Result<()> {
        let moment = self.figures.undisturbed.mul_f64(moments.next());
        let in_write = self.figures.kills % 2 == 1;
        let started = Instant::now();
        let mut child = self.command("killed")?.spawn()?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if started.elapsed() >= moment && (!in_write || is_writing(&self.killed())) {
                child.kill()?;
                break Some(child.wait()?).filter(|status| status.code().is_some());
            }
            if !in_write {
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        match status {
            None => self.inspect_killed(),
            Some(status) if status.success() => self.start_anew(),
            Some(_) => bail!("a run failed: {}", self.log()),
        }
    }

    fn inspect_killed(&mut self) -> anyhow::Result<()> {
        self.figures.kills += 1;
        self.figures.in_writes += u32::from(is_writing(&self.killed()));
        self.inspect()?;
        let rows = self.finished.keys().filter(|path| is_result(path)).count();
        let all = self.rows.split(',').count();
        self.figures.rows_kept += rows;
        self.figures.by_progress[if rows == 0 { 0 } else { 1 + usize::from(rows == all) }] += 1;
        Ok(())
    }

    /// Compares every file with the undisturbed run's, and finished rows and trainings with what they were before.
    fn inspect(&mut self) -> anyhow::Result<()> {
        let root = self.killed();
        let found = files(&root)?;
        for (path, bytes) in &found {
            let expected = self.undisturbed.get(path);
            ensure!(expected == Some(bytes), "{} is not that of an undisturbed run", path.display());
        }
        self.figures.files_compared += found.len();
        for (path, written) in &self.finished {
            ensure!(modified(&root.join(path))? == *written, "{} was written again", path.display());
        }
        for marker in found.keys().filter(|path| is_result(path) || is_position(path)) {
            for path in
                found.keys().filter(|path| path.with_extension("").with_extension("") == marker.with_extension(""))
            {
                let drawn = path.extension().is_some_and(|ending| ending == "svg" || ending == "png");
                if !drawn {
                    self.finished.insert(path.clone(), modified(&root.join(path))?);
                }
            }
        }
        Ok(())
    }

    /// Holds a run that ended to the undisturbed one, and clears its folder.
    fn start_anew(&mut self) -> anyhow::Result<()> {
        let root = self.killed();
        self.inspect()?;
        let found = files(&root)?;
        ensure!(found.keys().eq(self.undisturbed.keys()), "the files are not those of an undisturbed run");
        ensure!(!is_writing(&root), "an unfinished file was left");
        self.figures.completed += 1;
        self.finished.clear();
        fs::remove_dir_all(&root).with_context(|| format!("cannot clear {}", root.display()))
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        let status = self.command("killed")?.status()?;
        ensure!(status.success(), "the last run failed: {}", self.log());
        self.start_anew()
    }
}

fn is_result(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "seed-1.json")
}

fn is_position(path: &Path) -> bool {
    path.starts_with("positions") && path.extension().is_some_and(|ending| ending == "json")
}

fn modified(path: &Path) -> anyhow::Result<SystemTime> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.with_context(|| format!("{} was lost", path.display()))
}

/// Whether there is an unfinished file.
fn is_writing(root: &Path) -> bool {
    let is_unfinished =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED));
    walk(root).iter().any(is_unfinished)
}

/// The files below `root` with their bytes, but for those that are unfinished or tell times; the latter are whole.
fn files(root: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for path in walk(root) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(UNFINISHED) || name == ".lock" {
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        match name.as_str() {
            "report.html" => ensure!(bytes.ends_with(b"</html>\n"), "{} is cut", path.display()),
            name if name.ends_with(".timings.json") => {
                serde_json::from_slice::<serde_json::Value>(&bytes)
                    .with_context(|| format!("{} is cut", path.display()))?;
            }
            _ => {
                files.insert(path.strip_prefix(root)?.to_owned(), bytes);
            }
        }
    }
    Ok(files)
}

/// The files below `folder`; what vanishes meanwhile is left out.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// Numbers in [0, 1), by SplitMix64 (doi:10.1145/2660193.2660195).
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
