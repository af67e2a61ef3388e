//! Scalars and text for TensorBoard.
//!
//! Events, framing and checksums are those of tensorboard-rs. Its `SummaryWriter` is not used: it writes on a thread of
//! its own that panics when the disk is full, and then panics whoever logs. Here the records go through [`AppendLog`].
//!
//! ```text
//! first process   events.out.tfevents.1700000000.rlrun   steps 0 ... 30k            killed; last checkpoint at 20k
//! resume          events.out.tfevents.1700000000.rlrun   steps 0 ... 20k            cut back to the checkpoint
//!                 events.out.tfevents.1700001234.rlrun   START at 20k + 1, then 20k ... and on
//! ```
//!
//! Cutting the files makes one continuous curve for whoever reads them afterwards. The START event (TensorFlow's sign of
//! a restart) does the same for a TensorBoard that had read the events that are cut off: it drops all from its step on.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use protobuf::RepeatedField;
use tensorboard_proto::event::{Event, SessionLog, SessionLog_SessionStatus};
use tensorboard_proto::summary::{
    Summary, Summary_Image, Summary_Value, SummaryMetadata, SummaryMetadata_PluginData,
};
use tensorboard_proto::tensor::TensorProto;
use tensorboard_proto::tensor_shape::{TensorShapeProto, TensorShapeProto_Dim};
use tensorboard_proto::types::DataType;
use tensorboard_rs::summary::scalar;

use super::append::AppendLog;
use super::event_records::{cut_after, new_event_file, record_of};
use super::hparams::{self, Column};
use super::screen::Screen;

/// The event file of one process of a run, as a log that never ends the run.
#[derive(Debug)]
pub(crate) struct Scalars {
    log: AppendLog,
}

impl Scalars {
    /// The scalars of a new run in the run folder `dir`.
    pub(crate) fn create(dir: &Path) -> Self {
        Self::begin(dir, &[version_event()])
    }

    /// The scalars of a run that goes on from `step`. Events of later steps are removed from the earlier files, and those with
    /// tags that begin as `sooner` says, of steps after the one that stands with it.
    ///
    /// # Errors
    /// When an earlier file cannot be read or rewritten.
    pub(crate) fn resume(dir: &Path, step: u64, sooner: Option<(&str, u64)>) -> io::Result<Self> {
        cut_after(dir, step, sooner)?;
        Ok(Self::begin(
            dir,
            &[version_event(), restart_event(step + 1)],
        ))
    }

    fn begin(dir: &Path, first_events: &[Event]) -> Self {
        let path = new_event_file(dir, since_1970().as_secs());
        let preamble = first_events.iter().flat_map(record_of).collect();
        Self {
            log: AppendLog::new(path, preamble),
        }
    }

    /// Adds `value` to the curve `tag` at agent step `step`; written at the next flush.
    ///
    /// A value that is not finite as `f32` is left out, as is a tag without a name: TensorBoard can draw neither.
    pub(crate) fn add_scalar(&mut self, tag: &str, value: f64, step: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "the format stores f32")]
        let value = value as f32;
        if value.is_finite() && !tag.is_empty() {
            self.add_summary(scalar(tag, value), step);
        }
    }

    /// Adds `markdown` under `tag` to the text tab; written at the next flush.
    pub(crate) fn add_text(&mut self, tag: &str, markdown: &str, step: u64) {
        self.add_summary(text_summary(tag, markdown), step);
    }

    /// Adds a PNG under `tag` to the image tab; written at the next flush. What is no PNG is left out.
    pub(crate) fn add_png(&mut self, tag: &str, png: &[u8], step: u64) {
        if let Some(summary) = png_summary(tag, png) {
            self.add_summary(summary, step);
        }
    }

    /// Puts the run into the HParams tab; written at the next flush. To be called once for a run: a resume keeps what is of step 0.
    pub(crate) fn add_hparams(
        &mut self,
        columns: &[Column],
        metrics: &[&str],
        values: &[(String, toml::Value)],
    ) {
        self.add_summary(hparams::experiment(columns, metrics), 0);
        let start_seconds = since_1970().as_secs_f64();
        self.add_summary(hparams::session(values, start_seconds), 0);
    }

    /// Writes the events that wait; to be called at every log interval.
    pub(crate) fn flush(&mut self, screen: &Screen) {
        self.log.flush(screen);
    }

    fn add_summary(&mut self, summary: Summary, step: u64) {
        let mut event = event_at(step);
        event.set_summary(summary);
        self.log.push(&record_of(&event));
    }
}

fn event_at(step: u64) -> Event {
    let mut event = Event::new();
    event.set_wall_time(since_1970().as_secs_f64());
    event.set_step(i64::try_from(step).unwrap_or(i64::MAX));
    event
}

/// What each event file begins with; the version tells readers that START events mean restarts.
fn version_event() -> Event {
    let mut event = event_at(0);
    event.set_file_version("brain.Event:2".to_owned());
    event
}

/// Tells readers that whatever they have of `step` and later is void.
fn restart_event(step: u64) -> Event {
    let mut session = SessionLog::new();
    session.set_status(SessionLog_SessionStatus::START);
    let mut event = event_at(step);
    event.set_session_log(session);
    event
}

/// Text as TensorBoard's text plugin wants it: a tensor of one string.
fn text_summary(tag: &str, markdown: &str) -> Summary {
    let mut plugin = SummaryMetadata_PluginData::new();
    plugin.set_plugin_name("text".to_owned());
    let mut metadata = SummaryMetadata::new();
    metadata.set_plugin_data(plugin);

    let mut dim = TensorShapeProto_Dim::new();
    dim.set_size(1);
    let mut shape = TensorShapeProto::new();
    shape.set_dim(RepeatedField::from_vec(vec![dim]));
    let mut tensor = TensorProto::new();
    tensor.set_dtype(DataType::DT_STRING);
    tensor.set_tensor_shape(shape);
    tensor.set_string_val(RepeatedField::from_vec(vec![markdown.as_bytes().to_vec()]));

    let mut value = Summary_Value::new();
    value.set_tag(tag.to_owned());
    value.set_metadata(metadata);
    value.set_tensor(tensor);
    let mut summary = Summary::new();
    summary.set_value(RepeatedField::from_vec(vec![value]));
    summary
}

/// A picture as it is in its file: width and height stand at bytes 16 to 23 of a PNG.
fn png_summary(tag: &str, png: &[u8]) -> Option<Summary> {
    let size_at = |at: usize| {
        let bytes = png.get(at..at + 4)?.try_into().ok()?;
        i32::try_from(u32::from_be_bytes(bytes)).ok()
    };
    let mut image = Summary_Image::new();
    image.set_width(size_at(16)?);
    image.set_height(size_at(20)?);
    image.set_colorspace(3);
    image.set_encoded_image_string(png.to_vec());
    let mut value = Summary_Value::new();
    value.set_tag(tag.to_owned());
    value.set_image(image);
    let mut summary = Summary::new();
    summary.set_value(RepeatedField::from_vec(vec![value]));
    Some(summary)
}

/// The wall time of an event. A clock before 1970 counts as 1970.
fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
