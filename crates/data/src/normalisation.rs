use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Result, invalid},
    examples::Examples,
    images::ImageSet,
};

/// How pixels become inputs.
///
/// Avila's features, z-scores as published, are clipped and standardised once more unless this is [`None`](Self::None).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalisation {
    /// One mean and deviation a channel, the constants that the field uses.
    #[default]
    PerChannel,
    /// Zero mean and unit variance of each pixel over the training images, as the paper's appendix says.
    PerPixel,
    /// The pixel over 255.
    None,
}

/// A fitted normalisation of images: (x/255 − mean) / deviation, in f32 as torchvision computes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Normaliser {
    shape: [usize; 3],
    /// `[C, H, W]`
    means: Vec<f32>,
    /// `[C, H, W]`; infinite where a pixel is to give 0
    deviations: Vec<f32>,
}

impl Normaliser {
    /// One mean and deviation of x/255 a channel, for images of `shape` `[C, H, W]`.
    ///
    /// # Errors
    ///
    /// There are not as many means and deviations as channels, or one is not finite, or a deviation is not positive.
    pub fn per_channel(shape: [usize; 3], means: &[f32], deviations: &[f32]) -> Result<Self> {
        let [channels, height, width] = shape;
        if [means.len(), deviations.len()] != [channels; 2] {
            return Err(invalid(
                "the number of means and deviations",
                format!("{} and {}", means.len(), deviations.len()),
                format!("{channels} each, one a channel"),
            ));
        }
        let sound = |deviation: &f32| deviation.is_finite() && *deviation > 0.0;
        if !means.iter().all(|mean| mean.is_finite()) || !deviations.iter().all(sound) {
            return Err(invalid(
                "the normalisation",
                format!("means {means:?}, deviations {deviations:?}"),
                "finite means and positive deviations",
            ));
        }
        let spread = |values: &[f32]| {
            let pixels = values.iter().map(|&value| vec![value; height * width]);
            pixels.collect::<Vec<_>>().concat()
        };
        Ok(Self { shape, means: spread(means), deviations: spread(deviations) })
    }

    /// Each pixel's mean and (population) deviation over the `training` images; a pixel constant there gives 0.
    pub fn per_pixel(training: &ImageSet) -> Self {
        let size = training.image(0).len();
        let mut sums = vec![(0_u64, 0_u64); size];
        for image in training.pixels().chunks_exact(size) {
            for ((sum, squares), &pixel) in sums.iter_mut().zip(image) {
                *sum += u64::from(pixel);
                *squares += u64::from(pixel).pow(2);
            }
        }
        let count = training.len() as f64;
        let deviation = |(sum, squares): (u64, u64)| {
            let (sum, squares) = (u128::from(sum), u128::from(squares));
            match training.len() as u128 * squares - sum * sum {
                0 => f32::INFINITY,
                spread => ((spread as f64).sqrt() / count / 255.0) as f32,
            }
        };
        Self {
            shape: training.shape(),
            means: sums.iter().map(|&(sum, _)| (sum as f64 / count / 255.0) as f32).collect(),
            deviations: sums.into_iter().map(deviation).collect(),
        }
    }

    /// x/255, for images of `shape` `[C, H, W]`.
    pub fn unit(shape: [usize; 3]) -> Self {
        let size = shape.iter().product();
        Self { shape, means: vec![0.0; size], deviations: vec![1.0; size] }
    }

    /// The shape `[C, H, W]` of the images that this normalises.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Normalises one image `[C, H, W]` into `input`.
    ///
    /// # Panics
    ///
    /// If `image` or `input` is not of that many elements.
    pub fn normalise(&self, image: &[u8], input: &mut [f32]) {
        assert_eq!([image.len(), input.len()], [self.means.len(); 2]);
        let scale = self.means.iter().zip(&self.deviations);
        for ((input, &pixel), (mean, deviation)) in input.iter_mut().zip(image).zip(scale) {
            *input = (f32::from(pixel) / 255.0 - mean) / deviation;
        }
    }

    /// Normalises all `images`, into inputs `[N, C, H, W]`.
    ///
    /// # Errors
    ///
    /// The images are of another shape.
    pub fn examples(&self, images: &ImageSet) -> Result<Examples> {
        if images.shape() != self.shape {
            return Err(invalid("the images' shape", format!("{:?}", images.shape()), format!("{:?}", self.shape)));
        }
        let size = self.means.len();
        let mut inputs = vec![0.0; images.pixels().len()];
        inputs
            .par_chunks_exact_mut(size)
            .zip(images.pixels().par_chunks_exact(size))
            .for_each(|(input, image)| self.normalise(image, input));
        let labels = images.labels().iter().map(|&label| label.into()).collect();
        Examples::new(inputs, self.shape.to_vec(), labels, images.classes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    fn images() -> Result<ImageSet> {
        ImageSet::new(vec![0, 7, 255, 51, 102, 7, 255, 153], [2, 1, 2], vec![0, 1], 2)
    }

    #[test]
    fn each_channel_has_its_mean_and_deviation() -> Result<()> {
        let normaliser = Normaliser::per_channel([2, 1, 2], &[0.5, 0.2], &[0.25, 0.1])?;
        let examples = normaliser.examples(&images()?)?;
        let seven = (7.0 / 255.0 - 0.5) / 0.25;
        assert_close(examples.input(0), &[-2.0, seven, 8.0, 0.0]);
        assert_close(examples.input(1), &[-0.4, seven, 8.0, 4.0]);
        assert_eq!(examples.labels(), [0, 1]);
        Ok(())
    }

    #[test]
    fn each_pixel_has_zero_mean_and_unit_variance_and_constant_ones_give_zero() -> Result<()> {
        let examples = Normaliser::per_pixel(&images()?).examples(&images()?)?;
        assert_close(examples.input(0), &[-1.0, 0.0, 0.0, -1.0]);
        assert_close(examples.input(1), &[1.0, 0.0, 0.0, 1.0]);
        Ok(())
    }

    #[test]
    fn none_is_the_pixel_over_255() -> Result<()> {
        let examples = Normaliser::unit([2, 1, 2]).examples(&images()?)?;
        assert_close(examples.input(1), &[0.4, 7.0 / 255.0, 1.0, 0.6]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() -> Result<()> {
        let shape = [2, 1, 2];
        for (means, deviations, expected) in [
            (vec![0.5], vec![0.5, 0.5], "1 and 2, expected 2 each"),
            (vec![0.5, f32::NAN], vec![0.5, 0.5], "finite means"),
            (vec![0.5, 0.5], vec![0.5, 0.0], "positive deviations"),
        ] {
            let error = Normaliser::per_channel(shape, &means, &deviations).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        }
        let error = Normaliser::unit([1, 2, 2]).examples(&images()?).expect_err("shape");
        assert!(error.to_string().contains("[2, 1, 2], expected [1, 2, 2]"), "{error}");
        Ok(())
    }
}
