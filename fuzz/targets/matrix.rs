#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gradspectra_fuzz::matrix(bytes));
