//! From the text of a file to its tree. YAML 1.2: yes, no, on and off are texts, true and false are truth values.
//!
//! Where the text is no YAML, the parser can't go on, so this mistake is told alone. The parser knows only what it did
//! not find; what an operator did is said here.

use serde_saphyr::{DuplicateKeyPolicy, NonFiniteFloatPolicy};

use super::mistake::Mistakes;
use super::tree::{Kind, Node};

/// Lists and mappings in one another. A plan file needs 6.
const DEPTH_MAX: usize = 16;

/// Parts of what the parser says of a slip; what the slip mostly is, and what to write.
const SLIPS: [(&[&str], &str); 25] = [
    (
        &["tabs disallowed", "start with a tab", "found a tab"],
        "a tab stands before this; write spaces, for YAML takes no tabs",
    ),
    (
        &["block mapping, did not find expected key", "expected <document start>"],
        "this line begins under no key of the lines above; indent it just as the keys that it belongs with",
    ),
    (
        &["did not find expected '-'"],
        "this line is indented as the '-' of a list, but has none; indent it just as the keys after the '-'",
    ),
    (&["invalid indentation"], "a text in quotes is not closed before this line; write the quote at its end"),
    (
        &["mapping values are not allowed"],
        "a second ': ' stands in this line, or a key stands deeper than its neighbours; put a text that holds a colon in quotes, and indent keys alike",
    ),
    (&["simple key expected ':'"], "this line is no 'key: value'; write a colon and a space after the key"),
    (
        &["expected ',' or '}'", "expected ',' or ']'"],
        "a '{' or '[' before this waits for its end or a ','; close it, or put a text that holds ': ' in quotes",
    ),
    (&["placement of ':'", "unclosed bracket", "flow mapping"], "a '[' or '{' before this is not closed; close it"),
    (
        &["misplaced bracket", "mismatched bracket"],
        "this bracket closes none that is open; leave it out, or write the one that belongs to the one before",
    ),
    (&["unclosed quote"], "the quote that begins here is not closed; write the same quote at the end of the text"),
    (&["after single-quoted"], "the quote ends before this; write '' for a ' inside of quotes, as in 'ann''s'"),
    (&["after double-quoted"], "the quote ends before this; put the whole text in quotes"),
    (&["escape character"], "'\\' begins an escape in double quotes; write single quotes, or '\\\\'"),
    (
        &["anchor", "recursive references"],
        "'*' and '&' begin names of anchors, and this is none that is known; put a text in quotes, as in '*/15 * * * *'",
    ),
    (&["merge"], "'<<' takes the keys of an anchor; write '<<: *name', with '&name' after the key of the first"),
    (&["block scalar"], "'|' and '>' begin a text of several lines; put a text that begins with them in quotes"),
    (
        &["block sequence entries", "only valid inside a block"],
        "'-' begins an entry of a list; write each in a line of its own, or a list as in '[web-prod, api-prod]'",
    ),
    (
        &["comments must be separated"],
        "'#' begins a comment; write a space before it, or put a text that holds it in quotes",
    ),
    (&["unexpected EOF"], "the file ends before this does; write the rest, or close what was opened"),
    (&["unexpected character"], "this character can't begin a text; put the text in quotes"),
    (&["expected string scalar"], "a list or mapping can't be a key; put a text that begins with '{' or '[' in quotes"),
    (&["null into string"], "nothing can't be a key; write the key, in quotes if it is '~' or 'null'"),
    (&["multiple YAML documents"], "a second document begins here; write all plans under the one 'plans:'"),
    (
        &["unsupported tag", "scanning a tag", "parsing a tag", "verbatim tag"],
        "tags of YAML ('!…') mean nothing here; write the value itself, or put a text that begins with '!' in quotes",
    ),
    (
        &["recursion limit", "Depth"],
        "lists and mappings stand too deep in one another; write 'plans:' and a list of plans, each with keys and values",
    ),
];

/// What helps where none of the above does.
const EXAMPLE: &str = "write it as in 'plans: [{name: web, select: {groups: [web-prod]}, schedule: hourly}]'";

/// The tree of a text; `None` after a mistake was noted.
pub(super) fn tree(text: &str, mistakes: &mut Mistakes<'_>) -> Option<Node> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, flow_nesting_limit: DEPTH_MAX },
        // All are told, each where it stands.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        strict_booleans: true,
    };
    match serde_saphyr::from_str_with_options::<Node>(text, options) {
        // Of comments alone the parser names the end.
        Ok(Node { kind: Kind::Null, .. }) => Some(Node::new((1, 1), Kind::Null)),
        Ok(tree) => Some(tree),
        Err(error) => {
            let place = error.location().map_or((1, 1), |location| (location.line(), location.column()));
            let said = error.without_snippet().to_string();
            let slip = SLIPS.iter().find(|(parts, _)| parts.iter().any(|part| said.contains(part)));
            let what = slip.map_or_else(
                || format!("this is no YAML ({}); {EXAMPLE}", first_line(&said)),
                |slip| slip.1.to_owned(),
            );
            mistakes.add(place, what);
            None
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
