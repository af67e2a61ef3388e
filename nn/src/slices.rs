//! The memory of tensors as slices, for the loops that read and write each number once.

use std::ops::Range;
use std::slice;

use tch::kind::Element;
use tch::{Device, Kind, Tensor};

use crate::vectors::on_widest_vectors;

/// Calls `pass` with the memory of the tensors it writes and of the one it reads, element by element in the same order,
/// if all are on the CPU, of their kind, and fill their memory without holes in one order of axes. Returns whether it did.
/// The loops of `pass` are vectorised as [`on_widest_vectors`] says.
///
/// The memory is written behind autograd's back: a graph recorded before must not be walked backwards after.
///
/// # Panics
/// If their lengths differ or two of them share memory.
pub(crate) fn with_slices<W: Element, T: Element, const N: usize>(
    written: [&Tensor; N],
    read: &Tensor,
    pass: impl FnOnce([&mut [W]; N], &[T]),
) -> bool {
    let fits = |tensor: &Tensor| is_plain(tensor, W::KIND) && tensor.stride() == read.stride();
    if !is_plain(read, T::KIND) || !written.iter().all(|tensor| fits(tensor)) {
        return false;
    }
    for written in written {
        assert_eq!(written.numel(), read.numel(), "lengths differ");
    }
    with_memory(written, [read], |written, [read]: [&[T]; 1]| {
        on_widest_vectors(|| pass(written, read));
    });
    true
}

/// Calls `pass` with the memory of the tensors it writes and of those it reads, as it lies.
///
/// The memory is written behind autograd's back, as in [`with_slices`].
///
/// # Panics
/// If one is not on the CPU, not of its kind, has no elements or holes between them, or if one that is written shares memory with
/// another one.
pub(crate) fn with_memory<W: Element, R: Element, const N: usize, const M: usize>(
    written: [&Tensor; N],
    read: [&Tensor; M],
    pass: impl FnOnce([&mut [W]; N], [&[R]; M]),
) {
    with_memories(&written, &read, |written, read| {
        let written: Result<[&mut [W]; N], _> = written.try_into();
        let read: Result<[&[R]; M], _> = read.try_into();
        match (written, read) {
            (Ok(written), Ok(read)) => pass(written, read),
            _ => unreachable!("as many as were given"),
        }
    });
}

/// The same for any number of tensors.
///
/// # Panics
/// As [`with_memory`].
pub(crate) fn with_memories<W: Element, R: Element>(
    written: &[&Tensor],
    read: &[&Tensor],
    pass: impl FnOnce(Vec<&mut [W]>, Vec<&[R]>),
) {
    assert!(written.iter().all(|tensor| is_plain(tensor, W::KIND)));
    assert!(read.iter().all(|tensor| is_plain(tensor, R::KIND)));
    assert_apart::<W, R>(written, read);
    #[expect(
        unsafe_code,
        reason = "tch gives no view of a tensor's memory as a slice"
    )]
    // SAFETY: `is_plain` and `assert_apart` hold: each pointer starts `numel` aligned elements of live storage that the
    // borrowed tensor keeps alive, and what is written overlaps nothing. Other handles of the storage exist. On this thread none
    // is used while `pass` runs, for it gets slices only, which it may hand to other threads of a rayon pool; on other threads none may be, which is the rule of
    // every write to a shared tensor (`optim` states it for its callers; pixels and activations that are written have no other handle yet). A tensor fresh from
    // `Tensor::empty` holds arbitrary bits, and any bits are a number; it is written before it is read.
    let (written, read) = unsafe {
        (
            written
                .iter()
                .map(|t| slice::from_raw_parts_mut(t.data_ptr().cast::<W>(), t.numel()))
                .collect(),
            read.iter()
                .map(|t| slice::from_raw_parts(t.data_ptr().cast::<R>(), t.numel()))
                .collect(),
        )
    };
    pass(written, read);
}

/// Whether the tensor's memory may be seen as a slice.
fn is_plain(tensor: &Tensor, kind: Kind) -> bool {
    tensor.numel() > 0
        && tensor.device() == Device::Cpu
        && tensor.kind() == kind
        && is_dense(tensor)
}

/// Whether the elements fill `numel` places in some order of the axes, as contiguous and channels-last tensors do.
pub(crate) fn is_dense(tensor: &Tensor) -> bool {
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

/// That no tensor that is written has memory in common with another one.
fn assert_apart<W, R>(written: &[&Tensor], read: &[&Tensor]) {
    let read = read
        .iter()
        .map(|tensor| address_range(tensor, size_of::<R>()));
    let read: Vec<Range<usize>> = read.collect();
    for (idx, tensor) in written.iter().enumerate() {
        let range = address_range(tensor, size_of::<W>());
        let later = written[idx + 1..].iter();
        let mut others = later.map(|other| address_range(other, size_of::<W>()));
        let apart = |other: &Range<usize>| other.end <= range.start || range.end <= other.start;
        assert!(
            read.iter().all(apart) && others.all(|other| apart(&other)),
            "two tensors of a pass share memory"
        );
    }
}

fn address_range(tensor: &Tensor, element_size: usize) -> Range<usize> {
    let start = tensor.data_ptr().addr();
    start..start + tensor.numel() * element_size
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
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
            let ran = with_slices([&ramp()], tensor, |_: [&mut [f32]; 1], _: &[f32]| {
                panic!("must not run")
            });
            assert!(!ran);
        }
    }

    #[test]
    fn a_view_into_the_middle_of_a_storage_is_seen_where_it_lies() {
        let (whole, read) = (ramp(), ramp());
        let ran = with_slices(
            [&whole.narrow(0, 2, 2)],
            &read.narrow(0, 4, 2),
            |[written]: [&mut [f32]; 1], read: &[f32]| written.copy_from_slice(read),
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
        assert!(with_slices(
            [&turned()],
            &turned(),
            |_: [&mut [f32]; 1], xs: &[f32]| sum = xs.iter().sum()
        ));
        assert_eq!(sum, 15.0);
    }

    #[test]
    #[should_panic(expected = "share memory")]
    fn overlapping_tensors_are_refused() {
        let x = ramp();
        with_slices(
            [&x.narrow(0, 0, 4)],
            &x.narrow(0, 2, 4),
            |_: [&mut [f32]; 1], _: &[f32]| {},
        );
    }
}
