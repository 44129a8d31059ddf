//! A refresh that somebody else began, and that is judged, for the plan says so.

use super::policy::Others;
use super::record::Order;
use crate::Time;
use crate::facts::{Group, RefreshView, TemplateRef, TemplateVersion, VersionRef};
use crate::source::Source;

impl Source {
    /// Whether its plan has refreshes judged that somebody else begins.
    #[must_use]
    pub fn judges_others(&self) -> bool {
        let rollout = self.policy.publish.rollout.as_ref();
        self.plan.is_some() && rollout.is_some_and(|policy| policy.others == Others::Judge)
    }
}

/// How the group names its template, and the version of that by number to which a refresh goes that can still be taken back.
/// What goes to `$Latest` may go elsewhere tomorrow, and what goes to another template has nothing to be compared with.
#[must_use]
pub fn goal(view: &RefreshView, group: Option<&Group>) -> Option<(TemplateRef, u64)> {
    let named = group?.launches_from.template()?;
    let goal = view.desired.as_ref()?.template().filter(|goal| goal.template == named.template)?;
    match goal.version {
        VersionRef::Number(version) if view.status.may_be_changed() => Some((named.clone(), version)),
        VersionRef::Number(_) | VersionRef::Default | VersionRef::Latest => None,
    }
}

/// What it brings about: from `base` to another version, with an image that is named by its id.
#[must_use]
pub fn order(
    source: &Source,
    named: TemplateRef,
    base: &TemplateVersion,
    goes_to: &TemplateVersion,
    now: Time,
) -> Option<Order> {
    let image = goes_to.image.as_deref().filter(|image| image.starts_with("ami-"))?;
    let policy = source.policy.publish.rollout.clone()?;
    let (base, version) = (base.number, goes_to.number);
    (base != version).then(|| Order { backup: None, image: image.into(), at: now, named, base, version, policy })
}
