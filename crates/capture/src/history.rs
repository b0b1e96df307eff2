use burn::tensor::Device;
use faer::Mat;

use crate::gram::GramBuilder;
use crate::{Gram, ParameterLayout, Precision, Result};

/// The gradient history matrix G, n parameters × T iterations, column t the gradient of iteration t (§A.1).
#[derive(Debug, Clone)]
pub struct GradientHistory {
    layout: ParameterLayout,
    gradients: Mat<f32>,
}

impl GradientHistory {
    pub(crate) fn new(layout: ParameterLayout, gradients: Mat<f32>) -> Self {
        Self { layout, gradients }
    }

    /// Which entry belongs to which parameter.
    pub fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    /// G, n × T.
    pub fn gradients(&self) -> &Mat<f32> {
        &self.gradients
    }

    /// The Gram matrix of the columns, products in `precision`.
    ///
    /// # Errors
    ///
    /// The system refuses the memory of T × T numbers.
    pub fn gram(&self, precision: Precision) -> Result<Gram> {
        self.gram_by(GramBuilder::new(self.gradients.ncols(), precision)?)
    }

    /// The Gram matrix of the columns, with products in f32 formed on `device`.
    ///
    /// # Errors
    ///
    /// The system refuses the memory of T × T numbers.
    pub fn gram_on(&self, device: &Device) -> Result<Gram> {
        self.gram_by(GramBuilder::new(self.gradients.ncols(), Precision::Single)?.on(device))
    }

    fn gram_by(&self, mut builder: GramBuilder) -> Result<Gram> {
        builder.add_rows(self.gradients.as_ref());
        builder.finish()
    }
}
