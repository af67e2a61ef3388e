//! Whatever is damaged, cut off or of another run is refused, with what is wrong with it.

use super::*;

/// Turns a bit of a file over, again and again back.
fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

#[test]
fn any_damaged_byte_that_was_vouched_for_is_found_and_no_other_matters() {
    let dir = tempfile::tempdir().unwrap();
    for residence in RESIDENCES {
        let path = dir.path().join(format!("{residence:?}"));
        let saved = saved_file(&path, TINY, residence);
        let contents = contents(TINY, residence);
        let vouched: Vec<usize> = saved.voucher.bytes(&TINY).flatten().collect();
        let n_bytes = usize::try_from(TINY.bytes()).unwrap();
        assert!(vouched.len() < n_bytes && vouched.len() > n_bytes / 2);
        for byte in 0..n_bytes {
            flip(&path, HEADER_LEN + byte as u64);
            let opened = open(&path, &contents, &saved).map(drop);
            if vouched.contains(&byte) {
                let error = opened.unwrap_err();
                assert!(matches!(error, ReplayFileError::Damaged { .. }), "{error}");
                assert!(error.to_string().contains("of environment"), "{error}");
                flip(&path, HEADER_LEN + byte as u64);
            } else {
                // The record of the open slot is made anew, so turning the bit back would be the damage.
                opened.unwrap();
            }
        }
        open(&path, &contents, &saved).map(drop).unwrap();
    }
}

#[test]
fn damage_is_found_in_every_block_of_every_lane() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay");
    // Windows of 1500 slots: seven or eight blocks each, across the seam of the ring.
    let shape = ReplayShape {
        capacity: 3_000,
        frame_len: 2,
        ..SHAPE
    };
    let saved = saved_file(&path, shape, Residence::Mapped);
    let contents = contents(shape, Residence::Mapped);
    for lane in 0..2 {
        let kept = shape.kept(saved.voucher.state.lanes[lane].head);
        let mut found = Vec::new();
        for slot in kept.clone() {
            let [frame, _] = shape.frame_bytes(lane, slot..slot + 1);
            flip(&path, offset(&frame));
            match open(&path, &contents, &saved).map(drop).unwrap_err() {
                ReplayFileError::Damaged {
                    lane: at, slots, ..
                } => {
                    assert!(at == lane && slots.contains(&slot));
                    found.push(slots);
                }
                error => panic!("{error}"),
            }
            flip(&path, offset(&frame));
        }
        found.dedup();
        assert!(found.len() >= 6, "{found:?}");
        assert_eq!(found.iter().map(Range::len).sum::<usize>(), kept.len());
    }
}

#[test]
fn any_damaged_byte_of_the_header_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay");
    let saved = saved_file(&path, TINY, Residence::InMemory);
    let contents = contents(TINY, Residence::InMemory);
    for byte in 0..HEADER_LEN {
        flip(&path, byte);
        open(&path, &contents, &saved).map(drop).unwrap_err();
        flip(&path, byte);
    }
    open(&path, &contents, &saved).map(drop).unwrap();
}

#[test]
fn a_file_of_another_length_is_refused_with_both_numbers() {
    let dir = tempfile::tempdir().unwrap();
    for residence in RESIDENCES {
        let path = dir.path().join(format!("{residence:?}"));
        let saved = saved_file(&path, TINY, residence);
        let expected = file_bytes(&TINY);
        for got in [expected + 1, expected - 1, HEADER_LEN, 7, 0] {
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(got).unwrap();
            let opened = open(&path, &contents(TINY, residence), &saved).map(drop);
            let error = opened.unwrap_err().to_string();
            let numbers = format!("has {got} bytes, expected {expected}");
            assert!(error.contains(&numbers), "{error}");
        }
    }
}

#[test]
fn a_file_of_another_run_or_size_is_refused_with_both_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay");
    let saved = saved_file(&path, TINY, Residence::Mapped);
    let right = contents(TINY, Residence::Mapped);
    let refused = |contents: &Contents<'_>| {
        let opened = open(&path, contents, &saved).map(drop);
        opened.unwrap_err().to_string()
    };
    let identity = "Pong, protocol machado";
    let error = refused(&Contents { identity, ..right });
    assert!(
        error.contains("MsPacman") && error.contains("Pong"),
        "{error}"
    );
    let capacity = 14;
    let shape = ReplayShape { capacity, ..TINY };
    let error = refused(&Contents { shape, ..right });
    assert!(
        error.contains("capacity 12") && error.contains("capacity 14"),
        "{error}"
    );

    fs::write(&path, vec![0; 8192]).unwrap();
    assert!(refused(&right).contains("no replay memory"));
    fs::remove_file(&path).unwrap();
    assert!(refused(&right).contains("cannot open"));
}

#[test]
fn a_checkpoint_of_another_memory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replay");
    let saved = saved_file(&path, TINY, Residence::Mapped);
    let contents = contents(TINY, Residence::Mapped);
    let mut fewer = saved.clone();
    fewer.voucher.state.lanes.pop();
    let error = open(&path, &contents, &fewer).map(drop).unwrap_err();
    assert!(
        error.to_string().contains("environments is 1, expected 2"),
        "{error}"
    );

    let mut other = saved.clone();
    other.voucher.state.lanes[0].head += 600;
    let error = open(&path, &contents, &other).map(drop).unwrap_err();
    assert!(matches!(
        error,
        ReplayFileError::Damaged { lane: 0, .. } | ReplayFileError::OtherVoucher { .. }
    ));
}
