//! See [`cuelight_fuzz::wfformat`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::wfformat(bytes));
