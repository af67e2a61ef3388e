//! The networks of the paper's supervised tasks, one file each: layers and their order as in the released code, the
//! parameters counted by its tables.

mod coord_regressor;
mod deconv_painter;
mod fully_conv_regressor;
mod painter;
mod pooled_regressor;

pub use coord_regressor::CoordRegressor;
pub use deconv_painter::DeconvPainter;
pub use fully_conv_regressor::FullyConvRegressor;
pub use painter::Painter;
pub use pooled_regressor::PooledRegressor;
