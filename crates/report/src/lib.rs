//! Tables, plots and the page, of results alone. Without Burn.

mod markup;
mod page;
mod plots;
mod table;
mod track;

pub use markup::quoted;
pub use page::{Page, Report};
pub use plots::{draw_missing, write as draw, write_track as draw_track};
pub use table::{Agreement, Figures, Measure, Table, TableFormat, TableRow, Verdict, wrapped};
pub use track::{TrackFormat, points};
