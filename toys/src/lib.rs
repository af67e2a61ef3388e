//! The experiments of Liu et al. 2018 ("An Intriguing Failing of Convolutional Neural Networks and the `CoordConv`
//! Solution", arXiv 1807.03247) beside the reinforcement learning: what a convolution cannot learn, and `CoordConv` can.

#[cfg(test)]
mod golden;
pub mod json;
pub mod layers;
pub mod loss;
mod model;
pub mod nets;
pub mod not_so_clevr;
pub mod pictures;
pub mod pixel_mlp;
pub mod plan;
pub mod task;
pub mod training;
