//! Six groups whose members are replaced, all at once: the three configurations of AWS's guide, an outside judge and a
//! scale-out, a bad image, and a change by hand that is held until an operator gives an image of their own.

use std::thread;
use std::time::{Duration, Instant};

use lastgood_core::id::{ImageId, TemplateId};
use lastgood_world::{LaunchFrom, LaunchFromText, RefreshStatus, Sickness, UpdateGroup, World, by_number};
use serde_json::Value;

use super::Tour;
use super::judge::{Judge, NAME};
use crate::stage::{StageError, WORLD_SPEED};

/// How long all of it may take, in seconds by a watch.
const ALL_SECONDS_MAX: u64 = 360;
/// The configurations of AWS's guide (AWS: Add checkpoints to an instance refresh), over ten members each; the pauses that
/// follow, and how many members are replaced at the end.
const GUIDE: [(&str, &str, &[u64], usize); 3] = [
    ("guide-1-20-100", "[1, 20, 100]", &[1, 20], 10),
    ("guide-20-100", "[20, 100]", &[20], 10),
    ("guide-1-20", "[1, 20]", &[1], 2),
];
const GUIDE_SIZE: usize = 10;
const JUDGED: &str = "judged";
const SICK: &str = "sick";
const BY_HAND: &str = "by-hand";
/// The checkpoint of the judged group at which it is scaled out.
const AGAIN: u64 = 50;

/// A group, its template, and the image that it launches from.
#[derive(Debug)]
struct Group {
    name: &'static str,
    template: TemplateId,
    base: ImageId,
}

/// The groups, before Lastgood comes.
#[derive(Debug)]
pub(super) struct Before {
    groups: Vec<Group>,
}

/// Each group on version 1 of a template of its own.
pub(super) fn lay(world: &World) -> Before {
    let sizes = GUIDE.iter().map(|(name, ..)| (*name, GUIDE_SIZE)).chain([(JUDGED, 4), (SICK, 4), (BY_HAND, 4)]);
    let groups = sizes.map(|(name, size)| {
        let base = world.base_image();
        let template = world.template(name, &base);
        world.group(name, &by_number(&template, 1), size);
        Group { name, template, base }
    });
    Before { groups: groups.collect() }
}

impl Before {
    fn group(&self, name: &str) -> &Group {
        self.groups.iter().find(|group| group.name == name).expect("it was laid")
    }
}

fn plans() -> String {
    let mut text = "plans:\n".to_owned();
    let plan = |name: &str, rollout: &str| {
        format!(
            "  - name: {name}\n    select: {{groups: [{name}]}}\n    schedule: weekly\n    rollout: {{{rollout}}}\n"
        )
    };
    for (name, checkpoints, ..) in GUIDE {
        text +=
            &plan(name, &format!("checkpoints: {checkpoints}, checkpoint_delay: 600s, warmup: 400s, min_healthy: 80"));
    }
    let steps = "checkpoint_delay: 15m, warmup: 200s, min_healthy: 50";
    text += &plan(JUDGED, &format!("checkpoints: [25, 50, 100], {steps}, verdict: {{by: [health, event]}}"));
    // The functions read a watch, and AWS goes on after so many seconds by it: that is when the verdict must be there.
    text += &plan(SICK, &format!("checkpoints: [50, 100], {steps}, verdict: {{by: [health], within: 5s}}"));
    text + &plan(BY_HAND, &format!("checkpoints: [50, 100], {steps}"))
}

/// The whole of it.
pub(super) fn tell(tour: &mut Tour<'_>, before: &Before) -> Result<(), StageError> {
    tour.say(&format!(
        "\nSix more groups, whose plans roll out. AWS's clock goes {WORLD_SPEED} times as fast as a watch here: a pause of ten \
         minutes passes in {} seconds.",
        600 / WORLD_SPEED
    ));
    let told = tour.apply(&plans())?;
    let says = |what: &str| told.lines().any(|line| line.contains(what));
    let shown = says("to 1, 20, 100 percent, 10m at each pause, 80 to 100 percent healthy, warmup 6m 40s")
        && says("by health and event within 10m, otherwise roll-back");
    tour.check("apply shows how groups will be rolled out", shown);
    let judge = Judge::of(tour.stage, JUDGED)?;
    tour.change_by_hand(before.group(BY_HAND));
    for group in &before.groups {
        tour.lastgood(&["backup", group.name, "--reason", "the tour", "--by", "demo"])?;
    }
    let mut watch = Watch { judge, sick: None, scaled: false, given: None };
    let deadline = Instant::now() + Duration::from_secs(ALL_SECONDS_MAX);
    while !watch.is_over(tour, before)? && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(300));
    }
    tour.lastgood(&["rollouts"])?;
    tour.say("");
    tour.look_at_the_guide()?;
    tour.look_at_the_judged(&watch)?;
    tour.look_at_the_sick(before.group(SICK), &watch)?;
    tour.look_at_the_given(before.group(BY_HAND), &watch)
}

/// What happens while the groups are rolled out.
struct Watch<'a> {
    judge: Judge<'a>,
    /// The image whose instances are sick, once it is there.
    sick: Option<ImageId>,
    scaled: bool,
    /// The image that the operator gives, once the change by hand was held.
    given: Option<ImageId>,
}

impl Watch<'_> {
    /// One look at all of it. Whether everything has come to its end.
    fn is_over(&mut self, tour: &mut Tour<'_>, before: &Before) -> Result<bool, StageError> {
        tour.listen()?;
        for line in self.judge.answer()? {
            tour.say(&format!("  {line}"));
        }
        self.sicken(tour);
        let rollouts = tour.told(&["rollouts", "--json"])?;
        self.scale_out(tour, &rollouts);
        self.give(tour)?;
        let has_ended = |rollout: &Value| rollout["state"] == "succeeded" || rollout["state"] == "rolled-back";
        let all = before.groups.iter().all(|group| newest(&rollouts, group.name).is_some_and(has_ended));
        if all {
            tour.listen()?;
        }
        Ok(all)
    }

    /// The instances of the new image of one group will fail their status checks.
    fn sicken(&mut self, tour: &Tour<'_>) {
        if self.sick.is_some() {
            return;
        }
        let made =
            tour.stage.world.images().into_iter().find(|image| image.name.starts_with(&format!("lastgood-{SICK}-")));
        if let Some(image) = made {
            tour.stage.world.make_sick(&image.id, Sickness::Impaired);
            tour.say(&format!(
                "  (whatever launches from {}, the image of {SICK}, will fail its status checks)",
                image.id
            ));
            self.sick = Some(image.id);
        }
    }

    /// While it pauses in the middle, and has its verdict, the judged group is given two members more.
    fn scale_out(&mut self, tour: &Tour<'_>, rollouts: &[Value]) {
        let pauses = newest(rollouts, JUDGED)
            .is_some_and(|rollout| percentages(rollout).contains(&AGAIN) && agreed(rollout).len() == 2);
        if !self.scaled && pauses {
            tour.say(&format!("  (somebody scales {JUDGED} out, from four members to six)"));
            tour.stage.world.autoscaling().set_desired_capacity(JUDGED, 6).expect("there is room");
            self.scaled = true;
        }
    }

    /// Once the change by hand is held, its operator gives the group an image in one step.
    fn give(&mut self, tour: &mut Tour<'_>) -> Result<(), StageError> {
        let is_held = |notice: &String| notice.contains("Publication Held") && notice.contains(BY_HAND);
        if self.given.is_some() || !tour.notices.iter().any(is_held) {
            return Ok(());
        }
        let image = tour.stage.world.base_image();
        tour.lastgood(&["set-image", BY_HAND, image.as_str(), "--by", "alice", "--reason", "the patched image"])?;
        self.given = Some(image);
        Ok(())
    }
}

/// The rollout of a group that began last: the command tells it first.
fn newest<'a>(rollouts: &'a [Value], group: &str) -> Option<&'a Value> {
    rollouts.iter().find(|rollout| rollout["source"] == format!("group/{group}"))
}

/// The percentages of its pauses.
fn percentages(rollout: &Value) -> Vec<u64> {
    let visits = rollout["visits"].as_array().map(Vec::as_slice).unwrap_or_default();
    visits.iter().filter_map(|visit| visit["percentage"].as_u64()).collect()
}

/// The reasons of its verdicts, of those that let it go on.
fn agreed(rollout: &Value) -> Vec<String> {
    let visits = rollout["visits"].as_array().map(Vec::as_slice).unwrap_or_default();
    let verdicts = visits.iter().map(|visit| &visit["verdict"]).filter(|given| given["verdict"] == "go-on");
    verdicts.filter_map(|given| given["reason"].as_str().map(str::to_owned)).collect()
}

impl Tour<'_> {
    /// Somebody makes a version with an image of theirs, and lets the group launch from it.
    fn change_by_hand(&self, group: &Group) {
        let world = &self.stage.world;
        let theirs = world.base_image();
        let made = world.version_by_hand(&group.template, 1, &theirs);
        let from = Some(LaunchFromText::from(&by_number(&group.template, made)));
        let update = UpdateGroup { name: group.name.into(), from, ..UpdateGroup::default() };
        world.autoscaling().update_group(&update).expect("the version is there");
        self.say(&format!("\n(somebody makes {} launch from {theirs}, by hand)", group.name));
    }

    fn rollout(&self, group: &str) -> Result<Value, StageError> {
        let rollouts = self.told(&["rollouts", group, "--json"])?;
        Ok(rollouts.into_iter().next().unwrap_or_default())
    }

    /// How many members of the group launched from this image, and how many there are.
    fn members_on(&self, group: &str, image: Option<&ImageId>) -> (usize, usize) {
        let members = self.stage.world.group_view(group).map(|group| group.members).unwrap_or_default();
        (members.iter().filter(|member| Some(&member.image) == image).count(), members.len())
    }

    fn look_at_the_guide(&mut self) -> Result<(), StageError> {
        for (group, checkpoints, pauses, replaced) in GUIDE {
            let rollout = self.rollout(group)?;
            self.check(&format!("{checkpoints}: it succeeds"), rollout["state"] == "succeeded");
            let visited = percentages(&rollout) == pauses && agreed(&rollout).len() == pauses.len();
            self.check(&format!("{checkpoints}: it pauses at {pauses:?}, and health lets each go on"), visited);
            let image = rollout["image"].as_str().map(ImageId::from);
            let on_it = self.members_on(group, image.as_ref());
            let what = format!(
                "{checkpoints}: {replaced} of {GUIDE_SIZE} members are replaced, and the group launches from it"
            );
            let own = self.stage.world.own_image(group);
            self.check(&what, on_it == (replaced, GUIDE_SIZE) && own.is_some() && own == image);
            let refresh = self.stage.world.refreshes(group).pop().map(|refresh| refresh.status);
            self.check(&format!("{checkpoints}: AWS calls it successful"), refresh == Some(RefreshStatus::Successful));
        }
        Ok(())
    }

    fn look_at_the_judged(&mut self, watch: &Watch<'_>) -> Result<(), StageError> {
        let rollout = self.rollout(JUDGED)?;
        let visited = percentages(&rollout);
        self.check(
            "the judged group pauses at 25, at 50, and after the scale-out at 50 again",
            visited == [25, AGAIN, AGAIN],
        );
        let agreed = agreed(&rollout);
        let by_both = |reason: &String| reason.contains(NAME) && reason.contains("on the new version serve");
        self.check("health and the outside judge agree on each", agreed.len() == 3 && agreed.iter().all(by_both));
        self.check("the judge answered three events", watch.judge.answered == 3);
        let image = rollout["image"].as_str().map(ImageId::from);
        let all = self.members_on(JUDGED, image.as_ref()) == (6, 6);
        self.check("it succeeds, with six members on the new image", rollout["state"] == "succeeded" && all);
        Ok(())
    }

    fn look_at_the_sick(&mut self, group: &Group, watch: &Watch<'_>) -> Result<(), StageError> {
        let rollout = self.rollout(SICK)?;
        self.check("the bad image is rolled back", rollout["state"] == "rolled-back");
        let reason = rollout["reason"].as_str().unwrap_or_default();
        self.check("because a member fails its status checks", reason.contains("fails its status checks"));
        let all = self.members_on(SICK, Some(&group.base)) == (4, 4);
        let own = self.stage.world.own_image(SICK);
        self.check(
            "all four members are on the image from before, as is the group",
            all && own.as_ref() == Some(&group.base),
        );
        let backup = self.backups_of(SICK)?.into_iter().next().unwrap_or_default();
        self.check("its backup says so", backup["publication"] == "rolled-back");
        let kept = watch.sick.as_ref().and_then(|image| self.stage.world.image(image));
        self.check(
            "the bad image is kept, for whoever wants to look into it",
            kept.is_some_and(|image| image.deregistered_at.is_none()),
        );
        Ok(())
    }

    fn look_at_the_given(&mut self, group: &Group, watch: &Watch<'_>) -> Result<(), StageError> {
        self.check("the change by hand was held, and told", watch.given.is_some());
        let rollout = self.rollout(BY_HAND)?;
        let image = rollout["image"].as_str().map(ImageId::from);
        let is_it = watch.given.is_some() && image == watch.given && rollout["asked_by"] == "alice";
        self.check("alice's image is rolled out in one step", is_it && rollout["state"] == "succeeded");
        let all = self.members_on(BY_HAND, watch.given.as_ref()) == (4, 4);
        self.check("all four members are on it", all && percentages(&rollout) == [50]);
        let from = self.stage.world.group_view(BY_HAND).map(|group| group.from);
        let named = matches!(from, Some(LaunchFrom::Template(named)) if named.template == group.template);
        let own = self.stage.world.own_image(BY_HAND);
        self.check("the group launches from it, by a version of its own template", named && own == watch.given);
        let status = self.told(&["status", "--json"])?;
        let status = status.iter().find(|source| source["source"] == format!("group/{BY_HAND}"));
        self.check("nothing of it is held any more", status.is_some_and(|source| source["held"].is_null()));
        Ok(())
    }
}
