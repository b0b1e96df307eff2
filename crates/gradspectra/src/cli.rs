//! The command line.

pub(crate) mod distributed;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use gradspectra_experiment::Backend;
use gradspectra_run::memory::bytes;

use crate::{Orientation, Page, TableFormat, TrackFormat, Verbosity};
use distributed::{Merge, Part, Submit, Tasks};

/// Captures the stochastic gradients of neural networks, forms the spectra of their covariance and second moment, and
/// tests them for power laws and Gaussianity.
#[derive(Debug, Parser)]
#[command(name = "gradspectra", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  gradspectra reproduce --table 5 --quick     Table 5 in small, in minutes
  gradspectra reproduce --table 5 --seeds 3   Table 5 in full, three seeds
  gradspectra plan --table 5                  what that would do
  gradspectra run my.toml                     rows of your own
  gradspectra track my.toml --every 500       spectra along their trainings
  gradspectra analyze G.npy                   a gradient matrix from anywhere
  gradspectra fit values.npy --top 1000       a power law through any values";

const REPRODUCE_EXAMPLES: &str = "\
Examples:
  gradspectra reproduce --table 4,9 --quick           two tables in small
  gradspectra reproduce --table 5 --rows random-b1,clip-1 --seeds 3
  gradspectra reproduce --all --format latex > tables.tex";

const RUN_EXAMPLES: &str = "\
Examples:
  gradspectra run my.toml                             every row, into results/my
  gradspectra run my.toml --rows mine --seed 7 --out elsewhere -v";

const PRETRAIN_EXAMPLES: &str = "\
Examples:
  gradspectra pretrain --table 5 --rows pretrain-b1   SafeTensors with PyTorch's names
  gradspectra pretrain --table 3 --epochs 30 --backend cuda";

const TRACK_EXAMPLES: &str = "\
Examples:
  gradspectra track experiments/table-5.toml --rows pretrain-b1 --quick --every 100
  gradspectra track my.toml --every 500 --epochs 10 --format csv > track.csv";

const FIT_EXAMPLES: &str = "\
Examples:
  gradspectra fit eigenvalues.npy --top 1000          the thousand largest
  gradspectra fit degrees.npy --scan --format json    K by the smallest KS distance";

const MAN_EXAMPLES: &str = "\
Examples:
  gradspectra man ~/.local/share/man/man1             then: man gradspectra
  gradspectra man pages && man -l pages/gradspectra.1";

const ANALYZE_EXAMPLES: &str = "\
Examples:
  gradspectra analyze G.npy                           rows are iterations
  gradspectra analyze G.npy --orientation n×T         rows are parameters (nxT will do)
  gradspectra analyze run.safetensors --tensor grads --top 500 --out analysis";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the paper's tables and prints them beside the paper's figures
    #[command(after_help = REPRODUCE_EXAMPLES)]
    Reproduce {
        #[command(flatten)]
        selection: Selection,
        /// How tables are printed
        #[arg(long, value_enum, default_value_t)]
        format: TableFormat,
        #[command(flatten)]
        part: Part,
        #[command(flatten)]
        run: Run,
    },
    /// Runs an experiment file of your own
    #[command(after_help = RUN_EXAMPLES)]
    Run {
        /// The file (TOML)
        file: PathBuf,
        /// Only these rows, by their ids
        #[arg(long, value_delimiter = ',', value_name = "ID,…")]
        rows: Vec<String>,
        /// How tables are printed
        #[arg(long, value_enum, default_value_t)]
        format: TableFormat,
        #[command(flatten)]
        part: Part,
        #[command(flatten)]
        run: Run,
    },
    /// Trains as rows ask and follows the spectrum of their gradients
    #[command(after_help = TRACK_EXAMPLES)]
    Track {
        /// An experiment file, of which rows that train and test a spectrum are followed
        file: PathBuf,
        /// Captures before the first step, after every K steps and after the last
        #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
        every: u64,
        /// Only these rows, by their ids
        #[arg(long, value_delimiter = ',', value_name = "ID,…")]
        rows: Vec<String>,
        /// How the captures are printed
        #[arg(long, value_enum, default_value_t)]
        format: TrackFormat,
        #[command(flatten)]
        run: Run,
    },
    /// Trains the positions that rows need, and prints where their weights lie
    #[command(after_help = PRETRAIN_EXAMPLES)]
    Pretrain {
        #[command(flatten)]
        selection: Selection,
        /// An experiment file of your own
        #[arg(value_name = "FILE", conflicts_with_all = ["table", "figure", "all"])]
        file: Option<PathBuf>,
        #[command(flatten)]
        run: Run,
    },
    /// Shows what a run would do, with memory, without doing it
    Plan {
        #[command(flatten)]
        selection: Selection,
        /// An experiment file of your own
        #[arg(value_name = "FILE", conflicts_with_all = ["table", "figure", "all"])]
        file: Option<PathBuf>,
        #[command(flatten)]
        run: Run,
    },
    /// Lists a run as tasks for many machines: what they need, time, memory, whether they are done
    Tasks(Tasks),
    /// Joins folders of results, writes tables and report, and says what is missing; status 1 where rows are
    Merge(Merge),
    /// Gives what is missing of a run to Slurm
    Submit(Submit),
    /// Lists the paper's tables and their rows
    List {
        /// Only this table, or several
        #[arg(long, value_delimiter = ',', value_name = "N,…")]
        table: Vec<u32>,
    },
    /// Analyses a gradient matrix from any framework: spectra, eigengaps, entries
    #[command(after_help = ANALYZE_EXAMPLES)]
    Analyze {
        /// An .npy or .safetensors of floating-point numbers or integers; may be larger than memory
        file: PathBuf,
        /// What its rows and columns are: iterations and parameters, or the other way round
        #[arg(long, value_enum, default_value_t)]
        orientation: Orientation,
        /// The tensor of a .safetensors file with several
        #[arg(long, value_name = "NAME")]
        tensor: Option<String>,
        /// K, how many of the largest values are tested, at most the parameters and fewer than the iterations; without it
        /// 1000, or as many as are above rounding
        #[arg(long, value_name = "K")]
        top: Option<usize>,
        /// The seed of drawn entries and Monte-Carlo replicas
        #[arg(long, default_value_t = 1, value_name = "S")]
        seed: u64,
        /// How many CPU threads; all without it
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
        threads: Option<u32>,
        /// The memory that may be taken, the T × T matrices of the spectra included; without it three quarters of what is free
        #[arg(long, value_name = "SIZE", value_parser = bytes)]
        memory: Option<u64>,
        /// A folder for the analysis (JSON) and the eigenvalues (.npy)
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Writes them in the place of an analysis that is there
        #[arg(long, requires = "out")]
        replace: bool,
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
        #[command(flatten)]
        loudness: Loudness,
    },
    /// Fits a power law to the values in a file
    #[command(after_help = FIT_EXAMPLES)]
    Fit {
        /// An .npy or .safetensors of floating-point numbers or integers
        file: PathBuf,
        /// K, how many of the largest values are fitted; all that are positive without it, 1000 at most
        #[arg(long, value_name = "K")]
        top: Option<usize>,
        /// Chooses lambda_min, and with it K, by the smallest KS distance; p, which takes K as given, is then too large
        #[arg(long, conflicts_with = "top")]
        scan: bool,
        /// The seed of the Monte-Carlo replicas
        #[arg(long, default_value_t = 1, value_name = "S")]
        seed: u64,
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
    },
    /// Writes a report of all results in a folder, beside the paper's figures
    Report {
        /// The folder of results
        #[arg(long, value_name = "DIR", default_value = "results")]
        out: PathBuf,
        /// report.html with plots, or REPORT.md
        #[arg(long, value_enum, default_value_t)]
        format: Page,
        /// Writes nothing; fails with status 1 where the file is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Prints a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Writes the manual pages into a folder, gradspectra.1 and one a command
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// The folder, made if it is not there
        folder: PathBuf,
    },
}

/// How much is said beside the results.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Loudness {
    /// Says nothing but the results
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Says also which data, weights and earlier work are used, and what is written
    #[arg(long, short, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

impl From<Loudness> for Verbosity {
    fn from(loudness: Loudness) -> Self {
        match loudness {
            Loudness { quiet: true, .. } => Self::Quiet,
            Loudness { verbose: true, .. } => Self::Verbose,
            _ => Self::Normal,
        }
    }
}

/// How an analysis is printed.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    /// A line a figure.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// The paper's Table N, or several
    #[arg(long, value_delimiter = ',', value_name = "N,…")]
    pub(crate) table: Vec<u32>,
    /// The paper's Figure N
    #[arg(long, value_name = "N")]
    pub(crate) figure: Option<u32>,
    /// All tables, the figure, Avila and the other readings
    #[arg(long, conflicts_with_all = ["table", "figure"])]
    pub(crate) all: bool,
    /// Only these rows, by their ids
    #[arg(long, value_delimiter = ',', value_name = "ID,…")]
    pub(crate) rows: Vec<String>,
}

/// Seeds are below 2⁵³, so that every reader of JSON holds them.
const LARGEST_SEED: u64 = (1 << 53) - 2000;

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The seed, or the first of several
    #[arg(long, default_value_t = 1, value_name = "S", value_parser = clap::value_parser!(u64).range(..=LARGEST_SEED))]
    pub(crate) seed: u64,
    /// How many seeds, from --seed on
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) seeds: u64,
    /// T = 2000 at most, but for minibatches from a file, and one epoch of training; the tables say so
    #[arg(long)]
    pub(crate) quick: bool,
    /// Trains for at most E epochs; the tables say so
    #[arg(long, value_name = "E", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) epochs: Option<u32>,
    /// What runs the networks
    #[arg(long, value_enum, default_value_t)]
    pub(crate) backend: Backend,
    /// Which of the backend's devices, counted from 0; the best one without it
    #[arg(long, value_name = "N")]
    pub(crate) device: Option<usize>,
    /// How many CPU threads; all without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: Option<u32>,
    /// The memory that a row may take, e.g. 8GB; three quarters of what is free without it
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) memory: Option<u64>,
    /// The folder for results [default: results, with --quick results-quick]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Computes rows anew that are done; trained positions and terms of Gram matrices are kept
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Computes rows in the place of finished results of other settings, data, backend or version, which are refused
    /// without it
    #[arg(long)]
    pub(crate) replace: bool,
    /// How often a training in progress is saved, in seconds, for a run that goes on after a break
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds)]
    pub(crate) keep_every: f64,
    /// Trains for hours on the CPU where a row asks for it (ResNet18)
    #[arg(long)]
    pub(crate) long: bool,
    /// The folder of the data sets; without it they are looked for in the folder that GRADSPECTRA_DATA names, in
    /// datasets/ of the clone and in the cache, and else downloaded
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) loudness: Loudness,
}

/// A number of seconds from 0 on.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..1e9).contains(&seconds) => Ok(seconds),
        _ => Err("expected a number of seconds from 0 on".to_owned()),
    }
}
