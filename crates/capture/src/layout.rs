use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// One parameter's place in a gradient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSlot {
    /// Its path in the model, e.g. `fc1.weight`.
    pub path: String,
    /// Its shape as Burn stores it.
    pub shape: Vec<usize>,
    /// The entries of the gradient that are its own.
    pub range: Range<usize>,
}

/// The order of a model's parameters in a gradient: that of the module's fields. What needs no gradient (running
/// statistics, frozen parameters) has no place in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParameterLayout {
    slots: Vec<ParameterSlot>,
    frozen: Vec<String>,
}

impl ParameterLayout {
    /// The layout of `model`, which lives on an autodiff device.
    pub fn of<M: Module>(model: &M) -> Self {
        let mut visitor = LayoutVisitor::default();
        model.visit(&mut visitor);
        visitor.layout
    }

    /// The parameters, in order.
    pub fn slots(&self) -> &[ParameterSlot] {
        &self.slots
    }

    /// The paths of the parameters that need no gradient, without running statistics.
    pub fn frozen(&self) -> &[String] {
        &self.frozen
    }

    /// n, the number of entries of a gradient.
    pub fn parameters(&self) -> usize {
        self.slots.last().map_or(0, |slot| slot.range.end)
    }

    /// The paths of the parameters that have some of the entries `entries`.
    pub fn paths(&self, entries: &Range<usize>) -> Vec<String> {
        let has = |slot: &&ParameterSlot| slot.range.start < entries.end && entries.start < slot.range.end;
        self.slots.iter().filter(has).map(|slot| slot.path.clone()).collect()
    }

    /// The values of the parameters of `model`, of which this is the layout, in its order: n entries.
    pub fn values<M: Module>(&self, model: &M) -> Vec<f32> {
        let mut visitor = ValueVisitor { values: Vec::with_capacity(self.parameters()) };
        model.visit(&mut visitor);
        visitor.values
    }

    /// The entries of the layer, or of the parameter, at `path`, where they follow each other.
    pub(crate) fn layer(&self, path: &str) -> Option<Range<usize>> {
        if let Some(slot) = self.slots.iter().find(|slot| slot.path == path) {
            return Some(slot.range.clone());
        }
        let own = |slot: &&ParameterSlot| slot.path.rsplit_once('.').is_some_and(|(layer, _)| layer == path);
        let slots: Vec<_> = self.slots.iter().filter(own).collect();
        let (first, last) = (slots.first()?, slots.last()?);
        let range = first.range.start..last.range.end;
        (slots.iter().map(|slot| slot.range.len()).sum::<usize>() == range.len()).then_some(range)
    }
}

#[derive(Default)]
struct LayoutVisitor {
    names: Vec<String>,
    /// The types that hold them.
    containers: Vec<String>,
    layout: ParameterLayout,
}

impl ModuleVisitor for LayoutVisitor {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.names.push(name.to_owned());
        self.containers.push(container_type.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.names.pop();
        self.containers.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        if !tensor.is_require_grad() {
            if !self.is_running_statistic() {
                self.layout.frozen.push(self.names.join("."));
            }
            return;
        }
        let shape = tensor.dims().to_vec();
        let start = self.layout.parameters();
        let end = start + shape.iter().product::<usize>();
        self.layout.slots.push(ParameterSlot { path: self.names.join("."), shape, range: start..end });
    }
}

impl LayoutVisitor {
    /// Whether the field at hand is a state that training moves without a gradient, as Burn's BatchNorm keeps it.
    fn is_running_statistic(&self) -> bool {
        let name = self.names.last().map_or("", String::as_str);
        let held_by_norm = self.containers.last().is_some_and(|container| container.contains("BatchNorm"));
        held_by_norm && name.starts_with("running_")
    }
}

struct ValueVisitor {
    values: Vec<f32>,
}

impl ModuleVisitor for ValueVisitor {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        if tensor.is_require_grad() {
            let values = tensor.inner().into_data().try_to_vec::<f32>().expect("parameters are f32");
            self.values.extend(values);
        }
    }
}
