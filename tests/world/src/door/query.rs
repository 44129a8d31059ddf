//! Reads AWS's query protocols: names with dots and numbers, `Filter.1.Value.2`.
//!
//! Every field is taken once; what nobody took is refused. A server that ignored what it does not know would let a
//! test pass that AWS would not.

use std::collections::BTreeMap;
use std::str::FromStr;

use lastgood_core::facts::Tags;

use crate::fault::AwsError;
use crate::filter::{Filter, Paging};
use crate::policy::Verbatim;

/// The fields of a call that nobody took yet.
#[derive(Debug, Default)]
pub(super) struct Query {
    fields: BTreeMap<String, String>,
}

impl Query {
    pub(super) fn read(body: &[u8]) -> Self {
        Self { fields: form_urlencoded::parse(body).into_owned().collect() }
    }

    /// A field. An empty text is none.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.fields.remove(name).filter(|value| !value.is_empty())
    }

    /// Takes a field whose being there says all, even if it is empty.
    pub(super) fn takes_out(&mut self, name: &str) -> bool {
        self.fields.remove(name).is_some()
    }

    /// A field that must be there (AWS: EC2 error codes, MissingParameter).
    pub(super) fn need(&mut self, name: &str) -> Result<String, AwsError> {
        let missing = || AwsError::new("MissingParameter", format!("The request must contain the parameter {name}"));
        self.take(name).ok_or_else(missing)
    }

    /// A field that is a number, or the like.
    pub(super) fn parse<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, AwsError> {
        let wrong = |value: &str| {
            let message = format!("Invalid value '{value}' for {name}");
            AwsError::new("InvalidParameterValue", message)
        };
        self.take(name).map(|value| value.parse().map_err(|_| wrong(&value))).transpose()
    }

    /// A switch, which is off if it is not there.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, AwsError> {
        Ok(self.parse(name)?.unwrap_or(false))
    }

    /// `name.1`, `name.2`, ..
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        (1..).map_while(|number| self.fields.remove(&format!("{name}.{number}"))).collect()
    }

    /// `name.1.…`, `name.2.…`, .., each with the rest of its names.
    pub(super) fn records(&mut self, name: &str) -> Vec<Self> {
        (1..).map_while(|number| self.record(&format!("{name}.{number}"))).collect()
    }

    /// `name.…`, with the rest of its names.
    pub(super) fn record(&mut self, name: &str) -> Option<Self> {
        let prefix = format!("{name}.");
        let names: Vec<String> = self.fields.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
        let inside = names.into_iter().filter_map(|name| {
            let value = self.fields.remove(&name)?;
            Some((name[prefix.len()..].to_owned(), value))
        });
        let record = Self { fields: inside.collect() };
        (!record.fields.is_empty()).then_some(record)
    }

    /// All that nobody took, as it came: fields and lists below one of these names.
    pub(super) fn verbatim(self, known: &[&str]) -> Result<Verbatim, AwsError> {
        let is_known = |name: &str| known.contains(&name.split('.').next().unwrap_or(name));
        let (told, unknown) = self.fields.into_iter().partition(|(name, _)| is_known(name));
        Self { fields: unknown }.done().map(|()| told)
    }

    /// Refuses what nobody took (AWS: EC2 error codes, UnknownParameter).
    pub(super) fn done(&self) -> Result<(), AwsError> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => {
                let message = format!("The parameter {name} is not recognized: the simulated AWS does not know it");
                Err(AwsError::new("UnknownParameter", message))
            }
        }
    }

    /// EC2's filters.
    pub(super) fn filters(&mut self) -> Result<Vec<Filter>, AwsError> {
        let filter = |mut filter: Self| {
            let read = Filter { name: filter.need("Name")?, values: filter.texts("Value") };
            filter.done().map(|()| read)
        };
        self.records("Filter").into_iter().map(filter).collect()
    }

    /// EC2's `MaxResults` and `NextToken`.
    pub(super) fn paging(&mut self) -> Result<Paging, AwsError> {
        Ok(Paging { max_results: self.parse("MaxResults")?, next_token: self.take("NextToken") })
    }

    /// `name.1.Key`, `name.1.Value`, ..
    pub(super) fn tags(&mut self, name: &str) -> Result<Tags, AwsError> {
        let tag = |mut tag: Self| {
            let read = (tag.need("Key")?, tag.take("Value").unwrap_or_default());
            tag.done().map(|()| read)
        };
        self.records(name).into_iter().map(tag).collect()
    }

    /// EC2's tags at creation, by what gets them.
    pub(super) fn tag_specifications(&mut self) -> Result<Vec<(String, Tags)>, AwsError> {
        let specification = |mut specification: Self| {
            let read = (specification.need("ResourceType")?, specification.tags("Tag")?);
            specification.done().map(|()| read)
        };
        self.records("TagSpecification").into_iter().map(specification).collect()
    }

    /// Tags at creation of a call that makes one kind of thing.
    pub(super) fn tags_of(&mut self, kind: &str) -> Result<Tags, AwsError> {
        let mut all = Tags::new();
        for (found, tags) in self.tag_specifications()? {
            if found != kind {
                let message = format!("'{found}' is not a valid taggable resource type for this operation.");
                return Err(AwsError::new("InvalidParameterValue", message));
            }
            all.extend(tags);
        }
        Ok(all)
    }
}
