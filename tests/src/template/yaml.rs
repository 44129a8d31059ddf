//! YAML with CloudFormation's short forms (`!Ref X`, `!Sub …`), read into the JSON that CloudFormation itself takes.

use std::borrow::Cow;

use granit_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value, json};

/// A template as JSON. An error says where it is wrong.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader { events: Parser::new_from_str(text) };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(..) => {}
            first => return reader.value(first),
        }
    }
}

struct Reader<'a, I: Iterator<Item = Result<(Event<'a>, granit_parser::Span), granit_parser::ScanError>>> {
    events: I,
}

impl<'a, I: Iterator<Item = Result<(Event<'a>, granit_parser::Span), granit_parser::ScanError>>> Reader<'a, I> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        loop {
            match self.events.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, _))) => return Ok(event),
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("it ends too early".to_owned()),
            }
        }
    }

    fn value(&mut self, first: Event<'a>) -> Result<Value, String> {
        match first {
            Event::Scalar(text, style, _, tag) => Ok(short(tag.as_ref(), scalar(&text, style, tag.is_some()))),
            Event::SequenceStart(_, _, tag) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => return Ok(short(tag.as_ref(), Value::Array(items))),
                        event => items.push(self.value(event)?),
                    }
                }
            }
            Event::MappingStart(_, _, tag) => {
                let mut fields = Map::new();
                loop {
                    let key = match self.next()? {
                        Event::MappingEnd => return Ok(short(tag.as_ref(), Value::Object(fields))),
                        Event::Scalar(key, ..) => key.into_owned(),
                        other => return Err(format!("a key that is no text: {other:?}")),
                    };
                    let event = self.next()?;
                    let value = self.value(event)?;
                    if fields.insert(key.clone(), value).is_some() {
                        return Err(format!("the key {key} stands there twice"));
                    }
                }
            }
            other => Err(format!("{other:?}, which CloudFormation does not read")),
        }
    }
}

/// Plain scalars are what they look like; quoted ones are text.
fn scalar(text: &str, style: ScalarStyle, is_tagged: bool) -> Value {
    if style != ScalarStyle::Plain || is_tagged {
        return Value::from(text);
    }
    match text {
        "true" => Value::from(true),
        "false" => Value::from(false),
        "" | "~" | "null" => Value::Null,
        _ => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
    }
}

/// AWS: Intrinsic function reference: `!X` is `Fn::X`, but for Ref and Condition; `!GetAtt A.B` is a list.
fn short(tag: Option<&Cow<'_, Tag>>, value: Value) -> Value {
    let Some(name) = tag.filter(|tag| tag.handle() == "!").map(|tag| tag.suffix().to_owned()) else { return value };
    match (name.as_str(), value) {
        ("Ref" | "Condition", value) => json!({name: value}),
        ("GetAtt", Value::String(path)) => {
            let (resource, attribute) = path.split_once('.').unwrap_or((path.as_str(), ""));
            json!({"Fn::GetAtt": [resource, attribute]})
        }
        (_, value) => json!({format!("Fn::{name}"): value}),
    }
}
