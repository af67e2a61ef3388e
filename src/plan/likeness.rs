//! Whether two plans mean the same run.

use std::path::PathBuf;

use super::{AgentPlan, Plan};
use crate::config::{Entry, entries};

impl Plan {
    /// The keys in which another plan means another run, with both values: `total_steps = 1000 in <this> and 2000 in <the other>`.
    /// What decides no number is left out: emulator threads, cores of one's own, checkpoints, the place of a replay memory, threads
    /// for which there is no work.
    ///
    /// # Panics
    /// Never: a plan has a form in TOML.
    pub(crate) fn differences(&self, other: &Self, names: [&str; 2]) -> Vec<String> {
        let [own, theirs] = [self, other].map(|plan| {
            let mut values = entries(&plan.deciding().to_toml()).expect("a plan is TOML");
            values.retain(|entry| !entry.value.is_table());
            values
        });
        let named = |entries: &[Entry], key: &str| {
            let entry = entries.iter().find(|entry| entry.key == key);
            entry.map_or_else(|| "nothing".to_owned(), |entry| entry.value.to_string())
        };
        let only_theirs = theirs
            .iter()
            .filter(|entry| own.iter().all(|own| own.key != entry.key));
        let keys = own.iter().chain(only_theirs).map(|entry| &entry.key);
        keys.map(|key| (key, named(&own, key), named(&theirs, key)))
            .filter(|(_, one, two)| one != two)
            .map(|(key, one, two)| {
                let [first, second] = names;
                format!("{key} = {one} in {first} and {two} in {second}")
            })
            .collect()
    }

    /// The plan with the same value for all that decides no number.
    fn deciding(&self) -> Self {
        let mut plan = self.clone();
        plan.learner.threads = self.n_workers();
        plan.learner.own_cores = true;
        plan.env.env_threads = 1;
        plan.run.checkpoint_interval_seconds = 1;
        plan.run.checkpoints_kept = 1;
        if let AgentPlan::Dqn(_, replay) = &mut plan.agent {
            replay.dir = PathBuf::new();
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Asked, Machine, resolve};
    use super::*;

    fn plan(sets: &[&str]) -> Plan {
        let asked = Asked {
            sets: sets.iter().map(|&set| set.to_owned()).collect(),
            ..Asked::default()
        };
        let machine = Machine {
            cores: 2,
            available_bytes: None,
            cuda_devices: 0,
            multiplies_bf16: true,
        };
        resolve(&asked, &machine).unwrap()
    }

    #[test]
    fn what_decides_no_number_makes_no_difference() {
        let one = plan(&["game=Pong"]);
        let other = plan(&[
            "game=pong",
            "learner.threads=16",
            "learner.own_cores=false",
            "env.env_threads=4",
            "run.checkpoints_kept=7",
            "run.checkpoint_interval_seconds=5",
        ]);
        assert_ne!(one, other);
        assert_eq!(one.differences(&other, ["a", "b"]), [""; 0]);
        let [one, other] = ["", "/tmp/x"]
            .map(|dir| plan(&["game=Pong", "agent=dqn", &format!("replay.dir={dir}")]));
        assert_eq!(one.differences(&other, ["a", "b"]), [""; 0]);
    }

    #[test]
    fn every_other_difference_is_named_with_both_values() {
        let one = plan(&["game=Pong"]);
        let other = plan(&[
            "game=Pong",
            "a2c.discount=0.9",
            "learner.threads=1",
            "seed=2",
        ]);
        assert_eq!(
            one.differences(&other, ["a", "b"]),
            [
                "seed = 1 in a and 2 in b",
                "learner.threads = 2 in a and 1 in b",
                "a2c.discount = 0.99 in a and 0.9 in b"
            ]
        );
        let dqn = plan(&["game=Pong", "agent=dqn"]);
        let differences = one.differences(&dqn, ["a", "b"]);
        let first = "agent = \"a2c\" in a and \"dqn\" in b".to_owned();
        assert!(differences.contains(&first), "{differences:?}");
        let absent = "a2c.discount = 0.99 in a and nothing in b".to_owned();
        assert!(differences.contains(&absent), "{differences:?}");
    }
}
