//! Panels of one size in rows and columns below the title.

use super::canvas::Point;
use super::render::{TITLE_ROW, WIDTH};

/// Left and right of all panels, pixels.
const MARGIN: u32 = 10;

/// Where panels are placed, row by row. Its columns stand in the middle of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Columns, at least 1.
    pub(super) n_columns: u32,
    /// Panels. Without any, there is room for one.
    pub(super) n_panels: u32,
    /// Width and height of a panel with all that is around it, pixels.
    pub(super) cell: (u32, u32),
}

impl Grid {
    /// The size of the picture, pixels.
    pub(super) fn size(&self) -> (u32, u32) {
        let n_rows = self.n_panels.div_ceil(self.n_columns).max(1);
        let wide = self.n_columns * self.cell.0 + 2 * MARGIN;
        (wide.max(WIDTH), TITLE_ROW + n_rows * self.cell.1)
    }

    /// The upper left corner of each panel's cell.
    pub(super) fn corners(self) -> impl Iterator<Item = Point> {
        let left = (self.size().0 - self.n_columns * self.cell.0) / 2;
        (0..self.n_panels.max(1)).map(move |panel_idx| {
            let (row, column) = (panel_idx / self.n_columns, panel_idx % self.n_columns);
            let x = left + column * self.cell.0;
            let y = TITLE_ROW + row * self.cell.1;
            (f64::from(x), f64::from(y))
        })
    }
}

/// A number of panels or columns: nobody can see more than a few.
pub(super) fn few(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_placed_row_by_row_in_the_middle() {
        let grid = Grid {
            n_columns: 2,
            n_panels: 3,
            cell: (100, 50),
        };
        assert_eq!(grid.size(), (900, 48 + 100));
        let corners: Vec<Point> = grid.corners().collect();
        assert_eq!(corners, [(350.0, 48.0), (450.0, 48.0), (350.0, 98.0)]);
    }

    #[test]
    fn a_picture_grows_with_many_columns_and_has_room_without_panels() {
        let grid = |n_columns, n_panels| Grid {
            n_columns,
            n_panels,
            cell: (100, 50),
        };
        assert_eq!(grid(12, 12).size(), (1220, 98));
        assert_eq!(grid(1, 0).size(), (900, 98));
        assert_eq!(grid(1, 0).corners().count(), 1);
    }
}
