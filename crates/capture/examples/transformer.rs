//! scratch
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use gradspectra_capture::*;
use gradspectra_models::*;
use std::time::Instant;

struct Tokens {
    inputs: Vec<i64>,
    length: usize,
}
impl Examples for Tokens {
    type Batch = Sequences;
    fn len(&self) -> usize {
        self.inputs.len() / self.length
    }
    fn batch(&self, indices: &[u32], device: &Device) -> Sequences {
        let rows = |shift: usize| -> Tensor<2, Int> {
            let rows = indices.iter().flat_map(|&i| {
                (0..self.length).map(move |k| self.inputs[i as usize * self.length + (k + shift) % self.length])
            });
            Tensor::from_data(TensorData::new(rows.collect::<Vec<_>>(), [indices.len(), self.length]), device)
        };
        Sequences { inputs: rows(0), targets: rows(1) }
    }
}
fn go<A: Architecture>(
    s: &A,
    facts: Facts,
    examples: impl Examples<Batch = <A::Model as Model>::Batch> + Copy,
    t: usize,
) {
    let device = Device::flex().autodiff();
    let model = initialise(s.build(&facts, &device).unwrap(), Initialisation::Uniform, 1).unwrap();
    let idx: Vec<u32> = (0..t as u32).collect();
    if std::env::args().nth(3).is_some() {
        let still = detached(&model).no_grad();
        for c in [8, 23, 64] {
            let n = 184 / c;
            let start = Instant::now();
            for k in 0..n {
                let ix: Vec<u32> = (k * c..(k + 1) * c).map(|x| x as u32).collect();
                let l: f32 = losses(&still, examples.batch(&ix, &device), &ix, &mut Trace::direct())
                    .unwrap()
                    .sum()
                    .into_scalar();
                assert!(l > 0.0);
            }
            let a = start.elapsed().as_secs_f64();
            let (mut b, mut r, mut d) = (0.0, 0.0, 0.0);
            for k in 0..n {
                let ix: Vec<u32> = (k * c..(k + 1) * c).map(|x| x as u32).collect();
                let mut tr = Trace::recording();
                let start = Instant::now();
                let l = losses(&still, examples.batch(&ix, &device), &ix, &mut tr).unwrap().sum();
                b += start.elapsed().as_secs_f64();
                let start = Instant::now();
                let g = l.backward();
                r += start.elapsed().as_secs_f64();
                let start = Instant::now();
                let x = tr.resolve(g).unwrap();
                let y: Vec<_> = x.into_iter().map(|f| f.factors.smallest()).collect();
                d += start.elapsed().as_secs_f64();
                drop(y);
            }
            let s = 1000.0 / 184.0;
            println!(
                "chunk {c}: forward only {:.2} forward {:.2} backward {:.2} resolve {:.2} per 1000",
                a * s,
                b * s,
                r * s,
                d * s
            );
        }
    }
    let start = Instant::now();
    let f = ExampleFactors::capture(&model, examples, &idx, &device, |_| ()).unwrap();
    let a = start.elapsed().as_secs_f64();
    let numbers: usize = f.layers().iter().map(|l| l.factors).sum();
    println!(
        "params {} capture {a:.2} s, factors {:.2} GB",
        ParameterLayout::of(&model).parameters(),
        numbers as f64 * t as f64 * 4e-9
    );
    let mb = MinibatchIndices::new(&idx, 1, t).unwrap();
    let start = Instant::now();
    let g = f.gram(mb, Precision::Single).unwrap();
    println!("gram {:.2} s {}", start.elapsed().as_secs_f64(), g.norms()[0]);
    let rss = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", rss.lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
fn main() {
    let t: usize = std::env::args().nth(2).map_or(1000, |x| x.parse().unwrap());
    if std::env::args().nth(1).unwrap() == "gpt" {
        let length = 64;
        let inputs = (0..t * length).map(|i| ((i * 2654435761) >> 7) as i64 % 65).collect();
        let e = Tokens { inputs, length };
        go(&GptSettings::default(), Facts { input_shape: vec![length], targets: 65, examples: t }, &e, t);
    } else {
        let inputs: Vec<f32> = (0..t * 3072).map(|i| ((i * 2654435761) % 1009) as f32 / 500.0 - 1.0).collect();
        let labels: Vec<u32> = (0..t).map(|i| (i % 10) as u32).collect();
        go(
            &VitSettings::default(),
            Facts { input_shape: vec![3, 32, 32], targets: 10, examples: t },
            LabelledInputs::new(&inputs, &labels, 3072),
            t,
        );
    }
}
