//! Gradients of the language model against PyTorch's in float64; `fixture/make.py` makes them.

use std::path::Path;

use burn::tensor::Device;
use gradspectra::capture::{MinibatchIndices, direct_history};
use gradspectra::models::{Architecture, Facts, read_checkpoint};
use gradspectra::read_values;
use language_model::{LanguageModelSettings, Sequences};

const ITERATIONS: usize = 4;

#[test]
fn gradients_are_those_of_pytorch() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture");
    let device = Device::flex().autodiff();
    let facts = Facts { input_shape: vec![6], targets: 11, examples: 16 };
    let model = LanguageModelSettings { width: 8 }.build(&facts, &device).unwrap();
    let (model, _) = read_checkpoint(model, &fixture.join("weights.safetensors")).unwrap();
    let examples = Sequences { examples: 16 };
    for batch in [1, 4] {
        let expected = read_values(&fixture.join(format!("gradients-b{batch}.npy"))).unwrap();
        let indices: Vec<u32> = (0..(batch * ITERATIONS) as u32).collect();
        let minibatches = MinibatchIndices::new(&indices, batch, 16).unwrap();
        let history = direct_history(&model, &examples, minibatches, &device, |_| ()).unwrap();
        let gradients = history.gradients();
        assert_eq!(gradients.nrows() * ITERATIONS, expected.len());
        for (t, expected) in expected.chunks(gradients.nrows()).enumerate() {
            let norm = expected.iter().map(|x| x * x).sum::<f64>().sqrt();
            for (row, expected) in expected.iter().enumerate() {
                let difference = (f64::from(gradients[(row, t)]) - expected).abs();
                assert!(difference < 2e-6 * norm, "B = {batch}, iteration {t}, row {row}: off by {difference:e}");
            }
        }
    }
}
