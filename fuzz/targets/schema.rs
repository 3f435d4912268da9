//! See [`cuelight_fuzz::schema`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cuelight_fuzz::schema(bytes));
