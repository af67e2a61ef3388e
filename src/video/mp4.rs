//! H.264 in MP4: `OpenH264` compresses, `shiguredo_mp4` writes the boxes.
//!
//! Colours are BT.601 in 8 bits with one colour difference for each 2x2 pixels (yuv420p), which every player and browser reads. A
//! picture with an odd number of rows or columns gets a black one.

use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::num::NonZeroU32;
use std::path::Path;

use anyhow::{Result, ensure};
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Layer, QpRange,
    RateControlMode, UsageType, VuiConfig,
};
use openh264::formats::{RgbSliceU8, YUVBuffer};
use shiguredo_mp4::TrackKind;
use shiguredo_mp4::bitstream::h264::{
    H264SampleEntryConfig, LengthSize, annexb_to_length_prefixed, build_avc1_box_from_annexb,
};
use shiguredo_mp4::boxes::SampleEntry;
use shiguredo_mp4::mux::{Mp4FileMuxer, Sample};

use super::{FRAMES_PER_SECOND, RgbImage, VideoSpec};
use crate::run::atomic::WholeFile;

/// Pictures from one that stands alone to the next: players can jump to these.
const PICTURES_PER_KEY: u32 = 150;
/// Steps of the quantiser, of 0 (finest) to 51: no artefact is seen on the console's flat colours.
const QUANTISER: QpRange = QpRange::new(16, 22);
/// Bits per second by which the encoder chooses its level; it writes as many as the quantiser asks for, which are far fewer.
const MAX_BITS_PER_SECOND: u32 = 20_000_000;

/// A video that is being written.
pub(super) struct Mp4 {
    file: BufWriter<WholeFile>,
    muxer: Mp4FileMuxer,
    encoder: Encoder,
    yuv: YUVBuffer,
    size: (usize, usize),
    /// Bytes written so far.
    position: u64,
    frames_per_picture: u32,
    has_entry: bool,
}

impl Mp4 {
    /// Begins the file.
    pub(super) fn create(path: &Path, spec: VideoSpec) -> Result<Self> {
        let even = |pixels: usize| (pixels * spec.scale).next_multiple_of(2);
        let (width, height) = (even(spec.width), even(spec.height));
        ensure!(
            width.max(height) <= 3840 && width.min(height) <= 2160,
            "H.264 is written up to 3840x2160 pixels, not {width}x{height}: choose a smaller scale, or .gif"
        );
        let muxer = Mp4FileMuxer::new()?;
        let mut file = BufWriter::new(WholeFile::create(path)?);
        file.write_all(muxer.initial_boxes_bytes())?;
        let position = muxer.initial_boxes_bytes().len() as u64;
        Ok(Self {
            file,
            muxer,
            encoder: encoder(spec.frames_per_picture)?,
            yuv: YUVBuffer::new(width, height),
            size: (width, height),
            position,
            frames_per_picture: spec.frames_per_picture,
            has_entry: false,
        })
    }

    /// Adds a picture.
    pub(super) fn add(&mut self, picture: &RgbImage) -> Result<()> {
        let (width, height) = self.size;
        if (picture.width(), picture.height()) == self.size {
            self.compress(picture)
        } else {
            let mut even = RgbImage::new(width, height, [0; 3]);
            even.draw((0, 0), picture);
            self.compress(&even)
        }
    }

    fn compress(&mut self, picture: &RgbImage) -> Result<()> {
        self.yuv
            .read_rgb8(RgbSliceU8::new(picture.bytes(), self.size));
        let stream = self.encoder.encode(&self.yuv)?;
        let length_size = LengthSize::FourBytes;
        let sample_entry = if self.has_entry {
            None
        } else {
            let config = H264SampleEntryConfig { length_size };
            let entry = build_avc1_box_from_annexb(&stream.to_vec(), &config)?;
            Some(SampleEntry::Avc1(entry))
        };
        // Parameter sets stand in the sample entry, not in the samples.
        let layers = (0..stream.num_layers()).filter_map(|idx| stream.layer(idx));
        let mut units = Vec::new();
        for layer in layers.filter(Layer::is_video) {
            for idx in 0..layer.nal_count() {
                units.extend_from_slice(layer.nal_unit(idx).unwrap_or_default());
            }
        }
        ensure!(!units.is_empty(), "the encoder left out a picture");
        let keyframe = stream.frame_type() == FrameType::IDR;
        let data = annexb_to_length_prefixed(&units, length_size)?;
        self.file.write_all(&data)?;
        self.muxer.append_sample(&Sample {
            track_kind: TrackKind::Video,
            sample_entry,
            keyframe,
            timescale: NonZeroU32::new(FRAMES_PER_SECOND).expect("60 is not 0"),
            duration: self.frames_per_picture,
            composition_time_offset: None,
            data_offset: self.position,
            data_size: data.len(),
        })?;
        self.has_entry = true;
        self.position += data.len() as u64;
        Ok(())
    }

    /// Writes what is known only at the end, and puts the file in its place.
    pub(super) fn finish(mut self) -> Result<()> {
        let boxes = self.muxer.finalize()?;
        for (offset, bytes) in boxes.offset_and_bytes_pairs() {
            self.file.seek(SeekFrom::Start(offset))?;
            self.file.write_all(bytes)?;
        }
        self.file.into_inner()?.finish()?;
        Ok(())
    }
}

/// An encoder on one thread that leaves out no picture to save bits. What `OpenH264` would warn of and turn off itself on pictures of
/// screens is off from the start, so that it prints nothing.
fn encoder(frames_per_picture: u32) -> Result<Encoder> {
    #[expect(clippy::cast_precision_loss, reason = "a few frames")]
    let hertz = FRAMES_PER_SECOND as f32 / frames_per_picture as f32;
    let config = EncoderConfig::new()
        .usage_type(UsageType::ScreenContentRealTime)
        .bitrate(BitRate::from_bps(MAX_BITS_PER_SECOND))
        .qp(QUANTISER)
        .rate_control_mode(RateControlMode::Bufferbased)
        .skip_frames(false)
        .adaptive_quantization(false)
        .background_detection(false)
        .max_frame_rate(FrameRate::from_hz(hertz))
        .intra_frame_period(IntraFramePeriod::from_num_frames(PICTURES_PER_KEY))
        .num_threads(1)
        .vui(VuiConfig::bt601());
    Ok(Encoder::with_api_config(
        OpenH264API::from_source(),
        config,
    )?)
}

impl std::fmt::Debug for Mp4 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mp4")
            .field("size", &self.size)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
