//! What stories have in common: a group to begin with, and what was told of it, as a transcript that a person can read.

use expect_test::Expect;
use lastgood_core::backup::State;
use lastgood_core::id::{ImageId, TemplateId};
use lastgood_core::notice::Notice;
use lastgood_engine::Report;
use lastgood_tests::cut::Meanwhile;
use lastgood_tests::stack::{Invocation, Stack};
use lastgood_world::{LaunchFromText, Member, UpdateGroup, World, by_number};

/// A backup each hour, of which the last three are kept.
pub(crate) const HOURLY: &str = "plans: [{name: web, select: {groups: [web]}, schedule: hourly}]";
/// A backup each day at 11:00, of which the newest is kept.
pub(crate) const DAILY: &str =
    "plans: [{name: web, select: {groups: [web]}, schedule: '0 11 * * *', retain: {last: 1}}]";

/// A group `web` of three that names its template by number, under this plan, at 10:30.
pub(crate) fn web(plan: &str) -> (Stack, TemplateId) {
    let world = World::new("2026-01-15T10:30:00Z".parse().expect("a time"));
    let template = world.template("web", &world.base_image());
    world.group("web", &by_number(&template, 1), 3);
    let stack = Stack::new(world);
    stack.apply(plan).expect("applied");
    (stack, template)
}

/// What was told, a line each; with the day if there was more than one. Ids of images and the like tell a reader nothing,
/// so they are numbered as they come.
pub(crate) fn told(stack: &Stack, expect: &Expect) {
    let notices = stack.told();
    let day = |notice: &Notice| notice.at.strftime("%F").to_string();
    let one_day = notices.windows(2).all(|pair| day(&pair[0]) == day(&pair[1]));
    let clock = if one_day { "%H:%M" } else { "%b %d %H:%M" };
    let mut names: Vec<String> = Vec::new();
    let mut text = String::new();
    for notice in notices {
        text += &format!("{} {}: {}\n", notice.at.strftime(clock), notice.news.detail_type(), notice.message);
    }
    for word in text.clone().split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        let id = ["ami-0", "lt-0", "i-0", "snap-0"].iter().any(|prefix| word.starts_with(prefix));
        if id && !names.iter().any(|name| name == word) {
            names.push(word.to_owned());
        }
    }
    for (index, name) in names.iter().enumerate() {
        let kind = name.split('-').next().unwrap_or_default();
        text = text.replace(name, &format!("{kind}-{}", index + 1));
    }
    expect.assert_eq(&text);
}

/// What was told in the notices of one kind.
pub(crate) fn messages(stack: &Stack, kind: &str) -> Vec<String> {
    let notices = stack.told().into_iter().filter(|notice| notice.news.detail_type() == kind);
    notices.map(|notice| notice.message).collect()
}

/// How many notices of one kind there were.
pub(crate) fn count(stack: &Stack, kind: &str) -> usize {
    messages(stack, kind).len()
}

/// The states of all backups, newest first.
pub(crate) fn states(stack: &Stack) -> Vec<State> {
    stack.backups("group/web").into_iter().map(|backup| backup.state).collect()
}

/// The image of the newest backup.
pub(crate) fn newest(stack: &Stack) -> ImageId {
    stack.backups("group/web")[0].image().cloned().expect("AWS has made it")
}

/// How many images and snapshots of ours are there.
pub(crate) fn held(stack: &Stack) -> (usize, usize) {
    (stack.our_images().len(), stack.our_snapshots().len())
}

/// Whether an image is there still.
pub(crate) fn is_there(stack: &Stack, image: &ImageId) -> bool {
    stack.world.image(image).is_some_and(|image| image.deregistered_at.is_none())
}

/// The group's members.
pub(crate) fn members(stack: &Stack) -> Vec<Member> {
    stack.world.group_view("web").expect("the group is there").members
}

/// Somebody has a group launch from a version of a template.
pub(crate) fn give(stack: &Stack, group: &str, template: &TemplateId, version: u64) {
    let from = Some(LaunchFromText::from(&by_number(template, version)));
    let update = UpdateGroup { name: group.into(), from, ..UpdateGroup::default() };
    stack.world.autoscaling().update_group(&update).expect("the version is there");
}

/// All members are lost. The group replaces them soon after.
pub(crate) fn lose_members(stack: &Stack) {
    for member in members(stack) {
        stack.world.kill(&member.instance);
    }
}

/// An invocation in which something happens before the call of this number: what it reports, and how many calls it made.
pub(crate) fn during(stack: &Stack, invocation: Invocation, at: usize, happens: impl Fn() + Sync) -> (Report, usize) {
    let gate = Meanwhile::new(|number| {
        if number == at {
            let caller = stack.world.act_as(None);
            happens();
            stack.world.act_as(caller);
        }
    });
    let report = stack.invoke_behind(&gate, invocation).expect("it ends");
    (report, gate.calls())
}
