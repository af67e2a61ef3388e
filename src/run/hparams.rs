//! Hyper-parameters in TensorBoard's HParams tab.
//!
//! The tab reads two summaries, which hold nothing but the metadata of its plugin (`tensorboard/plugins/hparams`, version 0):
//!
//! | tag | what is in it |
//! | --- | --- |
//! | `_hparams_/session_start_info` | the values of one run |
//! | `_hparams_/experiment` | which columns there are, and of which curves the last value stands beside them |
//!
//! Of the second the tab reads one, of any run it likes. So all runs write the same, with the columns of every agent. Without one it would
//! find the columns by itself, but show the curves that come first in the alphabet.

use protobuf::well_known_types::{ListValue, Value as Protobuf};
use protobuf::{Message as _, RepeatedField};
use tensorboard_proto::api::{DataType, Experiment, HParamInfo, MetricInfo, MetricName};
use tensorboard_proto::plugin_hparams::{HParamsPluginData, SessionStartInfo};
use tensorboard_proto::summary::{
    Summary, Summary_Value, SummaryMetadata, SummaryMetadata_PluginData,
};
use toml::Value;

/// The field `differs` of `HParamInfo`, which the crate's copy of the format does not have yet.
const DIFFERS: u32 = 7;

/// A column of the tab.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// The name of the hyper-parameter.
    pub(crate) name: String,
    /// A value of its type.
    pub(crate) example: Value,
    /// The words it can be; empty where they are not listed. The tab has a box to tick for each.
    pub(crate) words: Vec<String>,
    /// Whether it is what tells one run from another. The tab puts such columns first, each part in the order of the alphabet, and shows
    /// five at the start.
    pub(crate) tells_apart: bool,
}

/// What the tab shows of all runs: its columns, and the tags of curves.
pub(crate) fn experiment(columns: &[Column], metrics: &[&str]) -> Summary {
    let mut experiment = Experiment::new();
    let infos = columns.iter().map(|column| {
        let mut info = HParamInfo::new();
        info.set_name(column.name.clone());
        info.set_field_type(match column.example {
            Value::Integer(_) | Value::Float(_) => DataType::DATA_TYPE_FLOAT64,
            Value::Boolean(_) => DataType::DATA_TYPE_BOOL,
            _ => DataType::DATA_TYPE_STRING,
        });
        info.unknown_fields
            .add_varint(DIFFERS, u64::from(column.tells_apart));
        if !column.words.is_empty() {
            let words = column.words.iter().cloned().map(Value::String);
            let mut list = ListValue::new();
            list.set_values(words.map(|word| protobuf_of(&word)).collect());
            info.set_domain_discrete(list);
        }
        info
    });
    experiment.set_hparam_infos(infos.collect());
    let infos = metrics.iter().map(|&tag| {
        let mut name = MetricName::new();
        name.set_tag(tag.to_owned());
        let mut info = MetricInfo::new();
        info.set_name(name);
        info
    });
    experiment.set_metric_infos(infos.collect());
    let mut data = HParamsPluginData::new();
    data.set_experiment(experiment);
    summary("_hparams_/experiment", &data)
}

/// The values of one run that started at `start_seconds` since 1970. Each run is a row of its own.
pub(crate) fn session(values: &[(String, Value)], start_seconds: f64) -> Summary {
    let mut start = SessionStartInfo::new();
    let values = values.iter();
    start.set_hparams(
        values
            .map(|(name, value)| (name.clone(), protobuf_of(value)))
            .collect(),
    );
    start.set_start_time_secs(start_seconds);
    let mut data = HParamsPluginData::new();
    data.set_session_start_info(start);
    summary("_hparams_/session_start_info", &data)
}

fn summary(tag: &str, data: &HParamsPluginData) -> Summary {
    let mut plugin = SummaryMetadata_PluginData::new();
    plugin.set_plugin_name("hparams".to_owned());
    plugin.set_content(
        data.write_to_bytes()
            .expect("it has no required fields that could be missing"),
    );
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(plugin);
    let mut value = Summary_Value::new();
    value.set_tag(tag.to_owned());
    value.set_metadata(metadata);
    let mut summary = Summary::new();
    summary.set_value(RepeatedField::from_vec(vec![value]));
    summary
}

/// Numbers, words and switches; the tab knows no other types.
fn protobuf_of(value: &Value) -> Protobuf {
    let mut out = Protobuf::new();
    match value {
        #[expect(clippy::cast_precision_loss, reason = "the format stores f64")]
        Value::Integer(count) => out.set_number_value(*count as f64),
        Value::Float(number) => out.set_number_value(*number),
        Value::Boolean(is_on) => out.set_bool_value(*is_on),
        Value::String(word) => out.set_string_value(word.clone()),
        other => out.set_string_value(other.to_string()),
    }
    out
}

#[cfg(test)]
mod tests;
