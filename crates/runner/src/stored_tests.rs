use super::*;

/// An `.npy` of one dimension.
fn npy_file(dtype: &str, count: usize, data: &[u8]) -> tempfile::NamedTempFile {
    let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({count},), }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend(data);
    let file = tempfile::NamedTempFile::new().expect("temporary folder");
    std::fs::write(file.path(), bytes).expect("temporary file");
    file
}

fn values(dtype: &str, count: usize, data: &[u8]) -> Result<Vec<f64>> {
    let file = npy_file(dtype, count, data);
    StoredArray::open(file.path(), None, "numbers")?.values()
}

/// The bytes of `numbers`, of which `low` gives the lowest first, in both orders.
fn stored<T: Copy, const N: usize>(numbers: &[T], low: fn(T) -> [u8; N]) -> [Vec<u8>; 2] {
    let little = numbers.iter().flat_map(|&number| low(number)).collect();
    let big = numbers.iter().flat_map(|&number| low(number).into_iter().rev().collect::<Vec<_>>()).collect();
    [little, big]
}

#[test]
fn every_kind_of_number_is_read_in_both_orders_of_bytes() {
    let expected = [3.0, 0.0, 96.0];
    let half = |number: f64| f16::from_f64(number).to_le_bytes();
    for (kind, bytes) in [
        ("f2", stored(&expected, half)),
        ("f4", stored(&[3.0_f32, 0.0, 96.0], f32::to_le_bytes)),
        ("f8", stored(&expected, f64::to_le_bytes)),
        ("i1", stored(&[3_i8, 0, 96], i8::to_le_bytes)),
        ("i2", stored(&[3_i16, 0, 96], i16::to_le_bytes)),
        ("i4", stored(&[3_i32, 0, 96], i32::to_le_bytes)),
        ("i8", stored(&[3_i64, 0, 96], i64::to_le_bytes)),
        ("u1", stored(&[3_u8, 0, 96], u8::to_le_bytes)),
        ("u2", stored(&[3_u16, 0, 96], u16::to_le_bytes)),
        ("u4", stored(&[3_u32, 0, 96], u32::to_le_bytes)),
        ("u8", stored(&[3_u64, 0, 96], u64::to_le_bytes)),
    ] {
        for (order, bytes) in ["<", ">"].into_iter().zip(bytes) {
            let order = if kind.ends_with('1') { "|" } else { order };
            assert_eq!(values(&format!("{order}{kind}"), 3, &bytes).expect(kind), expected, "{order}{kind}");
        }
    }
    assert_eq!(values("<i2", 2, &[0xff, 0xff, 0x00, 0x80]).expect("negative numbers"), [-1.0, -32768.0]);
    assert_eq!(values(">u2", 1, &[0x80, 0x01]).expect("no sign"), [32769.0]);
}

#[test]
fn an_integer_that_float64_rounds_is_refused() {
    let largest = 1_i64 << 53;
    assert_eq!(values("<i8", 1, &largest.to_le_bytes()).expect("2^53"), [largest as f64]);
    for number in [largest + 1, -largest - 1, i64::MAX] {
        let error = values("<i8", 1, &number.to_le_bytes()).expect_err("more than 53 bits").to_string();
        assert!(error.contains(&number.to_string()), "{error}");
    }
}

#[test]
fn a_file_that_is_shorter_or_longer_than_its_header_says_is_refused_with_both_sizes() {
    for (bytes, found) in [(20, "20 bytes"), (28, "28 bytes"), (0, "0 bytes")] {
        let error = values("<f8", 3, &vec![0; bytes]).expect_err(found).to_string();
        assert!(error.contains(found) && error.contains("24 behind its header"), "{error}");
    }
}
