//! The networks, one a file.

pub(crate) mod fcn;
pub(crate) mod gpt;
pub(crate) mod lenet;
pub(crate) mod mlp;
pub(crate) mod resnet18;
pub(crate) mod vit;

/// Refuses the blocks that no transformer has.
fn check_heads(layers: usize, heads: usize, width: usize) -> Result<(), String> {
    /// The most blocks, and numbers that a position is at.
    const MOST: usize = 1 << 16;
    if (1..=MOST).contains(&layers) && (1..=MOST).contains(&width) && heads > 0 && width.is_multiple_of(heads) {
        return Ok(());
    }
    Err(format!(
        "it has layers {layers}, heads {heads} and width {width}; give layers and a width of 1 to {MOST}, and heads that divide \
         the width"
    ))
}
