//! See [`cuelight_fuzz::workflow`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::workflow(bytes));
