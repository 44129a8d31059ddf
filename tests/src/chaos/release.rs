//! From when on a release lets be replaced what was changed by hand: all of it that is there when the release looks.

use lastgood_core::incoming::Request;

use super::hands::source;
use super::scene::{Kind, Scene};
use crate::stack::Invocation;

/// An invocation begins: what was changed by hand may be replaced once a release is heard.
pub(super) fn heard(scene: &Scene, invocation: &Invocation) {
    if let Some(group) = released(scene, invocation) {
        scene.stack.world.released(&group.name);
    }
}

/// An invocation goes on: what is changed by hand before a release looks what is there may be replaced, too.
pub(super) fn goes_on(scene: &Scene, invocation: &Invocation, caller: u64) {
    if let Some(group) = released(scene, invocation) {
        scene.stack.world.released_as_read(&group.name, caller);
    }
}

/// The group that an invocation releases, if it does that.
fn released<'a>(scene: &'a Scene, invocation: &Invocation) -> Option<&'a Kind> {
    let Invocation::Asked(_, Request::Release(about)) = invocation else { return None };
    scene.groups.iter().find(|group| source(group) == about.source.to_string())
}
