//! Puts mutants behind a switch: `switches TREE < LIST > TABLE`.
//!
//! LIST is what `cargo mutants --list --json` prints of the tree, each entry with the `id` that switches it on. Every
//! source file of the tree that has mutants is written anew, so that the variable `MUTANT` says which one is alive:
//! `a < b` becomes `(if crate::mutant(7) { a > b } else { a < b })`. TABLE says where in the new text each one stands,
//! so that what does not compile can be left out of the next list.
//!
//! What has no place to be switched is left out, and is not in the table: chains of `let`, and arms without which a `match`
//! does not compile.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;
use std::{env, fs};

use proc_macro2::LineColumn;
use serde::{Deserialize, Serialize};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Arm, BinOp, Expr, ExprBinary, ExprMatch, ExprStruct, ExprUnary, Member, Pat};

/// An entry of cargo-mutants' list.
#[derive(Deserialize)]
struct Mutant {
    id: u32,
    file: String,
    genre: String,
    name: String,
    replacement: String,
    span: Range,
}

#[derive(Clone, Copy, Deserialize)]
struct Range {
    start: Place,
    end: Place,
}

/// Both from one.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    line: usize,
    column: usize,
}

/// A mutant that stands in the new text: what was put in for it, and what it is put around, in bytes.
#[derive(Serialize)]
struct Placed {
    id: u32,
    name: String,
    file: String,
    own: (usize, usize),
    whole: (usize, usize),
}

/// What is put around the bytes from `start` to `end` of the old text.
struct Wrap {
    id: u32,
    start: usize,
    end: usize,
    before: String,
    after: &'static str,
}

/// The function that every switch asks.
const SWITCH: &str = r#"
pub fn mutant(id: u32) -> bool {
    use std::io::Write as _;
    use std::sync::{Mutex, OnceLock};
    static ALIVE: OnceLock<u32> = OnceLock::new();
    static REACHED: OnceLock<Option<Mutex<(std::collections::BTreeSet<u32>, std::fs::File)>>> = OnceLock::new();
    let number = || std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let alive = *ALIVE.get_or_init(number);
    if alive == 0 {
        let file = || {
            let path = std::env::var_os("MUTANTS_REACHED")?;
            let file = std::fs::OpenOptions::new().append(true).create(true).open(path).ok()?;
            Some(Mutex::new((Default::default(), file)))
        };
        if let Some(reached) = REACHED.get_or_init(file) {
            let mut reached = reached.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if reached.0.insert(id) {
                let _ = writeln!(reached.1, "{id}");
            }
        }
    }
    alive == id
}
"#;

fn main() {
    let tree = env::args().nth(1).expect("the tree to rewrite");
    let mut list = String::new();
    io::stdin().read_to_string(&mut list).expect("the list of mutants");
    let list: Vec<Mutant> = serde_json::from_str(&list).expect("a list of mutants");
    let mut files: BTreeMap<String, Vec<Mutant>> = BTreeMap::new();
    for mutant in list {
        files.entry(mutant.file.clone()).or_default().push(mutant);
    }
    let mut table: Vec<Placed> = Vec::new();
    for (file, mutants) in &files {
        let path = Path::new(&tree).join(file);
        let text = fs::read_to_string(&path).expect("a source file");
        let (new, placed) = rewritten(&text, mutants);
        table.extend(placed);
        fs::write(&path, new).expect("the new text");
    }
    let crates: BTreeSet<&str> =
        files.keys().map(|file| file.split_inclusive("/src/").next().expect("a part")).collect();
    for folder in crates {
        let path = Path::new(&tree).join(folder).join("lib.rs");
        let text = fs::read_to_string(&path).expect("a lib.rs");
        fs::write(&path, text + SWITCH).expect("the new text");
    }
    println!("{}", serde_json::to_string(&table).expect("JSON"));
}

/// The new text, and where the mutants stand in it.
fn rewritten(text: &str, mutants: &[Mutant]) -> (String, Vec<Placed>) {
    let syntax = syn::parse_file(text).expect("Rust");
    let mut walk = Walk { text, lines: lines(text), wanted: BTreeMap::new(), wraps: Vec::new(), takes_the_rest: false };
    for mutant in mutants {
        walk.wanted.entry(mutant.span.start).or_default().push(mutant);
    }
    for mutant in mutants.iter().filter(|mutant| mutant.genre == "FnValue") {
        let (start, end) = (walk.byte(mutant.span.start), walk.byte(mutant.span.end));
        let before = format!("if crate::mutant({}) {{ return {}; }} ", mutant.id, mutant.replacement);
        walk.wraps.push(Wrap { id: mutant.id, start, end, before, after: "" });
    }
    walk.visit_file(&syntax);
    let name_of: BTreeMap<u32, &Mutant> = mutants.iter().map(|mutant| (mutant.id, mutant)).collect();
    // At one place: what ends there, the inner one first; then what begins there, the outer one first.
    let mut marks: Vec<(usize, bool, isize, usize)> = Vec::new();
    for (index, wrap) in walk.wraps.iter().enumerate() {
        let length = isize::try_from(wrap.end - wrap.start).expect("a short text");
        marks.push((wrap.start, true, -length, index));
        marks.push((wrap.end, false, length, index));
    }
    // Of two around the same bytes the one that begins first ends last.
    marks.sort_by_key(|(at, begins, length, index)| {
        (*at, *begins, *length, if *begins { *index } else { usize::MAX - *index })
    });
    let (mut new, mut done) = (String::new(), 0);
    let mut places: Vec<((usize, usize), usize)> = vec![((0, 0), 0); walk.wraps.len()];
    for (at, begins, _, index) in marks {
        new += &text[done..at];
        done = at;
        if begins {
            let start = new.len();
            new += &walk.wraps[index].before;
            places[index].0 = (start, new.len());
        } else {
            new += walk.wraps[index].after;
            places[index].1 = new.len();
        }
    }
    new += &text[done..];
    let placed = walk.wraps.iter().zip(places).map(|(wrap, (own, end))| {
        let mutant = name_of[&wrap.id];
        let (name, file) = (mutant.name.clone(), mutant.file.clone());
        Placed { id: wrap.id, name, file, own, whole: (own.0, end.max(own.1)) }
    });
    (new, placed.collect())
}

/// Where each line begins.
fn lines(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    [0].into_iter().chain(ends).collect()
}

struct Walk<'a> {
    text: &'a str,
    lines: Vec<usize>,
    wanted: BTreeMap<Place, Vec<&'a Mutant>>,
    wraps: Vec<Wrap>,
    /// Whether the innermost `match` takes what none of its other arms does.
    takes_the_rest: bool,
}

impl Walk<'_> {
    fn byte(&self, place: Place) -> usize {
        let start = self.lines[place.line - 1];
        let line = &self.text[start..];
        start + line.char_indices().nth(place.column - 1).map_or(line.len(), |(at, _)| at)
    }

    fn bytes(&self, of: &impl Spanned) -> (usize, usize) {
        let place = |at: LineColumn| self.byte(Place { line: at.line, column: at.column + 1 });
        (place(of.span().start()), place(of.span().end()))
    }

    fn old(&self, of: &impl Spanned) -> &str {
        let (start, end) = self.bytes(of);
        &self.text[start..end]
    }

    /// The mutants of this kind that begin where `at` does.
    fn wanted(&self, genre: &str, at: &impl Spanned) -> Vec<(u32, String)> {
        let start = at.span().start();
        let found = self.wanted.get(&Place { line: start.line, column: start.column + 1 });
        let found = found.into_iter().flatten().filter(|mutant| mutant.genre == genre);
        found.map(|mutant| (mutant.id, mutant.replacement.clone())).collect()
    }

    fn wrap(&mut self, id: u32, of: &impl Spanned, before: String, after: &'static str) {
        let (start, end) = self.bytes(of);
        self.wraps.push(Wrap { id, start, end, before, after });
    }
}

/// Whether it is a part of a chain of `let`s: nothing may be put around one.
fn is_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => is_let(&binary.left) || is_let(&binary.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_expr_binary(&mut self, expr: &'ast ExprBinary) {
        if !is_let(&expr.left) && !is_let(&expr.right) {
            for (id, replacement) in self.wanted("BinaryOperator", &expr.op) {
                let (left, right) = (self.old(&*expr.left), self.old(&*expr.right));
                let before = format!("(if crate::mutant({id}) {{ {left} {replacement} {right} }} else {{ ");
                self.wrap(id, expr, before, " })");
            }
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast ExprUnary) {
        for (id, _) in self.wanted("UnaryOperator", &expr.op) {
            let before = format!("(if crate::mutant({id}) {{ {} }} else {{ ", self.old(&*expr.expr));
            self.wrap(id, expr, before, " })");
        }
        visit::visit_expr_unary(self, expr);
    }

    /// Without a field the value has what it is based on there.
    fn visit_expr_struct(&mut self, expr: &'ast ExprStruct) {
        for field in &expr.fields {
            let (Member::Named(name), Some(rest)) = (&field.member, &expr.rest) else { continue };
            for (id, _) in self.wanted("StructField", field) {
                let shorthand = if field.colon_token.is_some() { String::new() } else { format!("{name}: ") };
                let rest = self.old(&**rest);
                let before = format!("{shorthand}(if crate::mutant({id}) {{ ({rest}).clone().{name} }} else {{ ");
                self.wrap(id, &field.expr, before, " })");
            }
        }
        visit::visit_expr_struct(self, expr);
    }

    fn visit_expr_match(&mut self, expr: &'ast ExprMatch) {
        let is_rest = |arm: &Arm| arm.guard.is_none() && matches!(arm.pat, Pat::Wild(_) | Pat::Ident(_));
        let outer = std::mem::replace(&mut self.takes_the_rest, expr.arms.iter().any(is_rest));
        visit::visit_expr_match(self, expr);
        self.takes_the_rest = outer;
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        for (id, _) in self.wanted("MatchArm", arm) {
            match &arm.guard {
                Some((_, guard)) if is_let(guard) => {}
                Some((_, guard)) => self.wrap(id, &**guard, format!("!crate::mutant({id}) && ("), ")"),
                None if !self.takes_the_rest => {}
                None => {
                    let at = self.bytes(&arm.pat).1;
                    let before = format!(" if !crate::mutant({id})");
                    self.wraps.push(Wrap { id, start: at, end: at, before, after: "" });
                }
            }
        }
        if let Some((_, guard)) = &arm.guard
            && !is_let(guard)
        {
            for (id, replacement) in self.wanted("MatchArmGuard", &**guard) {
                let before = format!("(if crate::mutant({id}) {{ {replacement} }} else {{ ");
                self.wrap(id, &**guard, before, " })");
            }
        }
        visit::visit_arm(self, arm);
    }
}
