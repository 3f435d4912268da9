//! See [`cuelight_fuzz::outputs`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::outputs(bytes));
