//! Whatever becomes of an actor, whoever waits for it hears of it.

use std::time::{Duration, Instant};

use rlrun_envs::{EnvConfig, Protocol, ProtocolName, World, make};

use super::*;

/// A group of two environments of a probe, reset.
fn group(number: usize, probe: &str) -> (Group, Exchange) {
    let config = EnvConfig {
        world: World::resolve(probe).unwrap(),
        protocol: Protocol::named(ProtocolName::Baselines),
        n_envs: 2,
        n_threads: 1,
    };
    let mut env = make(&config).unwrap();
    let mut batch = StepBatch::new(env.spec());
    env.reset(&[1, 2], &mut batch).unwrap();
    let exchange = Exchange {
        seat: number,
        reset: None,
        actions: vec![0; 2],
        batch,
    };
    (Group { number, env }, exchange)
}

/// Steps a group of each probe until one of them fails.
fn failure(probes: &[&str], threading: Threading) -> String {
    let groups = (0..)
        .zip(probes)
        .map(|(number, probe)| group(number, probe));
    let (groups, exchanges): (Vec<_>, Vec<_>) = groups.unzip();
    let footing = Footing {
        threading,
        home: Home::ANYWHERE,
        watchdog: Watchdog::new(1),
    };
    let mut actors = Actors::start("actor", groups, footing).unwrap();
    for exchange in exchanges {
        actors.order(exchange);
    }
    let mut n_steps = [0; 2];
    loop {
        match actors.next() {
            Ok(exchange) => {
                n_steps[exchange.seat] += 1;
                // The sound one stands still in the end, as between rollouts.
                if n_steps[exchange.seat] < 60 {
                    actors.order(exchange);
                }
            }
            Err(error) => return format!("{error:#}"),
        }
    }
}

#[test]
fn an_actor_that_does_not_answer_is_named_with_what_it_was_doing() {
    let start = Instant::now();
    let said = failure(&["probe:lives", "probe:hangs"], Threading::Actors);
    let expected = "no answer for 1 s of running time (run.watchdog_s): actor 1 was waiting for its environments to finish its \
                    step 50;";
    assert!(said.starts_with(expected), "{said}");
    // It was left behind: waiting for its thread would have no end.
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn errors_and_panics_are_told_with_and_without_threads() {
    for threading in [Threading::Actors, Threading::Serial] {
        let said = failure(&["probe:lives", "probe:fails"], threading);
        assert!(said.starts_with("actor 1 failed"), "{said}");
        let said = failure(&["probe:panics", "probe:lives"], threading);
        assert!(said.starts_with("actor 0 failed: panicked"), "{said}");
    }
}

#[test]
fn games_are_begun_anew_on_the_actors_own_thread() {
    for threading in [Threading::Actors, Threading::Serial] {
        let (group, exchange) = group(0, "probe:lives");
        let first = exchange.batch.obs.clone();
        let footing = Footing {
            threading,
            home: Home::ANYWHERE,
            watchdog: Watchdog::new(0),
        };
        let mut actors = Actors::start("actor", vec![group], footing).unwrap();
        actors.order(exchange);
        let stepped = actors.next().unwrap();
        assert_ne!(stepped.batch.obs, first);
        actors.order(Exchange {
            reset: Some(vec![1, 2]),
            ..stepped
        });
        assert_eq!(actors.next().unwrap().batch.obs, first);
    }
}
