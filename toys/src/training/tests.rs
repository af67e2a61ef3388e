use super::*;
use crate::plan::tests::plan;
use crate::task::{NetKind, Task};

const ALL: [(Task, NetKind); 6] = [
    (Task::Classification, NetKind::CoordConv),
    (Task::Classification, NetKind::Conv),
    (Task::Regression, NetKind::CoordConv),
    (Task::Regression, NetKind::Conv),
    (Task::Rendering, NetKind::CoordConv),
    (Task::Rendering, NetKind::Conv),
];

fn copies(state: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    state
        .into_iter()
        .map(|(name, tensor)| (name, tensor.detach().copy()))
        .collect()
}

#[test]
fn every_network_goes_on_bit_for_bit_from_the_middle_of_an_epoch() {
    for (task, net) in ALL {
        let plan = plan(task, net);
        let mut whole = Training::new(&plan).unwrap();
        for _ in 0..3 {
            whole.update();
        }
        let (saved, progress) = (copies(whole.state()), whole.progress());
        let mut resumed = Training::new(&plan).unwrap();
        resumed.restore(saved, progress).unwrap();
        for training in [&mut whole, &mut resumed] {
            training.update();
            training.update();
        }
        assert_eq!(whole.state(), resumed.state(), "{task} {net}");
        assert_eq!(whole.progress(), resumed.progress());
    }
}

#[test]
fn the_state_of_another_network_is_refused() {
    let conv = Training::new(&plan(Task::Classification, NetKind::Conv)).unwrap();
    let mut coord = Training::new(&plan(Task::Classification, NetKind::CoordConv)).unwrap();
    assert!(coord.restore(conv.state(), conv.progress()).is_err());
}

#[test]
fn an_epoch_takes_each_example_once_and_each_epoch_in_another_order() {
    let mut small = plan(Task::Regression, NetKind::CoordConv);
    small.settings.minibatch = 1000;
    let mut training = Training::new(&small).unwrap();
    let first = training.order.clone();
    assert_eq!(
        training.updates_per_epoch(),
        3,
        "the rest of 368 is a batch too"
    );
    assert!(training.update().is_none() && training.update().is_none());
    let stats = training.update().unwrap();
    assert_eq!(stats.epoch, 1);
    assert!(stats.loss.is_finite() && stats.metric > 0.0);
    assert!(training.is_finished());
    assert_ne!(training.order, first);
    let mut sorted = training.order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, training.parts.train);
}

#[test]
fn regularisation_reaches_the_kernels_only() {
    let training = Training::new(&plan(Task::Classification, NetKind::Conv)).unwrap();
    let grads: Vec<Tensor> = training
        .weights()
        .iter()
        .map(|(_, w)| w.zeros_like())
        .collect();
    add_l2(&training.params, &grads, 0.5);
    for ((name, weight), grad) in training.weights().iter().zip(&grads) {
        if name.ends_with(".weight") {
            assert_eq!(*grad, weight.detach(), "{name}: 2 * 0.5 * w");
        } else {
            assert_eq!(*grad, weight.zeros_like(), "{name}");
        }
    }
}

#[test]
fn a_few_updates_lower_the_loss_of_every_network() {
    for (task, net) in ALL {
        let mut plan = plan(task, net);
        plan.settings.l2 = 0.0;
        plan.settings.minibatch = 32;
        if task == Task::Rendering && net == NetKind::CoordConv {
            plan.settings.learning_rate = 0.01;
        }
        let mut training = Training::new(&plan).unwrap();
        let batch = training.parts.train.clone();
        let loss = |training: &Training| training.measure(&batch[..512]).0;
        let before = loss(&training);
        for _ in 0..40 {
            training.update();
        }
        let after = loss(&training);
        assert!(after < before, "{task} {net}: {before} -> {after}");
    }
}

#[test]
fn the_loss_of_examples_is_their_mean_whatever_the_batches() {
    let plan = plan(Task::Rendering, NetKind::Conv);
    let training = Training::new(&plan).unwrap();
    let examples = &training.parts.test[..100];
    let target = Target::of(plan.task, plan.settings.loss, examples);
    let at_once = target.loss(&training.predict(examples)).double_value(&[]);
    let batched = training.measure(examples).0;
    assert!(
        (batched / at_once - 1.0).abs() < 1e-6,
        "{batched} {at_once}"
    );
}

#[test]
fn a_training_that_went_to_infinity_can_be_saved_and_read_again() {
    let progress = TrainingProgress {
        updates: 3,
        loss_sum: f64::NAN,
        metric_sum: f64::INFINITY,
    };
    let text = serde_json::to_string(&progress).unwrap();
    let read: TrainingProgress = serde_json::from_str(&text).unwrap();
    assert_eq!(read.updates, 3);
    assert!(read.loss_sum.is_nan() && !read.metric_sum.is_finite());
}
