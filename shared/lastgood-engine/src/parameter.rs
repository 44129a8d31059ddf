//! Carrying out publications into a parameter of the Parameter Store.

use lastgood_core::backup::Event;
use lastgood_core::backup::publication::PublicationEvent;
use lastgood_core::facts::Parameter;
use lastgood_core::id::ImageId;

use crate::Engine;
use crate::drive::Carried;
use crate::port::{Bus, Clock, Cloud, Store};

/// The kind of parameter that a launch template resolves; AWS checks that its value is an image (AWS: PutParameter,
/// DataType).
const IMAGE_PARAMETER: &str = "aws:ec2:image";

impl<S: Store, C: Cloud, B: Bus, K: Clock> Engine<'_, S, C, B, K> {
    pub(crate) async fn read_parameter(&self, name: &str) -> Carried {
        Ok(Event::Publication(match self.cloud.parameter(name).await? {
            Ok(found) => PublicationEvent::ParameterRead(found),
            Err(refusal) => PublicationEvent::Refused(refusal),
        }))
    }

    /// Writes the image's id if what stands in the parameter is still what was read. AWS has no lock for this, so it is
    /// read again right before. A parameter keeps its kind, which can't be changed.
    pub(crate) async fn write_parameter(&self, name: &str, image: ImageId, was: Option<Parameter>) -> Carried {
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
