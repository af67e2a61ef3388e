//! A sum tree: leaves drawn in proportion to their value, in logarithmic time.
//!
//! Source: Schaul et al. 2016, "Prioritized Experience Replay", appendix B.2.1. Deviation: every node is the f64 sum of its two
//! children and is computed anew whenever one of them changes, never by adding a difference. So no error piles up, and
//! the same leaves give the same tree, bit for bit.

/// Non-negative values and their sums.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SumTree {
    /// \[L\]
    leaves: Vec<f32>,
    /// Node 1 is the root; the children of node k are nodes 2k and 2k + 1, the last ones the leaves. Node 0 is unused.
    sums: Vec<f64>,
}

impl SumTree {
    /// The tree over `leaves`.
    pub(super) fn new(leaves: Vec<f32>) -> Self {
        let n_inner = leaves.len().next_power_of_two();
        let mut tree = Self {
            leaves,
            sums: vec![0.0; n_inner],
        };
        for node in (1..n_inner).rev() {
            tree.sum_up(node);
        }
        tree
    }

    /// \[L\]
    pub(super) fn leaves(&self) -> &[f32] {
        &self.leaves
    }

    /// The value of a leaf.
    pub(super) fn get(&self, leaf: usize) -> f32 {
        self.leaves[leaf]
    }

    /// Sets a leaf.
    pub(super) fn set(&mut self, leaf: usize, value: f32) {
        if self.leaves[leaf].to_bits() == value.to_bits() {
            return;
        }
        self.leaves[leaf] = value;
        let mut node = self.sums.len() + leaf;
        while node > 1 {
            node /= 2;
            self.sum_up(node);
        }
    }

    /// The sum of all leaves.
    pub(super) fn total(&self) -> f64 {
        self.node(1)
    }

    /// The leaf in which `mass` lies if the leaves are laid end to end; never an empty one unless all are.
    pub(super) fn find(&self, mut mass: f64) -> usize {
        let mut node = 1;
        while node < self.sums.len() {
            let (left, right) = (self.node(2 * node), self.node(2 * node + 1));
            // Rounding may leave as much mass as the right child has, or more: an empty one is never entered.
            if mass < left || right <= 0.0 {
                node *= 2;
            } else {
                mass -= left;
                node = 2 * node + 1;
            }
        }
        node - self.sums.len()
    }

    fn sum_up(&mut self, node: usize) {
        self.sums[node] = self.node(2 * node) + self.node(2 * node + 1);
    }

    /// The sum below a node; a leaf's own value, 0 beyond the last one.
    fn node(&self, node: usize) -> f64 {
        match node.checked_sub(self.sums.len()) {
            None => self.sums[node],
            Some(leaf) => self.leaves.get(leaf).map_or(0.0, |&value| f64::from(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::stream::{Consumer, stream};

    /// The leaf in which `mass` lies, by walking over all of them.
    fn naive_find(leaves: &[f32], mut mass: f64) -> usize {
        for (leaf, &value) in leaves.iter().enumerate() {
            if mass < f64::from(value) {
                return leaf;
            }
            mass -= f64::from(value);
        }
        panic!("more mass than there is");
    }

    #[test]
    fn it_finds_what_a_walk_over_all_leaves_finds() {
        let mut rng = stream(1, Consumer::Replay, 0, 0);
        for n_leaves in 1..40 {
            let mut tree = SumTree::new(vec![0.0; n_leaves]);
            for _ in 0..100 {
                // Small whole numbers, so that no sum is rounded; many are 0.
                let value = rng.random_range(0..8_u8).saturating_sub(3);
                tree.set(rng.random_range(0..n_leaves), f32::from(value));
                let total: f32 = tree.leaves().iter().sum();
                assert_eq!(tree.total().to_bits(), f64::from(total).to_bits());
                if total > 0.0 {
                    let mass = rng.random_range(0.0..tree.total());
                    assert_eq!(tree.find(mass), naive_find(tree.leaves(), mass));
                }
            }
        }
    }

    #[test]
    fn leaves_alone_restore_it_bit_for_bit() {
        let mut rng = stream(2, Consumer::Replay, 0, 0);
        let mut tree = SumTree::new(vec![0.0; 37]);
        for _ in 0..10_000 {
            let value = rng.random::<f32>().powi(9);
            tree.set(rng.random_range(0..37), value);
        }
        assert_eq!(SumTree::new(tree.leaves().to_vec()), tree);
    }

    #[test]
    fn an_empty_leaf_is_never_found_however_the_sums_are_rounded() {
        let mut leaves = vec![0.0; 23];
        leaves[3] = 1e-30;
        leaves[7] = 1e30;
        leaves[12] = 0.1;
        let tree = SumTree::new(leaves);
        for mass in [0.0, 1e-31, 0.1, 1e29, tree.total(), 2.0 * tree.total()] {
            assert!(tree.get(tree.find(mass)) > 0.0, "{mass}");
        }
    }
}
