//! What a checkpoint holds beside the agent for a run to go on as if it had never been interrupted: how the environments came
//! where they are, and the sums behind the next row of scalars.
//!
//! | tensor | what is in it |
//! | --- | --- |
//! | `resumption/resets` i64 \[B, 4\] | per environment: earlier resets, seed of the last one, steps since, digest of what came of them |
//! | `resumption/actions` u8 \[all steps\] | the actions of these steps, one environment after the other |
//! | `resumption/means` f64 \[n, 2\] | sum and number behind each mean |
//! | `resumption/recorder` u8 \[n\] | the block that waits to be written by the flight recorder; a failed run has none |
//! | `resumption/player_step` i64 \[p\] | steps of the agents that were playing in an evaluation, or waited for their turn |
//! | `resumption/player/...`, `resumption/player2/...` | their parameters |

use anyhow::{Context, Result, ensure};
use rlrun_envs::Recording;
use tch::Tensor;

use super::evaluation::Player;
use super::training::TrainingState;

const PREFIX: &str = "resumption/";
const RESETS: &str = "resumption/resets";
const ACTIONS: &str = "resumption/actions";
const MEANS: &str = "resumption/means";
const RECORDER: &str = "resumption/recorder";
const PLAYER_STEP: &str = "resumption/player_step";

/// How the names of the parameters of player `number` begin, counted from 1.
fn prefix_of_player(number: usize) -> String {
    match number {
        1 => "resumption/player/".to_owned(),
        _ => format!("resumption/player{number}/"),
    }
}

/// What is read out of a checkpoint.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Resumption {
    /// One of each environment.
    pub(super) recordings: Vec<Recording>,
    /// Sum and number behind each mean.
    pub(super) means: Vec<[f64; 2]>,
    /// What the flight recorder had not written yet.
    pub(super) recorder_tail: Option<Vec<u8>>,
}

/// The tensors that are saved of `state`, of the flight recorder and of the evaluations that are not over.
pub(super) fn tensors(
    state: &TrainingState,
    recorder_tail: Option<&[u8]>,
    players: &[&Player],
) -> Vec<(String, Tensor)> {
    let recordings = &state.recordings;
    let resets: Vec<i64> = recordings
        .iter()
        .flat_map(|recording| {
            let n_actions = recording.actions.len() as u64;
            [
                recording.n_earlier_resets,
                recording.seed.into(),
                n_actions,
                recording.digest,
            ]
        })
        .map(u64::cast_signed)
        .collect();
    let actions: Vec<u8> = recordings
        .iter()
        .flat_map(|recording| &recording.actions)
        .copied()
        .collect();
    let means: Vec<f64> = state.means.iter().flatten().copied().collect();
    let rows = |n: usize, width: i64| [i64::try_from(n).expect("counted in memory"), width];
    let resets = Tensor::from_slice(&resets).view(rows(recordings.len(), 4));
    let means = Tensor::from_slice(&means).view(rows(state.means.len(), 2));
    let mut tensors = vec![
        (RESETS.to_owned(), resets),
        (ACTIONS.to_owned(), Tensor::from_slice(&actions)),
        (MEANS.to_owned(), means),
    ];
    if let Some(tail) = recorder_tail {
        tensors.push((RECORDER.to_owned(), Tensor::from_slice(tail)));
    }
    let mut steps = Vec::new();
    for (number, Player { step, weights }) in (1..).zip(players.iter().copied()) {
        steps.push(step.cast_signed());
        let (prefix, weights) = (prefix_of_player(number), weights.iter());
        tensors.extend(
            weights.map(|(name, weight)| (format!("{prefix}{name}"), weight.shallow_clone())),
        );
    }
    if !steps.is_empty() {
        tensors.push((PLAYER_STEP.to_owned(), Tensor::from_slice(&steps)));
    }
    tensors
}

impl Resumption {
    /// Takes its tensors out of those of a checkpoint.
    ///
    /// # Errors
    /// They are not there, or do not belong together.
    pub(super) fn take(tensors: &mut Vec<(String, Tensor)>) -> Result<(Self, Vec<Player>)> {
        let mut own: Vec<_> = tensors
            .extract_if(.., |(name, _)| name.starts_with(PREFIX))
            .collect();
        let players = take_players(&mut own)?;
        let named = |name: &str| {
            let mut named = own.iter().filter(|(other, _)| other == name);
            let (_, tensor) = named.next().with_context(|| {
                format!("the checkpoint has no {name}; it is of an earlier version of rlrun")
            })?;
            Ok::<_, anyhow::Error>(tensor.view([-1]))
        };
        let tail = own.iter().find(|(name, _)| name == RECORDER);
        let recorder_tail = tail
            .map(|(_, tail)| Vec::<u8>::try_from(tail))
            .transpose()?;
        let resets = Vec::<i64>::try_from(&named(RESETS)?)?;
        let actions = Vec::<u8>::try_from(&named(ACTIONS)?)?;
        let means = Vec::<f64>::try_from(&named(MEANS)?)?;
        let mut rest = &actions[..];
        let mut recordings = Vec::new();
        for &[n_earlier_resets, seed, n_actions, digest] in resets.as_chunks::<4>().0 {
            let own = usize::try_from(n_actions).ok();
            let own = own.and_then(|n_actions| rest.split_off(..n_actions));
            recordings.push(Recording {
                n_earlier_resets: n_earlier_resets.cast_unsigned(),
                seed: u32::try_from(seed).context("a seed of more than 32 bits")?,
                actions: own.context("fewer actions than steps")?.to_vec(),
                digest: digest.cast_unsigned(),
            });
        }
        ensure!(rest.is_empty(), "more actions than steps");
        let means = means.as_chunks::<2>().0.to_vec();
        let own = Self {
            recordings,
            means,
            recorder_tail,
        };
        Ok((own, players))
    }
}

/// Takes those who were playing out of what is saved.
fn take_players(own: &mut Vec<(String, Tensor)>) -> Result<Vec<Player>> {
    let steps = own.iter().find(|(name, _)| name == PLAYER_STEP);
    let steps = steps.map_or(Ok(Vec::new()), |(_, steps)| Vec::<i64>::try_from(steps))?;
    let player = |(number, step): (usize, i64)| {
        let prefix = prefix_of_player(number);
        let weights = own.extract_if(.., |(name, _)| name.starts_with(&prefix));
        let weights = weights.map(|(name, weight)| (name[prefix.len()..].to_owned(), weight));
        Player {
            step: step.cast_unsigned(),
            weights: weights.collect(),
        }
    };
    Ok((1..).zip(steps).map(player).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> TrainingState {
        let recording = |n: u8| Recording {
            n_earlier_resets: u64::from(n),
            seed: 0x7fff_ffff - u32::from(n),
            actions: (0..n).collect(),
            digest: u64::MAX - u64::from(n),
        };
        TrainingState {
            tensors: vec![("agent".to_owned(), Tensor::from_slice(&[1.0_f32]))],
            replay: None,
            learns_from: None,
            recordings: vec![recording(3), recording(0), recording(200)],
            means: vec![[0.1, 3.0], [f64::MIN_POSITIVE, 0.0]],
        }
    }

    #[test]
    fn what_was_saved_comes_back_and_the_agents_tensors_stay() {
        let mut state = state();
        let player = |step, weight: f32| Player {
            step,
            weights: vec![("w".to_owned(), Tensor::from_slice(&[weight]))],
        };
        let players = vec![player(12, 2.0), player(24, 3.0)];
        state.tensors.extend(tensors(
            &state,
            Some(b"tail"),
            &players.iter().collect::<Vec<_>>(),
        ));
        let (taken, taken_players) = Resumption::take(&mut state.tensors).unwrap();
        assert_eq!(taken_players, players);
        let expected = Resumption {
            recordings: state.recordings,
            means: state.means,
            recorder_tail: Some(b"tail".to_vec()),
        };
        assert_eq!(taken, expected);
        assert_eq!(state.tensors.len(), 1);
    }

    #[test]
    fn tensors_that_do_not_belong_together_are_refused() {
        type Change = fn(&mut TrainingState);
        let refuse = |change: Change| {
            let mut state = state();
            state.tensors = tensors(&state, None, &[]);
            change(&mut state);
            Resumption::take(&mut state.tensors)
                .unwrap_err()
                .to_string()
        };
        let cases: [(Change, &str); 3] = [
            (
                |state| drop(state.tensors.remove(0)),
                "of an earlier version",
            ),
            (
                |state| state.tensors[1].1 = Tensor::from_slice(&[1_u8; 202]),
                "fewer actions",
            ),
            (
                |state| state.tensors[1].1 = Tensor::from_slice(&[1_u8; 204]),
                "more actions",
            ),
        ];
        for (change, expected) in cases {
            let message = refuse(change);
            assert!(message.contains(expected), "{message}");
        }
    }
}
