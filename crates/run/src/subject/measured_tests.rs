use std::sync::Arc;

use super::*;

/// A network and a data set as experiment files write them, and the labels of CIFAR-100.
fn measured_of(model: &str, data: &str, options: &str) -> Result<Arc<Measured>> {
    let parse = |text: &str| toml::from_str::<toml::Table>(&format!("it = {text}")).expect("TOML");
    let model: ModelSpec = parse(model)["it"].clone().try_into().expect("a network");
    let data: DataSpec = parse(data)["it"].clone().try_into().expect("a data set");
    measured(&model, &data, toml::from_str(options).expect("options"))
}

/// The numbers of parameters are those of PyTorch's networks: sum(p.numel() for p in model.parameters()).
#[test]
fn sizes_are_those_of_the_networks() {
    for (model, data, options, parameters, factors, mixes) in [
        ("'lenet'", "'mnist'", "", 44_426, 3246, false),
        ("{ kind = 'lenet', padded = true }", "'mnist'", "", 61_706, 3390, false),
        ("'lenet'", "'cifar-100'", "", 69_656, 3780, false),
        ("'lenet'", "'cifar-100'", "cifar-100-labels = 'coarse'", 62_856, 3700, false),
        ("'fcn'", "'mnist'", "", 57_368, 0, true),
        (
            "{ kind = 'fcn', width = 30, hidden-layers = 2, batch-norm = 'after-linear' }",
            "'mnist'",
            "",
            24_910,
            0,
            true,
        ),
        ("{ kind = 'fcn', hidden-layers = 0, batch-norm = 'none' }", "'avila'", "", 132, 22, false),
        ("{ kind = 'lnn', relu = true }", "'mnist'", "", 65_600, 1214, false),
        ("'resnet18'", "'cifar-10'", "", 11_173_962, 0, true),
    ] {
        let measured = measured_of(model, data, options).expect("they fit");
        let found: usize = measured.layers.iter().map(|layer| layer.factors).sum();
        let expected = (parameters, factors, mixes);
        assert_eq!((measured.parameters, found, measured.mixes), expected, "{model} on {data}");
        if factors > 0 {
            let covered: usize = measured.layers.iter().map(LayerSize::parameters).sum();
            assert_eq!(covered, parameters, "{model}");
        }
    }
}

#[test]
fn what_is_known_of_data_is_that_of_their_files() {
    for (data, examples, features) in
        [("'mnist'", 60_000, 784), ("'cifar-10'", 50_000, 3072), ("'cifar-100'", 50_000, 3072), ("'avila'", 10_430, 10)]
    {
        let measured = measured_of("{ kind = 'fcn', batch-norm = 'none' }", data, "").expect("they fit");
        assert_eq!((measured.examples, measured.features), (examples, features), "{data}");
    }
}
