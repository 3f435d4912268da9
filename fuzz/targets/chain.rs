//! See [`cuelight_fuzz::chain`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::chain(bytes));
