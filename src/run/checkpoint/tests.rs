//! A checkpoint comes back as it was, and nothing else comes back at all.

use std::process::Command;

use serde_json::{Value, json};

use super::*;

fn checkpoint() -> Checkpoint<Value> {
    Checkpoint {
        step: 12_345,
        meta: json!({ "game": "MsPacman", "mean \"score\"": 312.5, "updates": 154 }),
        tensors: vec![
            (
                "torso.weight".to_owned(),
                Tensor::from_slice(&[1.5_f32, -0.0, f32::NAN, 3.0]).reshape([2, 2]),
            ),
            ("adam.step".to_owned(), Tensor::from_slice(&[7_i64])),
            ("a scalar".to_owned(), Tensor::from(2.5_f32)),
            (
                "empty".to_owned(),
                Tensor::zeros([0, 3], (Kind::Float, Device::Cpu)),
            ),
        ],
    }
}

fn bytes_of(tensor: &Tensor) -> Vec<u8> {
    StoredTensor::of("tensor", tensor).unwrap().bytes
}

#[test]
fn a_checkpoint_comes_back_bit_for_bit_and_in_order() {
    let written = checkpoint();
    let read = Checkpoint::<Value>::decode(&written.encode().unwrap()).unwrap();
    assert_eq!(read.step, written.step);
    assert_eq!(read.meta, written.meta);
    assert_eq!(read.tensors.len(), written.tensors.len());
    for ((name, tensor), (read_name, read_tensor)) in written.tensors.iter().zip(&read.tensors) {
        assert_eq!(name, read_name);
        assert_eq!(tensor.kind(), read_tensor.kind());
        assert_eq!(tensor.size(), read_tensor.size());
        assert_eq!(bytes_of(tensor), bytes_of(read_tensor));
    }
}

#[test]
fn a_tensor_that_is_a_transposed_leaf_is_stored_by_rows() {
    let leaf = Tensor::from_slice(&[1_f32, 2.0, 3.0, 4.0, 5.0, 6.0])
        .reshape([2, 3])
        .transpose(0, 1);
    let tensors = vec![("weight".to_owned(), leaf.set_requires_grad(true))];
    let read = Checkpoint::<Value>::decode(
        &Checkpoint {
            step: 0,
            meta: json!(1),
            tensors,
        }
        .encode()
        .unwrap(),
    )
    .unwrap();
    assert_eq!(read.tensors[0].1.size(), [3, 2]);
    assert_eq!(
        bytes_of(&read.tensors[0].1),
        bytemuck::cast_slice::<f32, u8>(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0])
    );
}

#[test]
fn a_checkpoint_cut_off_anywhere_is_rejected() {
    let bytes = checkpoint().encode().unwrap();
    for length in 0..bytes.len() {
        let rejection = Checkpoint::<Value>::decode(&bytes[..length]).unwrap_err();
        assert!(
            matches!(rejection, Rejection::Truncated { .. }),
            "{length}: {rejection}"
        );
    }
}

#[test]
fn a_checkpoint_with_bytes_too_many_is_rejected() {
    let mut bytes = checkpoint().encode().unwrap();
    bytes.push(0);
    Checkpoint::<Value>::decode(&bytes).unwrap_err();
}

#[test]
fn a_single_flipped_bit_anywhere_is_rejected() {
    let bytes = checkpoint().encode().unwrap();
    let mut n_by_checksum = 0;
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1 << bit;
            let rejection =
                Checkpoint::<Value>::decode(&flipped).expect_err("a flipped bit was accepted");
            n_by_checksum += usize::from(matches!(rejection, Rejection::Checksum { .. }));
        }
    }
    // At least every bit of every tensor is the checksum's to find.
    assert!(n_by_checksum >= 8 * (16 + 8 + 4), "{n_by_checksum}");
}

#[test]
fn files_of_other_programs_are_rejected_with_a_reason() {
    let view = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
    let foreign = safetensors::serialize([("x", view)], None).unwrap();
    let reason = Checkpoint::<Value>::decode(&foreign)
        .unwrap_err()
        .to_string();
    assert_eq!(reason, "not a checkpoint of rlrun: it has no __metadata__");

    for bytes in [
        &b""[..],
        b"PK\x03\x04",
        &[0; 64],
        &[0xff; 64],
        b"# a text file that is longer than a header\n",
    ] {
        Checkpoint::<Value>::decode(bytes).unwrap_err();
    }
}

#[test]
fn a_checkpoint_of_another_kind_of_run_is_rejected_by_its_meta() {
    let bytes = checkpoint().encode().unwrap();
    let rejection = Checkpoint::<Vec<u64>>::decode(&bytes).unwrap_err();
    assert!(matches!(rejection, Rejection::Meta(_)), "{rejection}");
}

#[test]
fn what_cannot_be_stored_is_an_error() {
    let with = |tensors| {
        Checkpoint {
            step: 0,
            meta: json!(null),
            tensors,
        }
        .encode()
        .unwrap_err()
    };
    let x = || Tensor::from(1_f32);
    let truth = with(vec![("x".to_owned(), Tensor::from(true))]);
    assert!(matches!(truth, EncodeError::Kind { .. }));
    assert!(matches!(
        with(vec![("x".to_owned(), x()), ("x".to_owned(), x())]),
        EncodeError::DuplicateName(_)
    ));
    assert!(matches!(
        with(vec![("__metadata__".to_owned(), x())]),
        EncodeError::ReservedName(_)
    ));
}

#[test]
fn the_hash_of_the_weights_is_that_of_their_bytes() {
    let tensors = [
        ("b".to_owned(), Tensor::from(1_f32)),
        ("a".to_owned(), Tensor::from_slice(&[2_f32, 3.0])),
    ];
    // python3 -c "import hashlib, struct; print(hashlib.sha256(struct.pack('<3f', 1, 2, 3)).hexdigest())"
    let expected = "8e628779e6a74ee0b36991c10158f63cafec7d340ad4e075592502c8708524dd";
    assert_eq!(weights_sha256(&tensors).unwrap(), expected);
}

/// The reader that `safetensors` for Python is, as far as this file needs it, in case that is not installed.
const READ_WITH_PYTHON: &str = r#"
import json, sys
path = sys.argv[1]
data = open(path, "rb").read()
n = int.from_bytes(data[:8], "little")
header = json.loads(data[8 : 8 + n])
meta = header.pop("__metadata__")
assert all(type(value) is str for value in meta.values())
ends = sorted(info["data_offsets"] for info in header.values())
assert ends[0][0] == 0 and ends[-1][1] == len(data) - 8 - n
try:
    from safetensors import safe_open
except ImportError:
    pass
else:
    with safe_open(path, "numpy") as file:
        assert file.metadata() == meta
        assert file.get_tensor("torso.weight").shape == (2, 2)
print(meta["step"], json.loads(meta["meta"])["game"], header["torso.weight"]["shape"], header["adam.step"]["dtype"])
"#;

#[test]
fn python_reads_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("checkpoint.safetensors");
    fs::write(&path, checkpoint().encode().unwrap()).unwrap();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    if !python.exists() {
        eprintln!(
            "SKIPPED: {} does not exist; ./rlrun doctor says how to make it",
            python.display()
        );
        return;
    }
    let output = Command::new(python)
        .args(["-c", READ_WITH_PYTHON])
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        said.trim(),
        "12345 MsPacman [2, 2] I64",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
