//! Whether `checkpoints/best.safetensors` is the one of the run as it stands.

use crate::run::checkpoint::Checkpoint;
use crate::run::checkpoint_meta::CheckpointMeta;
use crate::run::checkpoint_store::best_path;
use crate::run::folder::RunFolder;

/// Whether the best checkpoint in `folder` is not the one that a run that goes on from `meta` should have, so that its next
/// checkpoint takes that place.
///
/// A kill between a checkpoint and the best one that belongs to it leaves an older one, and a run that goes on from before it
/// finds one of steps that are yet to come, perhaps with another score. Both are told by the best mean score in it.
pub(super) fn best_is_due(folder: &RunFolder, meta: &CheckpointMeta) -> bool {
    let Some(best) = meta.episode_stats.best_mean_score() else {
        return false;
    };
    let there = Checkpoint::<CheckpointMeta>::load(&best_path(&folder.checkpoints()));
    let there = there
        .ok()
        .and_then(|there| there.meta.episode_stats.best_mean_score());
    there.is_none_or(|there| there.to_bits() != best.to_bits())
}
