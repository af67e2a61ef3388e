//! The memory of tensors as slices, for the one-pass updates: the only place of this crate that needs `unsafe`.

use std::slice;

use tch::{Device, Kind, Tensor};

/// Calls `pass` with the memory of the tensors it writes and of the one it reads, element by element in the same order, if
/// all are f32 on the CPU and fill their memory without holes in one order of axes. Returns whether it did.
///
/// The memory is written behind autograd's back: a graph recorded before must not be walked backwards after.
///
/// # Panics
/// If their lengths differ or two of them share memory.
pub(super) fn with_slices<const N: usize>(
    written: [&Tensor; N],
    read: &Tensor,
    pass: impl FnOnce([&mut [f32]; N], &[f32]),
) -> bool {
    let same_order = |tensor: &Tensor| tensor.stride() == read.stride();
    if !is_plain(read) || !written.iter().all(|t| is_plain(t) && same_order(t)) {
        return false;
    }
    assert_apart(&written, read);
    #[expect(
        unsafe_code,
        reason = "tch gives no view of a tensor's memory as a slice"
    )]
    // SAFETY: `is_plain` and `assert_apart` hold: each pointer starts `numel` initialised, aligned f32 of live storage that
    // the borrowed tensor keeps alive; the ranges do not overlap. Other handles of the storage exist, but no libtorch call
    // runs while `pass` does: it gets slices only, on this thread, and libtorch works only when called.
    let (written, read) = unsafe {
        (
            written.map(|t| slice::from_raw_parts_mut(t.data_ptr().cast::<f32>(), t.numel())),
            slice::from_raw_parts(read.data_ptr().cast::<f32>(), read.numel()),
        )
    };
    pass(written, read);
    true
}

/// The sum of the squares, in f64, if the tensor is f32 on the CPU without holes.
pub(super) fn square_sum(tensor: &Tensor) -> Option<f64> {
    let mut total = 0.0;
    with_slices([], tensor, |[], xs| {
        // Eight sums, so that the loop is not one chain of additions; their order is fixed, so the result is.
        let (blocks, rest) = xs.as_chunks::<8>();
        let mut sums = [0.0_f64; 8];
        for block in blocks {
            for (sum, &x) in sums.iter_mut().zip(block) {
                *sum += f64::from(x) * f64::from(x);
            }
        }
        let rest: f64 = rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        total = sums.iter().sum::<f64>() + rest;
    })
    .then_some(total)
}

fn is_plain(tensor: &Tensor) -> bool {
    tensor.numel() > 0
        && tensor.device() == Device::Cpu
        && tensor.kind() == Kind::Float
        && is_dense(tensor)
}

/// Whether the elements fill `numel` places in some order of the axes, as contiguous and channels-last tensors do.
fn is_dense(tensor: &Tensor) -> bool {
    let mut axes: Vec<(i64, i64)> = tensor.stride().into_iter().zip(tensor.size()).collect();
    axes.retain(|&(_, size)| size > 1);
    axes.sort_unstable();
    let mut n_places = 1;
    axes.into_iter().all(|(stride, size)| {
        let dense = stride == n_places;
        n_places *= size;
        dense
    })
}

/// That the tensors have one length and no memory in common.
fn assert_apart(written: &[&Tensor], read: &Tensor) {
    let start = |tensor: &Tensor| tensor.data_ptr().addr();
    let n_bytes = read.numel() * size_of::<f32>();
    for (idx, tensor) in written.iter().enumerate() {
        assert_eq!(tensor.numel(), read.numel(), "lengths differ");
        for other in written[idx + 1..].iter().chain([&read]) {
            let apart = start(tensor).abs_diff(start(other)) >= n_bytes;
            assert!(apart, "two tensors of an update share memory");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Tensor {
        Tensor::arange(6, (Kind::Float, Device::Cpu))
    }

    #[test]
    fn what_is_not_plain_is_left_alone() {
        let not_plain = [
            ramp().to_kind(Kind::Double),
            ramp().view([2, 3]).narrow(1, 0, 2),
            ramp().narrow(0, 0, 1).expand([6], false),
            ramp().narrow(0, 0, 0),
        ];
        for tensor in &not_plain {
            let ran = with_slices([&ramp()], tensor, |_, _| panic!("must not run"));
            assert!(!ran);
        }
    }

    #[test]
    fn a_view_into_the_middle_of_a_storage_is_seen_where_it_lies() {
        let (whole, read) = (ramp(), ramp());
        let ran = with_slices(
            [&whole.narrow(0, 2, 2)],
            &read.narrow(0, 4, 2),
            |[written], read| written.copy_from_slice(read),
        );
        assert!(ran);
        let values = Vec::<f32>::try_from(whole).unwrap();
        assert_eq!(values, [0., 1., 4., 5., 4., 5.]);
    }

    #[test]
    fn two_orders_of_axes_do_not_mix_but_one_other_than_row_major_serves() {
        let turned = || ramp().view([2, 3]).tr();
        let straight = || ramp().view([3, 2]);
        let never = |_: [&mut [f32]; 1], _: &[f32]| panic!("must not run");
        assert!(!with_slices([&turned()], &straight(), never));
        let mut sum = 0.0;
        assert!(with_slices([&turned()], &turned(), |_, xs| sum = xs.iter().sum()));
        assert_eq!(sum, 15.0);
    }

    #[test]
    #[should_panic(expected = "share memory")]
    fn overlapping_tensors_are_refused() {
        let x = ramp();
        with_slices([&x.narrow(0, 0, 4)], &x.narrow(0, 2, 4), |_, _| {});
    }

    #[test]
    fn squares_are_summed_at_every_remainder() {
        for n in 1..20 {
            let x = Tensor::arange(n, (Kind::Float, Device::Cpu));
            let expected: i64 = (0..n).map(|i| i * i).sum();
            assert_eq!(
                square_sum(&x),
                Some(f64::from(i32::try_from(expected).unwrap()))
            );
        }
    }
}
