//! TensorBoard's own plugin lists the runs with their hyper-parameters.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};

use super::*;
use crate::run::scalars::Scalars;
use crate::run::screen::Screen;

/// Asks the plugin's backend what the tab asks it, of all runs below a folder. Prints JSON.
const ASK_THE_PLUGIN: &str = r#"
import json, sys
from google.protobuf import json_format
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups
runs = plugin_event_multiplexer.EventMultiplexer()
runs.AddRunsFromDirectory(sys.argv[1])
runs.Reload()
provider = data_provider.MultiplexerDataProvider(runs, sys.argv[1])
context = backend_context.Context(base_plugin.TBContext(
    logdir=sys.argv[1], multiplexer=runs, data_provider=provider))
request = api_pb2.ListSessionGroupsRequest(
    start_index=0, slice_size=100, allowed_statuses=[0, 1, 2, 3], include_metrics=True)
groups = list_session_groups.Handler(RequestContext(), context, "", request).run()
experiment = get_experiment.Handler(RequestContext(), context, "", api_pb2.GetExperimentRequest(include_metrics=True)).run()
print(json.dumps({
    "columns": [[info.name, info.type, list(info.domain_discrete)] for info in experiment.hparam_infos],
    "metrics": [info.name.tag for info in experiment.metric_infos],
    "runs": {group.sessions[0].name: {
        "n_sessions": len(group.sessions),
        "values": {name: json_format.MessageToDict(value) for name, value in group.hparams.items()},
        "metrics": {value.name.tag: [value.training_step, value.value] for value in group.sessions[0].metric_values},
    } for group in groups.session_groups},
}))
"#;

/// What the tab shows of the runs below `dir`; nothing when there is no TensorBoard here.
fn tab(dir: &Path) -> Option<Json> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    if !python.exists() {
        eprintln!(
            "SKIPPED: {} does not exist; ./rlrun doctor says how to make it",
            python.display()
        );
        return None;
    }
    let output = Command::new(python)
        .args(["-c", ASK_THE_PLUGIN])
        .arg(dir)
        .output();
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn column(name: &str, example: impl Into<Value>, words: &[&str]) -> Column {
    Column {
        name: name.to_owned(),
        example: example.into(),
        words: words.iter().map(|&word| word.to_owned()).collect(),
        tells_apart: ["torso", "seed"].contains(&name),
    }
}

#[test]
fn the_plugin_lists_each_run_once_with_its_values_and_last_score_also_after_a_resume() {
    let dir = tempfile::tempdir().unwrap();
    let columns = [
        column("torso", "", &["conv", "coordconv"]),
        column("seed", 1, &[]),
        column("a2c.learning_rate", 0.1, &[]),
        column("dqn.double", true, &[]),
    ];
    for (torso, seed) in [("conv", 1), ("coordconv", 2)] {
        let run = dir.path().join(format!("MsPacman/a2c-{torso}/seed{seed}"));
        fs::create_dir_all(&run).unwrap();
        let mut scalars = Scalars::create(&run);
        let values = [
            ("torso".to_owned(), torso.into()),
            ("seed".to_owned(), seed.into()),
            ("a2c.learning_rate".to_owned(), 7e-4.into()),
            ("dqn.double".to_owned(), true.into()),
        ];
        scalars.add_hparams(&columns, &["rollout/ep_rew_mean"], &values);
        scalars.add_scalar("rollout/ep_rew_mean", 1.5, 40);
        scalars.add_scalar("time/steps_per_s", 3.0, 40);
        scalars.flush(&Screen::quiet());
        let mut resumed = Scalars::resume(&run, 20, None).unwrap();
        resumed.add_scalar("rollout/ep_rew_mean", 2.5, 40);
        resumed.flush(&Screen::quiet());
    }

    let Some(shown) = tab(dir.path()) else { return };
    assert_eq!(
        shown["columns"],
        json!([
            ["seed", 3, []],
            ["torso", 1, ["conv", "coordconv"]],
            ["a2c.learning_rate", 3, []],
            ["dqn.double", 2, []]
        ])
    );
    assert_eq!(shown["metrics"], json!(["rollout/ep_rew_mean"]));
    let row = |torso: &str, seed: f64| {
        json!({
            "n_sessions": 1,
            "values": { "torso": torso, "seed": seed, "a2c.learning_rate": 7e-4, "dqn.double": true },
            "metrics": { "rollout/ep_rew_mean": [40, 2.5] },
        })
    };
    assert_eq!(
        shown["runs"],
        json!({
            "MsPacman/a2c-conv/seed1": row("conv", 1.0),
            "MsPacman/a2c-coordconv/seed2": row("coordconv", 2.0),
        })
    );
}
