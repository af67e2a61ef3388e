//! The gradient of a parameter, or what it is the product of.

use tch::Tensor;

use crate::dense::{Factors, with_sum_of_products};

/// The gradient of one parameter, in f32.
///
/// That of a large layer's weights may still be the product of a few rows with a few rows, or the sum of those of several shares. An optimizer makes it piece by piece, where
/// its step needs it.
#[derive(Debug)]
pub struct Gradient(pub(crate) Form);

/// How it is given.
#[derive(Debug)]
pub(crate) enum Form {
    /// As it is, or not defined where the loss does not depend on the parameter.
    Whole(Tensor),
    /// As a sum of products, in their order.
    Products(Vec<Factors>),
}

impl Gradient {
    /// The tensor that it is. Products are multiplied anew at every call.
    pub fn whole(&self) -> Tensor {
        match &self.0 {
            Form::Whole(tensor) => tensor.shallow_clone(),
            Form::Products(products) => {
                let whole = products[0].empty();
                let _ = with_sum_of_products(products, [&whole], |[whole], make| make(whole));
                whole
            }
        }
    }

    /// Adds another one of the same parameter; either may be not defined. What are products both stays so.
    pub(crate) fn add(&mut self, more: Self) {
        match (&mut self.0, more.0) {
            (Form::Products(products), Form::Products(more)) => products.extend(more),
            (Form::Whole(whole), more) if !whole.defined() => self.0 = more,
            (_, Form::Whole(more)) if !more.defined() => {}
            (_, more) => *self = Self::from(self.whole() + Self(more).whole()),
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
        Self(Form::Products(vec![factors]))
    }
}
