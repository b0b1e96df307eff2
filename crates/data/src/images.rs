use crate::error::{Result, invalid};

/// Labelled images as bytes, before normalisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    pixels: Vec<u8>,
    shape: [usize; 3],
    labels: Vec<u8>,
    classes: usize,
}

impl ImageSet {
    /// Images `[N, C, H, W]` of `shape` `[C, H, W]` with `N` labels below `classes`.
    ///
    /// # Errors
    ///
    /// There are no images, or the lengths or labels do not fit.
    pub fn new(pixels: Vec<u8>, shape: [usize; 3], labels: Vec<u8>, classes: usize) -> Result<Self> {
        let size = shape.iter().try_fold(1_usize, |size, &d| size.checked_mul(d));
        let expected = size.and_then(|size| size.checked_mul(labels.len()));
        if expected != Some(pixels.len()) || pixels.is_empty() {
            return Err(invalid(
                "the number of pixels",
                pixels.len(),
                format!("{} images of {shape:?}, at least one", labels.len()),
            ));
        }
        if let Some(&label) = labels.iter().find(|&&label| label as usize >= classes) {
            return Err(invalid("a label", label, format!("less than {classes}")));
        }
        Ok(Self { pixels, shape, labels, classes })
    }

    /// The number of images N.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one image")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The shape `[C, H, W]` of one image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// All pixels, row-major `[N, C, H, W]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels `[C, H, W]` of image `index`.
    ///
    /// # Panics
    ///
    /// If `index` is not less than [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.shape.iter().product::<usize>();
        &self.pixels[index * size..][..size]
    }

    /// The labels `[N]`.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_lie_one_after_the_other() -> Result<()> {
        let set = ImageSet::new((0..12).collect(), [1, 2, 3], vec![4, 0], 5)?;
        assert_eq!((set.len(), set.shape(), set.classes()), (2, [1, 2, 3], 5));
        assert_eq!(set.image(1), [6, 7, 8, 9, 10, 11]);
        assert_eq!(set.labels(), [4, 0]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (pixels, shape, labels, expected) in [
            (vec![0; 11], [1, 2, 3], vec![0, 0], "pixels is 11, expected 2 images of [1, 2, 3]"),
            (vec![], [1, 2, 3], vec![], "at least one"),
            (vec![], [0, 2, 3], vec![0], "at least one"),
            (vec![0; 6], [usize::MAX, 2, 3], vec![0], "pixels is 6"),
            (vec![0; 6], [1, 2, 3], vec![5], "a label is 5, expected less than 5"),
        ] {
            let error = ImageSet::new(pixels, shape, labels, 5).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
