//! What is drawn is found again by its colours.

use super::*;

const NAMES: [&str; 3] = ["NOOP", "UP", "DOWN"];

fn panel(distribution: Option<Distribution<'_>>) -> Panel<'_> {
    Panel {
        score: 1230.0,
        step: 45,
        action: Some(1),
        names: &NAMES,
        distribution,
        source: None,
        value: None,
        input: None,
    }
}

/// Pixels of a colour in the row of an action, at a scale of 2.
fn count(image: &RgbImage, action: usize, colour: Rgb) -> usize {
    let top = 2 * (ROWS_TOP + action * 9);
    let row =
        (top + 8..top + 10).flat_map(|y| (2 * (160 + BARS.0)..2 * (160 + 95)).map(move |x| (x, y)));
    row.filter(|&(x, y)| image.pixel(x, y) == colour).count()
}

#[test]
fn the_game_stays_as_it_is_and_bars_are_as_long_as_the_probabilities() {
    let game = RgbImage::new(160, 210, [9, 99, 199]);
    let probabilities = [0.25, 0.5, 0.0];
    let image = panel(Some(Distribution::Probabilities(&probabilities))).beside(&game, 2);
    assert_eq!((image.width(), image.height()), (560, 420));
    assert!((0..420).all(|y| (0..320).all(|x| image.pixel(x, y) == [9, 99, 199])));
    let lengths = [
        count(&image, 0, BAR),
        count(&image, 1, CHOSEN),
        count(&image, 2, BAR),
    ];
    assert_eq!(lengths, [2 * 23, 2 * 46, 0]);
}

#[test]
fn the_greatest_value_has_the_longest_bar() {
    let game = RgbImage::new(160, 210, [0; 3]);
    let values = [-4.0, -2.0, -3.0];
    let image = panel(Some(Distribution::QValues(&values))).beside(&game, 2);
    let lengths = [
        count(&image, 0, BAR),
        count(&image, 1, CHOSEN),
        count(&image, 2, BAR),
    ];
    assert_eq!(lengths, [0, 2 * 92, 2 * 46]);
    let alike = [1.0; 3];
    let image = panel(Some(Distribution::QValues(&alike))).beside(&game, 2);
    assert_eq!(count(&image, 0, BAR), 0);
}

#[test]
fn everything_that_is_known_is_seen() {
    let game = RgbImage::new(160, 210, [0; 3]);
    let bare = panel(None);
    let bytes: Vec<u8> = (0..4_u8).flat_map(|idx| vec![60 * idx; 84 * 84]).collect();
    let input = Some(Input {
        bytes: &bytes,
        shape: [4, 84, 84],
    });
    let seen = |panel: Panel<'_>| panel.beside(&game, 3);
    for other in [
        Panel {
            score: 1231.0,
            ..bare
        },
        Panel { step: 46, ..bare },
        Panel {
            action: Some(2),
            ..bare
        },
        Panel {
            action: None,
            ..bare
        },
        Panel {
            source: Some("policy of step 9"),
            ..bare
        },
        Panel {
            value: Some(0.5),
            ..bare
        },
        Panel { input, ..bare },
    ] {
        assert!(seen(other) != seen(bare), "{other:?}");
    }
    let image = seen(Panel { input, ..bare });
    for idx in 0..4_u8 {
        let x = 480 + 12 + 84 * usize::from(idx) + 42;
        assert_eq!(image.pixel(x, 3 * 178 + 42), [60 * idx; 3]);
    }
}

#[test]
fn the_line_below_tells_score_and_action() {
    let game = RgbImage::new(160, 210, [9, 99, 199]);
    let bare = panel(None);
    let image = bare.below(&game, 2);
    assert_eq!((image.width(), image.height()), (320, 448));
    assert!((0..420).all(|y| (0..320).all(|x| image.pixel(x, y) == [9, 99, 199])));
    for other in [
        Panel { score: 7.0, ..bare },
        Panel {
            action: Some(2),
            ..bare
        },
        Panel {
            action: None,
            ..bare
        },
    ] {
        assert!(other.below(&game, 2) != image, "{other:?}");
    }
}

#[test]
fn eighteen_actions_and_the_input_find_room() {
    let game = RgbImage::new(160, 210, [0; 3]);
    let names = ["DOWNRIGHTFIRE"; 18];
    let values = [0.5; 18];
    let panel = Panel {
        names: &names,
        ..panel(Some(Distribution::Probabilities(&values)))
    };
    let image = panel.beside(&game, 2);
    let caption = 2 * (210 - INPUT_HEIGHT - 8);
    let is_bar = |y: usize| image.pixel(2 * (160 + BARS.0 + 5), y) == BAR;
    let below = (caption..420).filter(|&y| is_bar(y)).count();
    assert_eq!(below, 0);
    assert!((2 * ROWS_TOP..caption).filter(|&y| is_bar(y)).count() > 18 * 5);
}
