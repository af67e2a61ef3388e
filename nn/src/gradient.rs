//! The gradient of a parameter, or what it is the product of.

use tch::Tensor;

use crate::dense::{Factors, sum_products};

/// The gradient of one parameter, in f32.
///
/// That of a large layer's weights may still be the product of a few rows with a few rows. Whoever sums the shares of a batch makes it,
/// once for all of them ([`crate::optim::summed`]).
#[derive(Debug)]
pub struct Gradient(pub(crate) Form);

/// How it is given.
#[derive(Debug)]
pub(crate) enum Form {
    /// As it is, or not defined where the loss does not depend on the parameter.
    Whole(Tensor),
    /// As a product.
    Product(Factors),
}

impl Gradient {
    /// The tensor that it is.
    pub fn whole(&self) -> Tensor {
        match &self.0 {
            Form::Whole(tensor) => tensor.shallow_clone(),
            Form::Product(factors) => {
                let dw = factors.empty();
                let _ = sum_products(&[factors], &dw, |_| ());
                dw
            }
        }
    }

    /// Adds another one of the same parameter; either may be not defined.
    pub(crate) fn add(&mut self, more: Self) {
        let is_none = |form: &Form| matches!(form, Form::Whole(tensor) if !tensor.defined());
        if is_none(&self.0) {
            *self = more;
        } else if !is_none(&more.0) {
            *self = Self::from(self.whole() + more.whole());
        }
    }
}

impl From<Tensor> for Gradient {
    fn from(whole: Tensor) -> Self {
        Self(Form::Whole(whole))
    }
}

impl From<Factors> for Gradient {
    fn from(factors: Factors) -> Self {
        Self(Form::Product(factors))
    }
}
