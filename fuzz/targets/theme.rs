//! See [`cuelight_fuzz::theme`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::theme(bytes));
