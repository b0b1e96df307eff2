use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::bridge::deferred;
use burn::store::burn_pack::Error;
use burn::store::{BurnToPyTorchAdapter, ModuleAdapter, ModuleContext};
use burn::tensor::{Bool, DType, Int, Shape, Tensor};

/// Whose names and layout a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// `Linear` is `[out, in]`, and BatchNorm has `weight` and `bias`.
    PyTorch,
    /// `Linear` is `[in, out]`, and BatchNorm has `gamma` and `beta`.
    Burn,
}

/// A tensor of a model under both of its names.
#[derive(Debug)]
pub(super) struct Parameter {
    pub burn: (String, Vec<usize>),
    pub pytorch: (String, Vec<usize>),
    /// Whether its numbers are floating-point ones.
    pub float: bool,
}

impl Parameter {
    /// Its name and shape in a file of this layout, and then in the other.
    pub fn in_layout(&self, layout: Layout) -> [&(String, Vec<usize>); 2] {
        match layout {
            Layout::PyTorch => [&self.pytorch, &self.burn],
            Layout::Burn => [&self.burn, &self.pytorch],
        }
    }

    /// Its name in a file of this layout, with the other where that differs.
    pub fn named(&self, layout: Layout) -> String {
        let [(name, _), (other, _)] = self.in_layout(layout);
        match (name == other, layout) {
            (true, _) => name.clone(),
            (false, Layout::PyTorch) => format!("{name} ({other} in Burn)"),
            (false, Layout::Burn) => format!("{name} ({other} in PyTorch)"),
        }
    }

    /// What a tensor `found` of a file of this layout has of another shape.
    pub fn misfit(&self, found: &[usize], layout: Layout) -> String {
        let [(name, shape), (other, other_shape)] = self.in_layout(layout);
        let [ours, theirs] = match layout {
            Layout::PyTorch => ["PyTorch", "Burn"],
            Layout::Burn => ["Burn", "PyTorch"],
        };
        let found = format!("{name} is {found:?} in the file ({ours}'s layout), the model has {shape:?}");
        format!("{found}, which in {theirs} is {other} {other_shape:?}")
    }
}

/// The tensors of a model, in its order.
pub(super) struct Parameters {
    path: Vec<String>,
    containers: Vec<String>,
    skip_enum_variants: bool,
    found: Vec<Parameter>,
}

impl Parameters {
    /// The parameters of `model`; none of them is initialised by being looked at.
    pub fn of<M: Module>(model: &M, skip_enum_variants: bool) -> Vec<Parameter> {
        let mut parameters = Self { path: Vec::new(), containers: Vec::new(), skip_enum_variants, found: Vec::new() };
        model.visit(&mut parameters);
        parameters.found
    }

    fn push(&mut self, shape: Shape, float: bool) {
        let name = self.path.join(".");
        let dtype = if float { DType::F32 } else { DType::I64 };
        let empty = || Err(Error::ValidationError("a parameter's shape has no data".to_owned()));
        let tensor = deferred(name.clone(), dtype, shape.clone(), None, empty);
        let exported = BurnToPyTorchAdapter.adapt(tensor, ModuleContext::new(&self.containers));
        self.found.push(Parameter {
            burn: (name, shape.to_vec()),
            pytorch: (exported.name.clone(), exported.shape.to_vec()),
            float,
        });
    }
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.containers.push(container_type.to_owned());
        if !self.skip_enum_variants || !container_type.starts_with("Enum:") {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.containers.pop();
        if !self.skip_enum_variants || !container_type.starts_with("Enum:") {
            self.path.pop();
        }
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.push(param.lazy_shape(), true);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.push(param.lazy_shape(), false);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.push(param.lazy_shape(), false);
    }
}

/// The parameters by every name that a file of this layout may give them.
pub(super) fn by_name(parameters: &[Parameter], layout: Layout) -> HashMap<&str, &Parameter> {
    let other = parameters.iter().map(|parameter| (parameter.in_layout(layout)[1].0.as_str(), parameter));
    let own = parameters.iter().map(|parameter| (parameter.in_layout(layout)[0].0.as_str(), parameter));
    match layout {
        Layout::PyTorch => other.chain(own).collect(),
        Layout::Burn => own.collect(),
    }
}
