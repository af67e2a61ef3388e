//! Vectors of 16 numbers, and what kernels of ours do with them in instructions of AVX-512.
//!
//! The compiler makes vectors of plain loops, too, but not always of those that were meant: a loop over eight neighbouring weights
//! tempts it, and a product was then sixty times as slow. Here every operation is named, and every function says what it is compiled
//! for, so that nothing depends on what is inlined where.
//!
//! On other processors than x86-64 there is no AVX-512 and these functions are never called; they are there for the compiler.

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use self::absent::{Lanes, add, fused, load, relu, splat, store, sum_of, zero};
#[cfg(target_arch = "x86_64")]
pub(crate) use self::avx512::{Lanes, add, fused, load, relu, splat, store, sum_of, zero};

/// Calls a function that is compiled for AVX-512.
///
/// # Panics
/// If the processor does not have it.
macro_rules! on_avx512 {
    ($call:expr) => {{
        assert!(
            $crate::vectors::has_avx512(),
            "a kernel on a processor without AVX-512"
        );
        #[expect(
            unsafe_code,
            reason = "a function compiled for more than the build's processor is unsafe to call"
        )]
        #[cfg_attr(
            not(target_arch = "x86_64"),
            expect(unused_unsafe, reason = "it is safe to call there, and never called")
        )]
        // SAFETY: the processor has AVX-512, as was asserted.
        unsafe {
            $call
        }
    }};
}

pub(crate) use on_avx512;

/// Numbers in one vector.
pub(crate) const LANES: usize = 16;

/// `sums += x weights`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
pub(crate) fn add_product<const N: usize>(sums: &mut [Lanes; N], x: f32, weights: &[Lanes; N]) {
    let x = splat(x);
    for (sum, weights) in sums.iter_mut().zip(weights) {
        *sum = fused(x, *weights, *sum);
    }
}

/// The first `N` vectors of `row`.
///
/// # Panics
/// If the row is shorter.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
pub(crate) fn load_all<const N: usize>(row: &[f32]) -> [Lanes; N] {
    let mut vectors = [zero(); N];
    for (vector, row) in vectors.iter_mut().zip(row[..N * LANES].as_chunks().0) {
        *vector = load(row);
    }
    vectors
}

/// Puts `N` vectors at the beginning of `row`.
///
/// # Panics
/// As [`load_all`].
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
pub(crate) fn store_all<const N: usize>(vectors: &[Lanes; N], row: &mut [f32]) {
    for (vector, row) in vectors.iter().zip(row[..N * LANES].as_chunks_mut().0) {
        store(*vector, row);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps,
        _mm512_reduce_add_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::LANES;

    /// One vector.
    pub(crate) type Lanes = __m512;

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn load(row: &[f32; LANES]) -> Lanes {
        #[expect(unsafe_code, reason = "the instruction takes a pointer")]
        // SAFETY: it points to 16 numbers; they need not be aligned.
        unsafe {
            _mm512_loadu_ps(row.as_ptr())
        }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn store(vector: Lanes, row: &mut [f32; LANES]) {
        #[expect(unsafe_code, reason = "the instruction takes a pointer")]
        // SAFETY: it points to 16 numbers that are borrowed to be written; they need not be aligned.
        unsafe {
            _mm512_storeu_ps(row.as_mut_ptr(), vector);
        }
    }

    /// `x` in every lane.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn splat(x: f32) -> Lanes {
        _mm512_set1_ps(x)
    }

    /// 0 in every lane.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn zero() -> Lanes {
        _mm512_setzero_ps()
    }

    /// `a + b`
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn add(a: Lanes, b: Lanes) -> Lanes {
        _mm512_add_ps(a, b)
    }

    /// `a b + sum`, rounded once.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn fused(a: Lanes, b: Lanes, sum: Lanes) -> Lanes {
        _mm512_fmadd_ps(a, b, sum)
    }

    /// What is not negative, else 0. What is not a number stays so: of two, the instruction takes the second one then.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn relu(a: Lanes) -> Lanes {
        _mm512_max_ps(_mm512_setzero_ps(), a)
    }

    /// The sum of all lanes, halves by halves.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn sum_of(a: Lanes) -> f32 {
        _mm512_reduce_add_ps(a)
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[expect(unused_variables, reason = "none of it is ever called")]
mod absent {
    use super::LANES;

    #[derive(Clone, Copy)]
    pub(crate) struct Lanes;

    pub(crate) fn load(row: &[f32; LANES]) -> Lanes {
        unreachable!("there is no AVX-512 here")
    }

    pub(crate) fn store(vector: Lanes, row: &mut [f32; LANES]) {}

    pub(crate) fn splat(x: f32) -> Lanes {
        Lanes
    }

    pub(crate) fn zero() -> Lanes {
        Lanes
    }

    pub(crate) fn add(a: Lanes, b: Lanes) -> Lanes {
        a
    }

    pub(crate) fn fused(a: Lanes, b: Lanes, sum: Lanes) -> Lanes {
        sum
    }

    pub(crate) fn relu(a: Lanes) -> Lanes {
        a
    }

    pub(crate) fn sum_of(a: Lanes) -> f32 {
        0.0
    }
}
