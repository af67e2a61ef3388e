//! Videos are read back with the decoders of their formats.

use std::fs;
use std::path::PathBuf;

use openh264::decoder::Decoder;
use openh264::formats::YUVSource as _;
use shiguredo_mp4::bitstream::h264::{LengthSize, length_prefixed_to_annexb};
use shiguredo_mp4::boxes::SampleEntry;
use shiguredo_mp4::demux::{Input as DemuxInput, Mp4FileDemuxer};

use super::*;

/// A dark picture with a red square that stands further to the right in each.
fn picture(number: usize) -> RgbImage {
    let mut image = RgbImage::new(161, 75, [20, 40, 120]);
    image.fill((10 + 8 * number, 30), (20, 20), [200, 30, 30]);
    image
}

fn spec(scale: usize, frames_per_picture: u32) -> VideoSpec {
    VideoSpec {
        width: 161,
        height: 75,
        scale,
        frames_per_picture,
    }
}

/// Writes these of the numbered pictures.
fn write(name: &str, spec: VideoSpec, numbers: &[usize]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let mut video = Video::create(&path, spec).unwrap();
    for &number in numbers {
        video.add(&picture(number)).unwrap();
    }
    assert_eq!(video.finish().unwrap(), numbers.len() as u64);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    (dir, path)
}

/// Pictures of a GIF as they are seen, with their delays in hundredths of a second.
fn decoded_gif(path: &Path) -> Vec<(RgbImage, u16)> {
    let mut options = ::gif::DecodeOptions::new();
    options.set_color_output(::gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(fs::File::open(path).unwrap()).unwrap();
    let (width, height) = (decoder.width().into(), decoder.height().into());
    let mut canvas = RgbImage::new(width, height, [1, 2, 3]);
    let mut seen = Vec::new();
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        let columns = usize::from(frame.width);
        for (idx, pixel) in frame.buffer.chunks_exact(4).enumerate() {
            let (x, y) = (idx % columns, idx / columns);
            if pixel[3] > 0 {
                let at = (x + usize::from(frame.left), y + usize::from(frame.top));
                canvas.set(at.0, at.1, [pixel[0], pixel[1], pixel[2]]);
            }
        }
        seen.push((canvas.clone(), frame.delay));
    }
    seen
}

#[test]
fn a_gif_has_every_pixel_as_it_was_and_equal_pictures_last_longer() {
    let (_dir, path) = write("a.gif", spec(2, 4), &[0, 1, 1, 1, 2, 0]);
    let seen = decoded_gif(&path);
    let expected = [0, 1, 2, 0].map(|number| picture(number).enlarged(2));
    let pictures: Vec<&RgbImage> = seen.iter().map(|(picture, _)| picture).collect();
    assert_eq!(pictures, expected.iter().collect::<Vec<_>>());
    // Six pictures of four sixtieths of a second each are 0.4 s together.
    let delays: Vec<u16> = seen.iter().map(|&(_, delay)| delay).collect();
    assert_eq!(delays, [6, 20, 7, 7]);
}

#[test]
fn a_gif_of_a_fast_game_leaves_out_what_browsers_would_show_too_long() {
    let numbers: Vec<usize> = (0..13).collect();
    let (_dir, path) = write("a.gif", spec(1, 1), &numbers);
    let seen = decoded_gif(&path);
    assert!(seen.len() < 13 && seen.iter().all(|&(_, delay)| delay >= 2));
    let total: u16 = seen.iter().map(|&(_, delay)| delay).sum();
    assert!((21..=23).contains(&total), "{total}");
    assert_eq!(seen.last().unwrap().0, picture(12));
}

#[test]
fn a_gif_with_too_many_colours_keeps_the_frequent_ones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gif");
    let mut image = RgbImage::new(161, 75, [20, 40, 121]);
    for x in 0..161_u8 {
        for y in 0..4_u8 {
            image.set(x.into(), y.into(), [x, y * 60, x / 2 + y]);
        }
    }
    let mut video = Video::create(&path, spec(1, 4)).unwrap();
    video.add(&image).unwrap();
    video.finish().unwrap();
    let seen = &decoded_gif(&path)[0].0;
    assert_eq!(seen.pixel(80, 50), [20, 40, 121]);
    let error = |x, y| {
        let (a, b) = (seen.pixel(x, y), image.pixel(x, y));
        (0..3).map(|c| a[c].abs_diff(b[c])).max().unwrap()
    };
    assert!((0..161).all(|x| (0..4).all(|y| error(x, y) < 16)));
}

#[test]
fn only_what_changes_is_in_a_gif() {
    let (_dir, path) = write("a.gif", spec(2, 4), &[0; 60]);
    let still = fs::metadata(&path).unwrap().len();
    let numbers: Vec<usize> = (0..60).map(|idx| idx % 2).collect();
    let (_dir, path) = write("a.gif", spec(2, 4), &numbers);
    let moving = fs::metadata(&path).unwrap().len();
    let per_picture = (moving - still) / 59;
    assert!(per_picture < 400, "{per_picture} bytes a picture");
}

/// Pictures of an MP4 as they are seen, and how many sixtieths of a second they last.
fn decoded_mp4(path: &Path) -> Vec<(RgbImage, u32)> {
    let bytes = fs::read(path).unwrap();
    let mut demuxer = Mp4FileDemuxer::new();
    while let Some(required) = demuxer.required_input() {
        let start = usize::try_from(required.position).unwrap();
        demuxer.handle_input(DemuxInput {
            position: required.position,
            data: &bytes[start..],
        });
    }
    assert_eq!(demuxer.tracks().unwrap().len(), 1);
    let mut decoder = Decoder::new().unwrap();
    let mut seen = Vec::new();
    while let Some(sample) = demuxer.next_sample().unwrap() {
        let start = usize::try_from(sample.data_offset).unwrap();
        let data = &bytes[start..start + sample.data_size];
        let mut stream = Vec::new();
        if let Some(SampleEntry::Avc1(entry)) = sample.sample_entry {
            assert!(sample.keyframe);
            for set in entry
                .avcc_box
                .sps_list
                .iter()
                .chain(&entry.avcc_box.pps_list)
            {
                stream.extend([0, 0, 0, 1]);
                stream.extend(set);
            }
        }
        stream.extend(length_prefixed_to_annexb(data, LengthSize::FourBytes).unwrap());
        assert_eq!(sample.track.timescale.get(), 60);
        let duration = sample.duration;
        let picture = decoder.decode(&stream).unwrap().expect("a picture");
        let (width, height) = picture.dimensions();
        let mut rgb = vec![0; width * height * 3];
        picture.write_rgb8(&mut rgb);
        seen.push((RgbImage::from_rgb(width, height, &rgb), duration));
    }
    seen
}

#[test]
fn an_mp4_has_every_picture_in_its_time_and_nearly_its_colours() {
    let numbers = [0, 1, 1, 2, 3, 4, 5, 6, 7, 0];
    let (_dir, path) = write("a.MP4", spec(3, 4), &numbers);
    let seen = decoded_mp4(&path);
    assert_eq!(seen.len(), numbers.len());
    for ((seen, duration), number) in seen.iter().zip(numbers) {
        assert_eq!(*duration, 4);
        // 483 x 225 pixels and the black ones that make both numbers even.
        assert_eq!((seen.width(), seen.height()), (484, 226));
        let square = 10 + 8 * number;
        let check = |x: usize, y: usize, expected: [u8; 3]| {
            let got = seen.pixel(3 * x + 1, 3 * y + 1);
            let error = (0..3).map(|c| got[c].abs_diff(expected[c])).max();
            assert!(error < Some(12), "picture {number} at {x}, {y}: {got:?}");
        };
        check(square + 10, 40, [200, 30, 30]);
        check(square + 1, 31, [200, 30, 30]);
        check(square - 2, 40, [20, 40, 120]);
        check(square + 22, 40, [20, 40, 120]);
        check(160, 74, [20, 40, 120]);
    }
}

#[test]
fn a_video_that_is_not_finished_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.mp4", "a.gif"] {
        let mut video = Video::create(&dir.path().join(name), spec(1, 4)).unwrap();
        video.add(&picture(0)).unwrap();
        drop(video);
        let empty = Video::create(&dir.path().join(name), spec(1, 4)).unwrap();
        assert!(empty.finish().is_err());
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn another_ending_size_or_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.avi", "a", "mp4"] {
        let error = Video::create(&dir.path().join(name), spec(1, 4)).unwrap_err();
        assert!(RequestError::is_in(&error) && error.to_string().contains(".mp4 or .gif"));
    }
    assert!(Video::create(&dir.path().join("none/a.gif"), spec(1, 4)).is_err());
    assert!(Video::create(&dir.path().join("a.mp4"), spec(40, 4)).is_err());
    let mut video = Video::create(&dir.path().join("a.gif"), spec(1, 4)).unwrap();
    let error = video.add(&RgbImage::new(160, 75, [0; 3])).unwrap_err();
    assert!(error.to_string().contains("160x75"), "{error}");
}
