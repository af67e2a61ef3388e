//! Which thread had a core, which waited for one, and which had nothing to do: what Linux counts for each thread.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use serde::Serialize;

/// The threads of this process at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    taken: Instant,
    threads: BTreeMap<u32, Counts>,
}

/// What a thread has had so far.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Counts {
    name: String,
    /// Nanoseconds on a core.
    on_core: u64,
    /// Nanoseconds ready to run, without a core.
    waiting: u64,
}

/// What the threads of one name did between two moments; shares of the wall time, means over the threads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ThreadUse {
    pub(super) name: String,
    pub(super) n_threads: usize,
    /// On a core.
    pub(super) on_core: f64,
    /// Ready to run, without a core: others had them.
    pub(super) wants_core: f64,
    /// Asleep: nothing to do.
    pub(super) idle: f64,
}

impl Snapshot {
    /// The threads as they are now; none where the system does not say.
    pub(super) fn take() -> Self {
        let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
        let threads = tasks.flatten().filter_map(|task| {
            let read = |file: &str| fs::read_to_string(task.path().join(file)).ok();
            let id = task.file_name().to_str()?.parse().ok()?;
            Some((id, Counts::parse(&read("comm")?, &read("schedstat")?)?))
        });
        Self {
            threads: threads.collect(),
            taken: Instant::now(),
        }
    }

    /// What the threads that are in both did since `self`. Those that slept all the time are left out: libraries keep such.
    pub(super) fn until(&self, later: &Self) -> Vec<ThreadUse> {
        let wall = (later.taken - self.taken).as_secs_f64();
        let mut uses: BTreeMap<String, Vec<[f64; 2]>> = BTreeMap::new();
        for (id, after) in &later.threads {
            let Some(before) = self.threads.get(id) else {
                continue;
            };
            let share = |after: u64, before: u64| seconds(after.saturating_sub(before)) / wall;
            let on_core = share(after.on_core, before.on_core);
            let waiting = share(after.waiting, before.waiting);
            if on_core > 0.0 {
                let name = role(&after.name);
                uses.entry(name).or_default().push([on_core, waiting]);
            }
        }
        let mean = |(name, shares): (String, Vec<[f64; 2]>)| {
            #[expect(clippy::cast_precision_loss, reason = "there are few threads")]
            let n = shares.len() as f64;
            let [on_core, wants_core] =
                [0, 1].map(|part| shares.iter().map(|share| share[part]).sum::<f64>() / n);
            ThreadUse {
                name,
                n_threads: shares.len(),
                on_core,
                wants_core,
                idle: (1.0 - on_core - wants_core).max(0.0),
            }
        };
        uses.into_iter().map(mean).collect()
    }
}

impl Counts {
    /// From a thread's name and its line `on-core-ns waiting-ns slices`.
    fn parse(name: &str, schedstat: &str) -> Option<Self> {
        let mut numbers = schedstat.split_whitespace().map(str::parse);
        Some(Self {
            name: name.trim().to_owned(),
            on_core: numbers.next()?.ok()?,
            waiting: numbers.next()?.ok()?,
        })
    }
}

/// What a thread of this name is for. The emulator's threads have the name of the thread that made the environments; the
/// main one, named after the program, is the learner's.
fn role(name: &str) -> String {
    match name.strip_prefix("start-") {
        Some(number) => format!("emulator-{number}"),
        None if name == env!("CARGO_PKG_NAME") => "learner".to_owned(),
        None => name.to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no nanoseconds")]
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn snapshot(taken: Instant, threads: &[(u32, &str, u64, u64)]) -> Snapshot {
        let counts = |&(id, name, on_core, waiting): &(u32, &str, u64, u64)| {
            let (on_core, waiting) = (on_core * 1_000_000, waiting * 1_000_000);
            let name = name.to_owned();
            (
                id,
                Counts {
                    name,
                    on_core,
                    waiting,
                },
            )
        };
        Snapshot {
            taken,
            threads: threads.iter().map(counts).collect(),
        }
    }

    #[test]
    fn shares_are_of_the_wall_time_and_means_over_threads_of_one_name() {
        let start = Instant::now();
        let before = snapshot(
            start,
            &[
                (1, "rlrun", 100, 0),
                (2, "start-0", 0, 0),
                (3, "start-0", 5, 5),
                (4, "sleeper", 7, 0),
            ],
        );
        let after = snapshot(
            start + Duration::from_secs(1),
            &[
                (1, "rlrun", 600, 250),
                (2, "start-0", 200, 0),
                (3, "start-0", 405, 105),
                (4, "sleeper", 7, 0),
                (5, "new", 9, 9),
            ],
        );
        let uses = before.until(&after);
        let names: Vec<_> = uses
            .iter()
            .map(|one| (one.name.as_str(), one.n_threads))
            .collect();
        assert_eq!(names, [("emulator-0", 2), ("learner", 1)]);
        for (one, expected) in uses.iter().zip([[0.3, 0.05, 0.65], [0.5, 0.25, 0.25]]) {
            let got = [one.on_core, one.wants_core, one.idle];
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-9, "{one:?}");
            }
        }
    }

    #[test]
    fn a_thread_is_read_from_its_name_and_its_counts() {
        let counts = Counts::parse("actor-0\n", "707206 2000482 2\n").unwrap();
        assert_eq!(
            (counts.name.as_str(), counts.waiting),
            ("actor-0", 2_000_482)
        );
        assert_eq!(Counts::parse("actor-0", ""), None);
    }
}
