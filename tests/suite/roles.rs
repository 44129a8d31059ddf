//! What each function may do, as its role says: none is handed the work of another. The stack judges every invocation of every
//! story by that; here stands the one that showed why.

use lastgood_core::backup::{Publication, ScaleIn};
use lastgood_core::facts::VersionRef;
use lastgood_core::rollout::State;
use lastgood_tests::stack::Invocation;
use lastgood_world::RefreshStatus;

use crate::rollouts::{STEPS, followed, plan};
use crate::transcript::count;

const SET_PROTECTION: &str = "autoscaling:SetInstanceProtection";

#[test]
fn the_end_of_a_rollout_takes_no_protection_away_for_that_is_the_poll_s_to_do() {
    let scene = followed(2, VersionRef::Number(1), STEPS);
    let stack = &scene.stack;
    let protecting = plan(STEPS).replace("schedule: daily", "schedule: daily, capture: {protect_from_scale_in: true}");
    stack.apply(&protecting).expect("applied");
    stack.request("group/web");
    assert_eq!(stack.backups("group/web")[0].scale_in, ScaleIn::Protected);
    // The protection of its instance can't be taken away for now, which is told.
    stack.world.deny(SET_PROTECTION, "*");
    let mut news = Vec::new();
    for _ in 0..90 {
        stack.world.advance(60);
        news = stack.deliveries();
        if stack.world.refreshes("web").last().is_some_and(|refresh| refresh.status == RefreshStatus::Successful) {
            break;
        }
        for delivery in news.drain(..) {
            stack.invoke(delivery);
        }
        stack.minute();
    }
    assert!(news.iter().any(|news| matches!(news, Invocation::Refresh(_))), "its refresh has succeeded: {news:?}");
    let told = count(stack, "Protection Left");
    stack.world.allow(SET_PROTECTION);
    // By now it is due again, and the event comes before the poll.
    stack.world.advance(3600);
    assert!(matches!(stack.backups("group/web")[0].scale_in, ScaleIn::Owed(at) if at <= stack.world.time()));
    let asked = || stack.world.calls()[SET_PROTECTION];
    let before = asked();
    for delivery in news {
        stack.invoke(delivery);
    }
    assert_eq!(scene.rollout().state, State::Succeeded);
    let backup = stack.backups("group/web").remove(0);
    assert!(matches!(backup.publication, Publication::Published(_)), "{:?}", backup.publication);
    assert_eq!((count(stack, "Image Published"), asked()), (1, before), "it reports, and does nothing else");
    stack.run(1);
    assert_eq!((stack.backups("group/web")[0].scale_in, asked()), (ScaleIn::GivenBack, before + 1));
    assert_eq!(count(stack, "Protection Left"), told);
}
