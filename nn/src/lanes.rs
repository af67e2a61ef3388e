//! Vectors of 16 numbers, and what kernels of ours do with them in instructions of AVX-512.
//!
//! The compiler makes vectors of plain loops, too, but not always of those that were meant: a loop over eight neighbouring weights
//! tempts it, and a product was then sixty times as slow. Here every operation is named, and every function says what it is compiled
//! for, so that nothing depends on what is inlined where.
//!
//! On other processors than x86-64 there is no AVX-512 and these functions are never called; they are there for the compiler.

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use self::absent::{
    Lanes, add, fused, load, relu, scaled, splat, store, sub, sum_of, transposed, zero,
};
#[cfg(target_arch = "x86_64")]
pub(crate) use self::avx512::{
    Lanes, add, fused, load, relu, scaled, splat, store, sub, sum_of, transposed, zero,
};

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
        __m512, _mm512_add_ps, _mm512_castpd_ps, _mm512_castps_pd, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_reduce_add_ps, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_storeu_ps, _mm512_sub_ps,
        _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
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

    /// `a - b`
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn sub(a: Lanes, b: Lanes) -> Lanes {
        _mm512_sub_ps(a, b)
    }

    /// `a x`
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn scaled(a: Lanes, x: f32) -> Lanes {
        _mm512_mul_ps(a, _mm512_set1_ps(x))
    }

    /// The columns of a square as rows.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn transposed(rows: &[Lanes; LANES]) -> [Lanes; LANES] {
        // First within every four rows: vector j has column 4k + j of them in its quarter k. Then the quarters.
        let mut fours = [zero(); LANES];
        for (four, rows) in fours
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .zip(rows.as_chunks::<4>().0)
        {
            let [a, b, c, d] = *rows;
            let low =
                [_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d)].map(|x| _mm512_castps_pd(x));
            let high =
                [_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d)].map(|x| _mm512_castps_pd(x));
            *four = [
                _mm512_unpacklo_pd(low[0], low[1]),
                _mm512_unpackhi_pd(low[0], low[1]),
                _mm512_unpacklo_pd(high[0], high[1]),
                _mm512_unpackhi_pd(high[0], high[1]),
            ]
            .map(|x| _mm512_castpd_ps(x));
        }
        const EVEN: i32 = 0x88;
        const ODD: i32 = 0xdd;
        let mut columns = [zero(); LANES];
        for j in 0..4 {
            let [a, b, c, d] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
            let even = [
                _mm512_shuffle_f32x4::<EVEN>(a, b),
                _mm512_shuffle_f32x4::<EVEN>(c, d),
            ];
            let odd = [
                _mm512_shuffle_f32x4::<ODD>(a, b),
                _mm512_shuffle_f32x4::<ODD>(c, d),
            ];
            columns[j] = _mm512_shuffle_f32x4::<EVEN>(even[0], even[1]);
            columns[4 + j] = _mm512_shuffle_f32x4::<EVEN>(odd[0], odd[1]);
            columns[8 + j] = _mm512_shuffle_f32x4::<ODD>(even[0], even[1]);
            columns[12 + j] = _mm512_shuffle_f32x4::<ODD>(odd[0], odd[1]);
        }
        columns
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

    pub(crate) fn sub(a: Lanes, b: Lanes) -> Lanes {
        a
    }

    pub(crate) fn scaled(a: Lanes, x: f32) -> Lanes {
        a
    }

    pub(crate) fn transposed(rows: &[Lanes; LANES]) -> [Lanes; LANES] {
        *rows
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

#[cfg(test)]
mod tests {
    use std::array;

    use super::*;

    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
    fn transposed_square(square: &[[f32; LANES]; LANES]) -> [[f32; LANES]; LANES] {
        let mut rows = [zero(); LANES];
        for (row, from) in rows.iter_mut().zip(square) {
            *row = load(from);
        }
        let mut columns = [[0.0; LANES]; LANES];
        for (to, column) in columns.iter_mut().zip(transposed(&rows)) {
            store(column, to);
        }
        columns
    }

    #[test]
    fn columns_become_rows() {
        if !crate::vectors::has_avx512() {
            eprintln!("skipped: this processor has no AVX-512");
            return;
        }
        let square: [[f32; LANES]; LANES] = array::from_fn(|row| {
            array::from_fn(|column| f32::from(u8::try_from(row * LANES + column).unwrap()))
        });
        let expected: [[f32; LANES]; LANES] =
            array::from_fn(|row| array::from_fn(|column| square[column][row]));
        assert_eq!(on_avx512!(transposed_square(&square)), expected);
    }
}
