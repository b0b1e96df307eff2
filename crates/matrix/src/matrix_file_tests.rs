//! Right values are those that numpy gives for the same bytes: see each.

use gradspectra_files::StoredArray;

use super::*;

const EXPECTED: &str = "numbers";

/// An `.npy` of a version, 1 to 3, whose header is `header`.
fn npy(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let before = if version == 1 { 10 } else { 12 };
    let length = (before + header.len() + 1).next_multiple_of(64) - before;
    let length_bytes = (length as u32).to_le_bytes();
    let size = if version == 1 { &length_bytes[..2] } else { &length_bytes[..] };
    [b"\x93NUMPY", &[version, 0][..], size, format!("{header:<width$}\n", width = length - 1).as_bytes(), data].concat()
}

fn header(dtype: &str, fortran: &str, shape: &str) -> String {
    format!("{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}")
}

fn safetensors(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let length = data.len();
    let header = format!("{{\"g\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[0,{length}]}}}}");
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("temporary folder");
    std::fs::write(file.path(), bytes).expect("temporary file");
    file
}

fn values(bytes: &[u8]) -> Result<Vec<f64>> {
    Ok(StoredArray::open(file(bytes).path(), None, EXPECTED)?.values()?)
}

#[test]
fn every_kind_of_number_is_read_as_it_is() {
    // numpy.array([1.5, -0.1], kind).astype(float): float16 rounds 0.1 to 1638.4/2^14, so 0.0999755859375.
    let tenth = 0.099_975_585_937_5;
    let single = f64::from(0.1_f32);
    for (kind, bytes, expected) in [
        ("f2", [[0x3e, 0x00], [0xae, 0x66]].concat(), [1.5, -tenth]),
        ("f4", [1.5_f32.to_be_bytes(), (-0.1_f32).to_be_bytes()].concat(), [1.5, -single]),
        ("f8", [1.5_f64.to_be_bytes(), (-0.1_f64).to_be_bytes()].concat(), [1.5, -0.1]),
        ("i2", [[0x01, 0x02], [0xff, 0xfe]].concat(), [258.0, -2.0]),
        ("u2", [[0x01, 0x02], [0xff, 0xfe]].concat(), [258.0, 65534.0]),
        ("i4", [[0, 0, 1, 2], [0xff, 0xff, 0xff, 0xfe]].concat(), [258.0, -2.0]),
        ("u4", [[0, 0, 1, 2], [0xff, 0xff, 0xff, 0xfe]].concat(), [258.0, 4_294_967_294.0]),
        (
            "i8",
            [(1_i64 << 53).to_be_bytes(), (-(1_i64 << 53)).to_be_bytes()].concat(),
            [9_007_199_254_740_992.0, -9_007_199_254_740_992.0],
        ),
        ("u8", [(1_u64 << 53).to_be_bytes(), 7_u64.to_be_bytes()].concat(), [9_007_199_254_740_992.0, 7.0]),
    ] {
        let width = bytes.len() / 2;
        let little: Vec<u8> = bytes.chunks(width).flat_map(|number| number.iter().rev().copied()).collect();
        for version in 1..=3 {
            let read = |mark: &str, data: &[u8]| {
                values(&npy(version, &header(&format!("{mark}{kind}"), "False", "(2,)"), data))
            };
            assert_eq!(read(">", &bytes).expect(kind), expected, ">{kind}");
            assert_eq!(read("<", &little).expect(kind), expected, "<{kind}");
        }
        let name = kind.replace('f', "F").replace('i', "I").replace('u', "U");
        let name = format!("{}{}", &name[..1], 8 * width);
        assert_eq!(values(&safetensors(&name, "[2]", &little)).expect(kind), expected, "{name}");
    }
    assert_eq!(values(&npy(1, &header("|i1", "False", "(2,)"), &[3, 0x80])).expect("i1"), [3.0, -128.0]);
    assert_eq!(values(&npy(1, &header("|u1", "False", "(2,)"), &[3, 0x80])).expect("u1"), [3.0, 128.0]);
    // The upper halves of 1.5 and -0.1 in float32: torch.tensor([1.5, -0.1]).bfloat16().double().
    assert_eq!(values(&safetensors("BF16", "[2]", &[0xc0, 0x3f, 0xcd, 0xbd])).expect("bf16"), [1.5, -0.10009765625]);
}

#[test]
fn what_is_not_exact_whole_or_alone_is_refused_with_the_sizes() {
    let doubles = |count: usize| vec![0; 8 * count];
    let whole = npy(1, &header("<f8", "False", "(3,)"), &doubles(3));
    let numbers = |dtype, data: &[u8]| npy(1, &header(dtype, "False", "(1,)"), data);
    for (bytes, expected) in [
        (whole[..whole.len() - 1].to_vec(), "23 bytes for an array of shape [3] of '<f8'; expected 24"),
        (whole[..whole.len() - 24].to_vec(), "0 bytes for an array of shape [3]"),
        ([&whole[..], &[0; 8]].concat(), "32 bytes for an array of shape [3] of '<f8'; expected 24"),
        ([&whole[..], &whole[..]].concat(), "176 bytes for an array of shape [3] of '<f8'; expected 24"),
        (whole[..30].to_vec(), "30 bytes with a header of 118"),
        (numbers("<i8", &((1_i64 << 53) + 1).to_le_bytes()), "the integer 9007199254740993 at place 0"),
        (numbers("<u8", &u64::MAX.to_le_bytes()), "the integer 18446744073709551615 at place 0"),
        (numbers("<i8", &i64::MIN.to_le_bytes()), "the integer -9223372036854775808 at place 0"),
        (numbers("|b1", &[1]), "numbers of type '|b1'"),
        (numbers("<c16", &[0; 16]), "numbers of type '<c16'"),
        (numbers("<f16", &[0; 16]), "numbers of type '<f16'"),
        (numbers("<U2", &[0; 8]), "numbers of type '<U2'"),
        (numbers("<M8[s]", &[0; 8]), "numbers of type"),
        (safetensors("BOOL", "[2]", &[0, 1]), "numbers of type BOOL"),
        (safetensors("C64", "[1]", &[0; 8]), "numbers of type C64"),
        (safetensors("F8_E4M3", "[2]", &[0; 2]), "numbers of type F8_E4M3"),
        ([safetensors("F64", "[1]", &[0; 8]), vec![0; 3]].concat(), "11 bytes behind the header, which tells of 8"),
        (safetensors("F64", "[2]", &[0; 8]), "bytes 0 to 8 for g, F64 of shape [2]"),
        (b"1.5,2\n".to_vec(), "text, as CSV is"),
        (b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0G.npy".to_vec(), "an .npz archive of NumPy"),
        (vec![], "an empty file"),
    ] {
        let error = values(&bytes).expect_err(expected).to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn a_matrix_knows_its_precision_and_its_roundoff() {
    let matrix = |bytes: &[u8]| {
        let file = file(bytes);
        let mut matrix = MatrixFile::open(file.path(), None, Orientation::ParametersByIterations).expect("a matrix");
        (matrix.precision, matrix.roundoff(), matrix.rows::<f64>(0, 2).expect("numbers")[(1, 0)])
    };
    let eight: Vec<u8> = [1_i64, 2, 3, 4].iter().flat_map(|value| value.to_be_bytes()).collect();
    // numpy.array([[1, 2], [3, 4]]) by rows, and by columns the transpose of it.
    assert_eq!(matrix(&npy(1, &header(">i8", "False", "(2, 2)"), &eight)), (Precision::Double, 0.0, 3.0));
    assert_eq!(matrix(&npy(2, &header(">i8", "True", "(2, 2)"), &eight)), (Precision::Double, 0.0, 2.0));
    for (dtype, width, precision, roundoff) in [
        ("F16", 2, Precision::Single, 2f64.powi(-11)),
        ("BF16", 2, Precision::Single, 2f64.powi(-8)),
        ("F32", 4, Precision::Single, 2f64.powi(-24)),
        ("F64", 8, Precision::Double, 0.0),
        ("I32", 4, Precision::Double, 0.0),
    ] {
        let found = matrix(&safetensors(dtype, "[2,2]", &vec![0; 4 * width]));
        assert_eq!(found, (precision, roundoff, 0.0), "{dtype}");
    }
}

#[test]
fn a_name_for_an_array_without_one_is_refused() {
    let file = file(&npy(1, &header("<f8", "False", "(1,)"), &[0; 8]));
    let error = StoredArray::open(file.path(), Some("grads"), EXPECTED).expect_err("an .npy").to_string();
    assert!(error.contains("--tensor is grads; ") && error.contains("leave --tensor out"), "{error}");
}
