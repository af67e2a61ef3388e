//! Many tensors as one vector. On a GPU what takes time is not the arithmetic of an update but starting each operation, some 15 us in a
//! virtual machine: so parameters and gradients lie side by side there, and what concerns all of them is one operation.

use tch::Tensor;

use crate::optim::in_pieces;
use crate::slices::{is_dense, with_slices};

/// The elements of all tensors, each in the order in which they lie in memory. A view if they lie side by side, else a copy.
pub(crate) fn join(tensors: &[Tensor]) -> Tensor {
    side_by_side(tensors).unwrap_or_else(|| {
        let flat = tensors.iter().map(|tensor| {
            if is_dense(tensor) {
                tensor.as_strided([numel(tensor)], [1], None)
            } else {
                tensor.flatten(0, -1)
            }
        });
        Tensor::cat(&flat.collect::<Vec<_>>(), 0)
    })
}

/// The parts of a vector that [`join`] makes of tensors like these, each with the size and the strides of its model.
pub(crate) fn split(joined: &Tensor, models: &[Tensor]) -> Vec<Tensor> {
    let mut start = 0;
    let parts = models.iter().map(|model| {
        let part = joined.narrow(0, start, numel(model));
        start += numel(model);
        part.as_strided(model.size(), model.stride(), None)
    });
    parts.collect()
}

/// Copies of the tensors, which are dense, side by side.
pub(crate) fn laid_out(tensors: &[Tensor]) -> Vec<Tensor> {
    split(&join(tensors), tensors)
}

/// Copies values into tensors of the same shapes, in place; those on a CPU piece by piece, on the threads of the rayon pool it is called in.
pub fn copy_all(from: &[Tensor], to: &[Tensor]) {
    tch::no_grad(|| {
        let is_alike = from.len() == to.len()
            && from
                .iter()
                .zip(to)
                .all(|(from, to)| from.stride() == to.stride());
        if let (true, Some(from), Some(mut to)) = (is_alike, side_by_side(from), side_by_side(to)) {
            to.copy_(&from);
            return;
        }
        for (from, to) in from.iter().zip(to) {
            let copy = |[to]: [&mut [f32]; 1], from: &[f32]| {
                in_pieces([to], from, &|[to]: [&mut [f32]; 1], from| {
                    to.copy_from_slice(from);
                });
            };
            if !with_slices([to], from, copy) {
                to.shallow_clone().copy_(from);
            }
        }
    });
}

/// All elements as they lie in memory, if the tensors are parts of one piece, without gaps and in order.
pub(crate) fn side_by_side(tensors: &[Tensor]) -> Option<Tensor> {
    let first = tensors.first()?;
    let mut end = first.data_ptr().addr();
    let mut n = 0;
    for tensor in tensors {
        if tensor.kind() != first.kind() || tensor.data_ptr().addr() != end || !is_dense(tensor) {
            return None;
        }
        n += numel(tensor);
        end += tensor.numel() * first.kind().elt_size_in_bytes();
    }
    // An error if they are neighbours by chance, in memory that was handed out piece by piece.
    first.detach().f_as_strided([n], [1], None).ok()
}

fn numel(tensor: &Tensor) -> i64 {
    i64::try_from(tensor.numel()).expect("a tensor fits in memory")
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::pool::in_a_pool;

    fn ramp(n: i64) -> Tensor {
        Tensor::arange(n, (Kind::Float, Device::Cpu))
    }

    /// One in row-major order, one turned.
    fn two() -> [Tensor; 2] {
        [ramp(6).view([2, 3]), (ramp(6) + 6.0).view([2, 3]).tr()]
    }

    #[test]
    fn values_are_copied_in_a_pool_or_not_whatever_their_order_and_kind() {
        for n_threads in [None, Some(2)] {
            in_a_pool(n_threads, || {
                let wide = ramp(300_000);
                let from = [
                    wide.shallow_clone(),
                    ramp(6).view([2, 3]).tr(),
                    ramp(4).to_kind(Kind::BFloat16),
                ];
                let to = [
                    wide.zeros_like(),
                    ramp(6).view([3, 2]).zeros_like(),
                    ramp(4).to_kind(Kind::BFloat16).zeros_like(),
                ];
                copy_all(&from, &to);
                assert_eq!(to, from);
            });
        }
    }

    #[test]
    fn what_is_joined_lies_in_memory_order_and_comes_apart_as_it_was() {
        let tensors = two();
        let joined = join(&tensors);
        let expected: Vec<f32> = (0..12_u8).map(f32::from).collect();
        assert_eq!(Vec::<f32>::try_from(&joined).unwrap(), expected);
        for (tensor, part) in tensors.iter().zip(split(&joined, &tensors)) {
            assert_eq!(
                (part.size(), part.stride()),
                (tensor.size(), tensor.stride())
            );
            assert_eq!(part, *tensor);
        }
    }

    #[test]
    fn what_has_holes_is_joined_as_well() {
        let column = ramp(4).view([2, 2]).narrow(1, 0, 1);
        assert_eq!(Vec::<f32>::try_from(join(&[column])).unwrap(), [0.0, 2.0]);
    }

    #[test]
    fn only_what_lies_side_by_side_in_one_piece_is_joined_without_a_copy() {
        let parts = laid_out(&two());
        assert_eq!(join(&parts).data_ptr(), parts[0].data_ptr());
        let _ = join(&parts).g_add_scalar_(1.0);
        assert!((parts[1].double_value(&[0, 0]) - 7.0).abs() < 1e-9);
        let [first, second] = [&parts[0], &parts[1]].map(Tensor::shallow_clone);
        assert!(
            side_by_side(&[second, first.shallow_clone()]).is_none(),
            "in another order"
        );
        assert!(
            side_by_side(&[first.shallow_clone(), first]).is_none(),
            "twice the same"
        );
        assert!(side_by_side(&two()).is_none(), "in two pieces");
        assert!(side_by_side(&[]).is_none());
    }

    #[test]
    fn a_part_of_a_piece_begins_where_it_begins() {
        let whole = ramp(9);
        let end = [whole.narrow(0, 3, 2), whole.narrow(0, 5, 4)];
        let joined = join(&end);
        assert_eq!(
            Vec::<f32>::try_from(&joined).unwrap(),
            [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
        );
        assert_eq!(split(&joined, &end)[1], end[1]);
    }

    #[test]
    fn copies_arrive_however_the_tensors_lie() {
        for lie_together in [false, true] {
            let place = |tensors: [Tensor; 2]| {
                if lie_together {
                    laid_out(&tensors)
                } else {
                    tensors.into()
                }
            };
            let (from, to) = (place(two()), place(two().map(|x| x * 0.0)));
            copy_all(&from, &to);
            assert_eq!(from, to);
        }
        let (from, to) = (
            laid_out(&two()),
            laid_out(&[ramp(6).view([2, 3]), ramp(6).view([3, 2])]),
        );
        copy_all(&from, &to);
        assert_eq!(from, to, "in another memory order");
    }
}
