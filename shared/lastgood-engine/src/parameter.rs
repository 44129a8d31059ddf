//! Carrying out publications into a parameter of the Parameter Store.

use lastgood_core::backup::publication::PublicationEvent;
use lastgood_core::backup::{Backup, Event};
use lastgood_core::facts::Parameter;
use lastgood_core::group;
use lastgood_core::id::{ImageId, SourceId};
use lastgood_core::refusal::{Refusal, Why};

use crate::Engine;
use crate::drive::Carried;
use crate::port::{Bus, CallFailed, Clock, Cloud, Store};
use crate::publish::publishable;

/// The kind of parameter that a launch template resolves; AWS checks that its value is an image (AWS: PutParameter,
/// DataType).
const IMAGE_PARAMETER: &str = "aws:ec2:image";

const PUT_PARAMETER: &str = "ssm:PutParameter";

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    pub(crate) async fn read_parameter(&self, record: &Backup, name: &str) -> Carried {
        if let Err(why) = self.may_be_named(record).await? {
            return Ok(Event::Publication(why));
        }
        Ok(Event::Publication(match self.cloud.parameter(name).await? {
            Ok(found) => PublicationEvent::ParameterRead(found),
            Err(refusal) => PublicationEvent::Refused(refusal),
        }))
    }

    /// Whether the image can be launched, and its group be given another one now.
    async fn may_be_named(&self, record: &Backup) -> Result<Result<(), PublicationEvent>, CallFailed> {
        let refused = |refusal| Ok(Err(PublicationEvent::Refused(refusal)));
        let SourceId::Group(name) = &record.id.source;
        let groups = match self.cloud.groups(std::slice::from_ref(name)).await? {
            Ok(groups) => groups,
            Err(refusal) => return refused(refusal),
        };
        let ids: Vec<ImageId> = record.image.iter().cloned().collect();
        let images = match self.cloud.images(&ids).await? {
            Ok(images) => images,
            Err(refusal) => return refused(refusal),
        };
        let found = match publishable(record, name, &groups, &images) {
            Ok((found, _)) => found,
            Err(why) => return Ok(Err(why)),
        };
        if let Some(stateful) = group::stateful(found) {
            return refused(Refusal { why: Why::Invalid, action: PUT_PARAMETER.to_owned(), message: stateful });
        }
        Ok(self.no_refresh(name, PUT_PARAMETER).await?.map_err(PublicationEvent::Refused))
    }

    /// Writes the image's id if what stands in the parameter is still what was read. AWS has no lock for this, so it is
    /// read again right before. A parameter keeps its kind, which can't be changed.
    pub(crate) async fn write_parameter(&self, name: &str, image: ImageId, was: Option<Parameter>) -> Carried {
        self.cloud.ready(PUT_PARAMETER, name).await?;
        let now = match self.cloud.parameter(name).await? {
            Ok(now) => now,
            Err(refusal) => return Ok(Event::Publication(PublicationEvent::Refused(refusal))),
        };
        let names = |parameter: &Option<Parameter>| parameter.as_ref().map(|parameter| parameter.value.clone());
        if names(&now).as_deref() == Some(image.as_str()) {
            return Ok(Event::Publication(PublicationEvent::Written));
        }
        if names(&now) != names(&was) {
            let text = |value: Option<String>| value.unwrap_or_else(|| "nothing".into());
            let what = format!("{name} named {} and now {}", text(names(&was)), text(names(&now)));
            return Ok(Event::Publication(PublicationEvent::Changed(what)));
        }
        let data_type = now.map_or_else(|| IMAGE_PARAMETER.to_owned(), |now| now.data_type);
        let parameter = Parameter { value: image.to_string(), data_type };
        Ok(Event::Publication(match self.cloud.set_parameter(name, &parameter).await? {
            Ok(()) => PublicationEvent::Written,
            Err(refusal) => PublicationEvent::Refused(refusal),
        }))
    }
}
