//! Any bytes as a plan file.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    lastgood_tests::fuzz::plan(data);
});
