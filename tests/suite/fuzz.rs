//! The fuzzer's targets, run over its corpus, over every plan file and sample event of the repository, and over some
//! thousands of mutations of them, which are the same each time.

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::thread;

use fastrand::Rng;
use lastgood_core::Time;
use lastgood_tests::fuzz;

const TESTS: &str = env!("CARGO_MANIFEST_DIR");

/// All mutations follow from it.
const SEED: u64 = 20_260_115;
/// Mutations of right and of odd plan files. One with a spread takes longest to read, for its slots are walked.
const PLANS: usize = 600;
/// Mutations of wrong plan files.
const WRONG_PLANS: usize = 1_900;
/// Mutations of events.
const EVENTS: usize = 6_000;
/// A change cuts or doubles so much at the most: more would leave little to read.
const SLICE_BYTES_MAX: usize = 40;

/// What means something to a reader of plan files.
const PLAN_TOKENS: [&str; 38] = [
    "\n", "\r\n", "\r", "\t", "\0", "\u{feff}", "\u{85}", "\u{2028}", "💥", "  ", ": ", "- ", "? ", "# ", "{", "}",
    "[", "]", ", ", "'", "\"", "\\", "|", ">-", "&a ", "*a", "<<: *a", "!!str ", "---\n", "...\n", "~", "null", "true",
    "0", "-1", "1e999", ".nan", "cron(",
];

/// What means something to a reader of events.
const EVENT_TOKENS: [&str; 22] = [
    "null", "true", "{}", "[]", "\"\"", "{", "[", ",", ":", "\"", "0", "-1", "0.5", "1e999", "\"50\"", "\\ud800",
    "\\u0000", "\n", "detail", "source", "lastgood", "group/",
];

type Target = fn(&[u8]) -> bool;

struct Input {
    name: String,
    bytes: Vec<u8>,
}

/// How many inputs were taken for right, and how many for wrong.
#[derive(Debug, Default)]
struct Tally {
    right: usize,
    wrong: usize,
}

impl Tally {
    fn run(&mut self, target: Target, input: &Input) {
        let _told = ToldInAPanic(input);
        if target(&input.bytes) {
            self.right += 1;
        } else {
            self.wrong += 1;
        }
    }
}

/// Tells the input that a target panics of.
struct ToldInAPanic<'a>(&'a Input);

impl Drop for ToldInAPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}:\n{}", self.0.name, self.0.bytes.escape_ascii());
        }
    }
}

#[test]
fn plan_files_are_read_whatever_they_hold() {
    let [corpus, right, wrong] = ["fuzz/corpus/plan", "plans/right", "plans/wrong"].map(files);
    let known = [&corpus, &right, &wrong].map(Vec::len);
    assert!(known[0] >= 10 && known[1] >= 10 && known[2] >= 100, "{known:?} files");
    let odd: Vec<Input> = corpus.into_iter().chain(right).collect();
    let mut tally = Tally::default();
    run(&mut tally, fuzz::plan, &odd, PLANS, &PLAN_TOKENS);
    run(&mut tally, fuzz::plan, &wrong, WRONG_PLANS, &PLAN_TOKENS);
    assert_eq!(tally.right + tally.wrong, known.iter().sum::<usize>() + PLANS + WRONG_PLANS);
    assert!(tally.right >= known[1] && tally.wrong >= known[2], "{tally:?}");
}

#[test]
fn events_are_read_whatever_they_hold() {
    let [corpus, aws, ours] = ["fuzz/corpus/event", "../events/aws", "../events/lastgood"].map(files);
    let known = [&corpus, &aws, &ours].map(Vec::len);
    assert!(known.iter().all(|known| *known >= 10), "{known:?} files");
    let events: Vec<Input> = corpus.into_iter().chain(aws).chain(ours).collect();
    let mut tally = Tally::default();
    run(&mut tally, fuzz::event, &events, EVENTS, &EVENT_TOKENS);
    assert_eq!(tally.right + tally.wrong, events.len() + EVENTS);
    assert!(tally.right >= known[1] + known[2] && tally.wrong > 0, "{tally:?}");
}

/// What the target of events leaves out is still left out for a reason. Once jiff refuses it, both can go.
#[test]
#[cfg(debug_assertions)]
fn a_time_in_the_second_before_the_calendar_is_what_jiff_panics_of() {
    let time = "-009999-01-02T01:59:58.000000001Z";
    assert!(fuzz::before_the_calendar(&serde_json::json!({ "detail": [{ "at": time }] })));
    assert!(!fuzz::before_the_calendar(&serde_json::json!({ "time": "-009998-01-02T01:59:58.000000001Z" })));
    assert!(panic::catch_unwind(|| time.parse::<Time>()).is_err());
}

/// Every file of a folder, but for the texts that say what is wrong with a plan file.
fn files(folder: &str) -> Vec<Input> {
    let entries = fs::read_dir(Path::new(TESTS).join(folder)).expect("the folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_none_or(|extension| extension != "txt"));
    paths.sort();
    let input = |path: PathBuf| Input { bytes: fs::read(&path).expect("a file"), name: path.display().to_string() };
    paths.into_iter().map(input).collect()
}

/// Runs a target over some inputs, and over mutations of them.
fn run(tally: &mut Tally, target: Target, inputs: &[Input], mutations: usize, tokens: &[&str]) {
    for input in inputs {
        tally.run(target, input);
    }
    let mut rng = Rng::with_seed(SEED);
    for number in 0..mutations {
        let Input { name, bytes } = one(&mut rng, inputs);
        let name = format!("mutation {number} of {name}");
        let bytes = mutated(&mut rng, bytes.clone(), inputs, tokens);
        tally.run(target, &Input { name, bytes });
    }
}

/// One to three changes.
fn mutated(rng: &mut Rng, mut bytes: Vec<u8>, inputs: &[Input], tokens: &[&str]) -> Vec<u8> {
    for _ in 0..rng.usize(1..=3) {
        let from = rng.usize(0..=bytes.len());
        let to = bytes.len().min(from + rng.usize(1..=SLICE_BYTES_MAX));
        let rest = bytes.split_off(to);
        match rng.u32(0..5) {
            0 => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte ^= 1_u8 << rng.u32(0..8);
                }
            }
            1 => bytes.truncate(from),
            2 => bytes.extend_from_within(from..),
            3 => bytes.extend(tokens[rng.usize(0..tokens.len())].bytes()),
            _ => {
                // The end of another input, in place of this one's.
                let other = &one(rng, inputs).bytes;
                bytes.extend(&other[rng.usize(0..=other.len())..]);
                continue;
            }
        }
        bytes.extend(rest);
    }
    bytes
}

fn one<'a>(rng: &mut Rng, inputs: &'a [Input]) -> &'a Input {
    &inputs[rng.usize(0..inputs.len())]
}
