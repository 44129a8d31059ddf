//! Carrying out publications into a parameter of the Parameter Store.

use lastgood_core::backup::publication::{PublicationEvent, publishable};
use lastgood_core::backup::{Backup, Event};
use lastgood_core::facts::Parameter;
use lastgood_core::group;
use lastgood_core::id::{GroupName, ImageId};
use lastgood_core::refusal::{Refusal, Why};

use crate::Engine;
use crate::call::autoscaling::GroupsNamed;
use crate::call::ec2::ImagesById;
use crate::call::ssm::{GetParameter, PutParameter};
use crate::call::{Answers, Call, Cloud};
use crate::drive::Carried;
use crate::port::{Bus, CallFailed, Clock, Store};

/// The kind of parameter that a launch template resolves; AWS checks that its value is an image (AWS: PutParameter,
/// DataType).
const IMAGE_PARAMETER: &str = "aws:ec2:image";

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    pub(super) async fn read_parameter(&self, record: &Backup, group: &GroupName, name: &str) -> Carried<Backup> {
        if let Err(why) = self.may_be_named(record, group).await? {
            return Ok(Event::Publication(why));
        }
        Ok(Event::Publication(match self.cloud.call(&GetParameter(name.to_owned())).await? {
            Ok(found) => PublicationEvent::ParameterRead(found),
            Err(refusal) => PublicationEvent::Refused(refusal),
        }))
    }

    /// Whether the image can be launched, and its group be given another one now.
    async fn may_be_named(
        &self,
        record: &Backup,
        name: &GroupName,
    ) -> Result<Result<(), PublicationEvent>, CallFailed> {
        let refused = |refusal| Ok(Err(PublicationEvent::Refused(refusal)));
        let groups = match self.cloud.call(&GroupsNamed(vec![name.clone()])).await? {
            Ok(groups) => groups,
            Err(refusal) => return refused(refusal),
        };
        let images = match self.cloud.call(&ImagesById(record.image().into_iter().cloned().collect())).await? {
            Ok(images) => images,
            Err(refusal) => return refused(refusal),
        };
        let found = match publishable(record.image(), name, &groups, &images) {
            Ok((found, _)) => found,
            Err(why) => return Ok(Err(why)),
        };
        if let Some(stateful) = group::stateful(found) {
            return refused(Refusal { why: Why::Invalid, action: PutParameter::ACTION.to_owned(), message: stateful });
        }
        Ok(self.no_refresh(name, PutParameter::ACTION).await?.map_err(PublicationEvent::Refused))
    }

    /// Writes the image's id if what stands in the parameter is still what was read. AWS has no lock for this, so it is
    /// read again right before. A parameter keeps its kind, which can't be changed.
    pub(super) async fn write_parameter(&self, name: &str, image: ImageId, was: Option<Parameter>) -> Carried<Backup> {
        let name = name.to_owned();
        let names_image = Parameter { value: image.to_string(), data_type: IMAGE_PARAMETER.to_owned() };
        let mut put = PutParameter { name: name.clone(), parameter: names_image };
        self.cloud.ready(&put).await?;
        let now = match self.cloud.call(&GetParameter(name.clone())).await? {
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
        if let Some(now) = now {
            put.parameter.data_type = now.data_type;
        }
        Ok(Event::Publication(match self.cloud.call(&put).await? {
            Ok(()) => PublicationEvent::Written,
            Err(refusal) => PublicationEvent::Refused(refusal),
        }))
    }
}
