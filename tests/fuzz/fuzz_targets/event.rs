//! Any bytes as an event.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    lastgood_tests::fuzz::event(data);
});
