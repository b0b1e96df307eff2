use gradspectra::cost::{Workload, rates};
use gradspectra::memory::Sizes;
use gradspectra::{Row, catalogue};

/// Bytes of an f32.
const F32: f64 = 4.0;
/// Bytes of a node that arrays may take: three quarters of 512 GB.
const NODE: f64 = 384e9;
/// T of the larger tables.
const ITERATIONS: usize = 5000;

/// The page docs/scale.md, for the machine that was measured.
pub fn markdown() -> String {
    const CORES: usize = 2;
    let machine = rayon::ThreadPoolBuilder::new().num_threads(CORES).build().expect("two threads");
    machine.install(page)
}

fn page() -> String {
    include_str!("page.md")
        .replace("{steps}", &steps())
        .replace("{measured}", &measured())
        .replace("{t-and-b}", &iterations_and_batches())
        .replace("{parameters}", &parameters())
        .replace("{networks}", &networks())
        .replace("{single}", &single_examples())
        .replace("{pass-seconds}", &accelerated())
        .replace("{blocks}", &blocks())
        .replace("{gpt2-table}", &bytes(F32 * GPT2_TABLE * GPT2_ITERATIONS))
        .replace("{gpt2-pass}", &power(gpt2_pass()))
        .replace("{gpt2-gram}", &power(GPT2_ITERATIONS.powi(2) * GPT2))
        .replace("{gpt2}", &gpt2())
}

/// A row of the paper.
fn row(table: &str, id: &str) -> Row {
    let rows = catalogue::experiment(table).expect("it is built in").rows;
    rows.into_iter().find(|row| row.id == id).expect("the table has it")
}

/// Table 5's first row with other B and T.
fn lenet(batch: usize, iterations: usize) -> Row {
    let mut row = row("table-5", "random-b1");
    (row.batch_size, row.iterations) = (batch, iterations);
    row
}

fn steps() -> String {
    let rate = |value: f64| format!("{:.0}·10⁹ a second", value / 1e9);
    table(
        &["step", "operations", "rate"],
        [
            ["passes forward and backward", "6 · multiply-adds of a pass forward · examples", &rate(rates::PASS)],
            ["sums over minibatches A'D, from factors", "2 · T · B · n", &rate(rates::SUMS)],
            ["G'G", "T² · n; at B = 1 T² · f, without G", &rate(rates::PRODUCT)],
            [
                "eigenvalues",
                "4/3 · T³",
                &format!("{}, and {:.0} ns · T²", rate(rates::PRODUCT), 1e9 * rates::EIGENVALUE_ENTRY),
            ],
            ["tests along iterations", "n · T entries", &format!("{:.0} ns an entry", 1e9 * rates::ITERATION_ENTRY)],
            ["tests along parameters", "n · T entries", &format!("{:.0} ns an entry", 1e9 * rates::DIMENSION_ENTRY)],
            ["start of a pass", "T, where a minibatch takes its own", &format!("{} ms each", 1e3 * rates::PASS_START)],
        ]
        .map(|cells| cells.map(str::to_owned)),
    )
}

/// Estimates beside docs/performance.md.
fn measured() -> String {
    let gradients = |batch| {
        let workload = Workload::of(&lenet(batch, ITERATIONS));
        let operations = workload.operations();
        operations.sums / rates::SUMS + operations.gram / rates::PRODUCT
    };
    let passes = |id| Workload::of(&row("table-5", id)).operations().passes / rates::PASS;
    let eigenvalues = |order: usize| gradspectra::cost::eigenvalue_seconds(order as f64);
    let lines = [
        ("Gram matrix, B = 1", gradients(1), 0.6),
        ("Gram matrix, B = 10", gradients(10), 5.1),
        ("Gram matrix, B = 100", gradients(100), 5.5),
        ("Gram matrix, B = 1000", gradients(1000), 9.5),
        ("Gram matrix, B = 10,000", gradients(10_000), 58.3),
        ("pass over 60,000 examples", passes("random-b10000"), 1.9),
        ("eigenvalues, T = 1000", eigenvalues(1000), 0.054),
        ("eigenvalues, T = 2000", eigenvalues(2000), 0.31),
        ("eigenvalues, T = 5000", eigenvalues(5000), 2.0),
    ];
    table(
        &["LeNet, T = 5000", "estimate, seconds", "measured, seconds"],
        lines.map(|(what, estimate, measured)| [what.to_owned(), short(estimate), short(measured)]),
    )
}

fn iterations_and_batches() -> String {
    let cases = [1000, 2000, 5000, 10_000, 20_000].map(|iterations| (1, iterations));
    let batches = [10, 100, 1000, 10_000].map(|batch| (batch, ITERATIONS));
    let lines = cases.into_iter().chain(batches).map(|(batch, iterations)| {
        let row = lenet(batch, iterations);
        let operations = Workload::of(&row).operations();
        [
            batch.to_string(),
            iterations.to_string(),
            power(operations.passes),
            power(operations.sums),
            power(operations.gram),
            power(operations.eigenvalues),
            time(Workload::of(&row).seconds()),
            bytes(Sizes::of(&row).total(&row) as f64),
        ]
    });
    table(&["B", "T", "passes", "sums", "G'G", "eigenvalues", "time", "memory"], lines)
}

fn parameters() -> String {
    let rows = [("table-5", "random-b100"), ("table-1", "fcn-random"), ("table-3", "c10-random-iteration")];
    let lines = rows.map(|(table, id)| {
        let mut row = row(table, id);
        (row.analysis, row.iterations) = (lenet(1, 1).analysis, ITERATIONS);
        let (sizes, workload) = (Sizes::of(&row), Workload::of(&row));
        let operations = workload.operations();
        [
            row.model.to_string(),
            format!("{}", sizes.parameters),
            row.batch_size.to_string(),
            power(operations.passes),
            power(operations.gram),
            time(workload.seconds()),
            bytes(sizes.total(&row) as f64),
            bytes(F32 * workload.parameters * workload.iterations),
        ]
    });
    table(&["network", "n", "B", "passes", "G'G", "time", "memory", "G"], lines)
}

/// Square linear layers: how wide, and how many.
const NETWORKS: [(&str, u64, u64); 3] = [("1e8", 4096, 6), ("1e9", 8192, 15), ("1e11", 12_288, 662)];

fn sizes(width: u64, layers: u64) -> Sizes {
    let parameters = width * width * layers;
    Sizes {
        examples: 60_000,
        features: width,
        parameters,
        factors: 2 * width * layers,
        layer: 2 * width,
        traced: 2 * width * layers,
        pair: [2 * width * layers, 0],
        gradient: parameters,
        block: width * (8192 / width).max(1),
        blocks: parameters / 4096,
        activations: 0,
        multiply_adds: parameters,
        copies: 0,
    }
}

fn networks() -> String {
    let lines = NETWORKS.map(|(name, width, layers)| {
        let sizes = sizes(width, layers);
        let (n, factors, iterations) = (sizes.parameters as f64, sizes.factors as f64, ITERATIONS as f64);
        [
            name.to_owned(),
            format!("{layers} of {width} × {width}"),
            bytes(F32 * n),
            bytes(F32 * n * iterations),
            bytes(F32 * factors),
            bytes(F32 * factors * iterations),
        ]
    });
    table(&["n", "linear layers", "weights", "G at T = 5000", "factors of an example", "of 5000"], lines)
}

fn single_examples() -> String {
    let lines = NETWORKS.map(|(name, width, layers)| {
        let (sizes, row) = (sizes(width, layers), lenet(1, ITERATIONS));
        let workload = Workload::with_sizes(&sizes, &row);
        let operations = workload.operations();
        let held = F32 * (sizes.parameters as f64 + workload.factors * workload.iterations);
        let nodes = (held / NODE).ceil();
        let traffic = if nodes > 1.0 { nodes * F32 * workload.iterations.powi(2) } else { 0.0 };
        [
            name.to_owned(),
            power(operations.passes),
            power(operations.gram),
            power(operations.eigenvalues),
            time(workload.seconds()),
            bytes(held),
            format!("{nodes}"),
            bytes(traffic),
        ]
    });
    let header =
        ["n", "passes", "Gram", "eigenvalues", "time on the 2 CPUs", "weights and factors", "nodes", "traffic"];
    table(&header, lines)
}

/// The passes of the largest network at 10¹⁴ operations a second.
fn accelerated() -> String {
    let (_, width, layers) = NETWORKS[2];
    time(Workload::with_sizes(&sizes(width, layers), &lenet(1, ITERATIONS)).operations().passes / 1e14)
}

/// B = 100: a mosaic of blocks of iterations, two of which are held at once.
fn blocks() -> String {
    let counts = [(0, [1, 4, 16]), (1, [4, 16, 64]), (2, [64, 256, 1024])];
    let lines = counts.into_iter().flat_map(|(network, nodes)| nodes.map(|nodes| (NETWORKS[network], nodes)));
    let lines = lines.map(|((name, width, layers), nodes)| {
        let row = lenet(100, ITERATIONS);
        let workload = Workload { examples: f64::INFINITY, ..Workload::with_sizes(&sizes(width, layers), &row) };
        let (n, iterations) = (workload.parameters, workload.iterations);
        let room = f64::from(nodes) * NODE - F32 * n;
        let block = (room / (2.0 * F32 * n)).floor().min(iterations);
        let blocks = (iterations / block).ceil();
        // A row of the mosaic holds one block and forms each later one anew.
        let repeats = (blocks + 1.0) / 2.0;
        let tiles = blocks * (blocks + 1.0) / 2.0;
        let operations = workload.operations();
        // Inputs go on to the next node, derivatives back.
        let handed_on = 2.0 * F32 * width as f64 * f64::from(nodes - 1) * iterations * workload.batch * repeats;
        [
            name.to_owned(),
            nodes.to_string(),
            block.to_string(),
            format!("{tiles:.0}"),
            power(repeats * (operations.passes + operations.sums)),
            power(operations.gram),
            bytes(f64::from(nodes) * F32 * block * block * tiles),
            bytes(handed_on),
        ]
    });
    table(
        &["n", "nodes", "iterations a block", "tiles", "passes and sums", "G'G", "traffic of tiles", "of passes"],
        lines,
    )
}

/// The parameters of GPT-2, and those of its table of tokens.
const GPT2: f64 = 124_439_808.0;
const GPT2_TABLE: f64 = 50_257.0 * 768.0;
const GPT2_ITERATIONS: f64 = 1000.0;

/// Operations of a pass of all examples forward and, to the layers' outputs alone, back: the layers and the attention.
fn gpt2_pass() -> f64 {
    let (length, width, blocks) = (1024.0, 768.0, 12.0);
    let layers = 12.0 * width * width * blocks + GPT2_TABLE;
    let attention = 2.0 * length * width * blocks;
    2.0 * 2.0 * length * (layers + attention) * GPT2_ITERATIONS
}

/// GPT-2 on a card and on nodes.
fn gpt2() -> String {
    let held = F32 * GPT2 * GPT2_ITERATIONS;
    let machines = [
        ("one Hopper card, 128 GB of memory beside", 1.0, 96e9, [20e12, 20e12]),
        ("16 nodes of 64 cores, 256 GB each", 16.0, 192e9, [40.0 * rates::PASS, 40.0 * rates::PRODUCT]),
    ];
    let lines = machines.map(|(name, count, room, [pass, product])| {
        let passes = (held / count / room).ceil();
        let forming = 2.0 * 1024.0 * GPT2 * GPT2_ITERATIONS;
        let gram = (GPT2_ITERATIONS.powi(2) * GPT2 + forming) / count;
        [
            name.to_owned(),
            bytes(held / count),
            format!("{passes}"),
            time(passes * gpt2_pass() / pass),
            time(gram / product),
        ]
    });
    table(&["machine", "G of its layers", "passes", "their time at most", "gradients and G'G"], lines)
}

/// A Markdown table.
fn table<const N: usize>(header: &[&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header = line(&header.map(str::to_owned)) + &line(&[const { "---" }; N].map(str::to_owned));
    rows.into_iter().fold(header, |text, row| text + &line(&row)).trim_end().to_owned()
}

/// Two significant digits.
fn short(value: f64) -> String {
    let digits = (1 - value.log10().floor() as i32).clamp(0, 3) as usize;
    format!("{value:.digits$}")
}

/// A number as a power of ten, `–` for nothing.
fn power(value: f64) -> String {
    if value == 0.0 { "–".to_owned() } else { format!("{value:.1e}") }
}

fn bytes(value: f64) -> String {
    match value {
        0.0 => "none".to_owned(),
        ..1e9 => format!("{} MB", short(value / 1e6)),
        ..1e12 => format!("{} GB", short(value / 1e9)),
        ..1e15 => format!("{} TB", short(value / 1e12)),
        _ => format!("{} PB", short(value / 1e15)),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{} s", short(seconds)),
        ..6000.0 => format!("{} min", short(seconds / 60.0)),
        ..172_800.0 => format!("{} h", short(seconds / 3600.0)),
        _ => format!("{} days", short(seconds / 86_400.0)),
    }
}
