//! EC2's call about who refers to an image.

use super::Action;
use super::query::Query;
use super::xml::Xml;
use crate::fault::AwsError;
use crate::reference::DescribeReferences;
use crate::state::World;

/// AWS: ResourceTypeOption: how many versions of a template are looked at if nobody says.
const VERSION_DEPTH_DEFAULT: usize = 10;

pub(super) fn action(name: &str) -> Option<Action> {
    (name == "DescribeImageReferences").then_some(describe_references as Action)
}

fn describe_references(world: &World, mut query: Query) -> Result<Xml, AwsError> {
    let images = query.texts("ImageId");
    let all = query.flag("IncludeAllResourceTypes")?;
    let mut version_depth = VERSION_DEPTH_DEFAULT;
    for mut asked in query.records("ResourceType") {
        let kind = asked.need("ResourceType")?;
        for mut option in asked.records("ResourceTypeOption") {
            let name = option.need("OptionName")?;
            let values = option.texts("OptionValue");
            option.done()?;
            let number = values.first().and_then(|value| value.parse().ok());
            match (kind.as_str(), name.as_str(), number) {
                ("ec2:LaunchTemplate", "version-depth", Some(number)) => version_depth = number,
                _ => return Err(AwsError::new("InvalidParameterValue", format!("{name} of {kind} is not simulated"))),
            }
        }
        asked.done()?;
    }
    if !all {
        let message = "Only IncludeAllResourceTypes is simulated";
        return Err(AwsError::new("InvalidParameterValue", message));
    }
    let paging = query.paging()?;
    query.done()?;
    let page = world.ec2().describe_image_references(&DescribeReferences { images, version_depth, paging })?;
    let mut xml = Xml::default();
    xml.list("imageReferenceSet", "item", &page.items, |item, reference| {
        item.leaf("imageId", &reference.image)
            .leaf("resourceType", reference.resource_type)
            .leaf("arn", &reference.arn);
    });
    xml.maybe("nextToken", page.next_token);
    Ok(xml)
}
