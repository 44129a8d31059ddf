//! Limits: token buckets, and what the Parameter Store refuses.

use lastgood_core::facts;
use lastgood_core::refusal::Why;
use lastgood_engine::call::autoscaling::GroupsNamed;
use lastgood_engine::call::ec2::{ImagesById, SnapshotsById};
use lastgood_engine::call::ssm::{self, GetParameter};
use lastgood_engine::{Answers, Clock, How};

use super::{code, ready, world};
use crate::*;

#[test]
fn buckets_are_emptied_by_calls_and_filled_by_time() {
    let world = world();
    let describe = || ready(world.call(&ImagesById(vec!["ami-1".into()])));
    for _ in 0..200 {
        describe().expect("nothing is counted yet").expect("told");
    }
    world.enforce_throttling();
    for _ in 0..100 {
        describe().expect("a token").expect("told");
    }
    let failed = describe().expect_err("no token is left");
    assert_eq!((failed.how, failed.action, world.throttled()), (How::Throttled, "ec2:DescribeImages", 1));
    // Another action has a bucket of its own.
    ready(world.call(&SnapshotsById(vec!["snap-1".into()]))).expect("a token").expect("told");
    let before = world.time();
    ready(world.pause(2));
    assert_eq!(lastgood_core::seconds_between(before, world.time()), 2);
    let answered = (0..50).filter(|_| describe().is_ok()).count();
    assert_eq!((answered, world.throttled()), (40, 11));
    world.advance(3600);
    assert_eq!((0..150).filter(|_| describe().is_ok()).count(), 100);
    assert_eq!(world.log().last().expect("called").outcome, "RequestLimitExceeded");
}

#[test]
fn each_service_has_its_own_word_for_too_many() {
    let world = world();
    world.enforce_throttling();
    let image = world.base_image();
    let refused = |call: &dyn Fn() -> Option<AwsError>| {
        let calls = (0..101).map(|_| call()).collect::<Vec<_>>();
        let answered = calls.iter().filter(|call| call.as_ref().is_none_or(|error| !is_throttled(error))).count();
        let error = calls.into_iter().flatten().find(is_throttled).expect("at last");
        (answered, error.code, error.http_status)
    };
    let of = |answered: usize, code: &str, status: u16| (answered, code.to_owned(), status);
    let launch = || world.ec2().run_instance(Launch::of(&image)).err();
    assert_eq!(refused(&launch), of(5, "RequestLimitExceeded", 503));
    let deregister = || world.ec2().deregister_image("ami-0123456789abcdef0").err();
    assert_eq!(refused(&deregister), of(100, "RequestLimitExceeded", 503));
    let create = || world.ec2().create_image(super::request(&"i-1".into(), "web")).err();
    assert_eq!(refused(&create), of(50, "RequestLimitExceeded", 503));
    let describe = || world.autoscaling().describe_groups(&DescribeGroups::default()).err();
    assert_eq!(refused(&describe), of(50, "Throttling", 400));
    let update = || world.autoscaling().update_group(&UpdateGroup::default()).err();
    assert_eq!(refused(&update), of(20, "Throttling", 400));
    let get = || world.parameter_store().get_parameter("/none").err();
    assert_eq!(refused(&get), of(40, "ThrottlingException", 400));
}

fn is_throttled(error: &AwsError) -> bool {
    ["RequestLimitExceeded", "Throttling", "ThrottlingException"].contains(&error.code.as_str())
}

#[test]
fn what_a_test_orders_is_throttled_without_a_bucket() {
    let world = world();
    world.throttle_next("autoscaling:DescribeAutoScalingGroups", 1);
    let failed = ready(world.call(&GroupsNamed(vec!["web".into()]))).expect_err("throttled");
    assert_eq!(failed.how, How::Throttled);
    world.lose_next("autoscaling:DescribeAutoScalingGroups", 1);
    let failed = ready(world.call(&GroupsNamed(vec!["web".into()]))).expect_err("lost");
    assert_eq!(failed.how, How::Unanswered);
    assert_eq!(world.throttled(), 0);
}

#[test]
fn a_parameter_is_put_once_or_over_what_is_there() {
    let world = world();
    let put = |overwrite| {
        world.parameter_store().put_parameter(&PutParameter {
            name: "/a".to_owned(),
            value: "b".to_owned(),
            data_type: None,
            overwrite,
        })
    };
    assert_eq!(ready(world.call(&GetParameter("/a".to_owned()))).expect("answered"), Ok(None));
    assert_eq!(code(world.parameter_store().get_parameter("/a")), "ParameterNotFound");
    assert_eq!(put(Overwrite::No), Ok(1));
    assert_eq!(code(put(Overwrite::No)), "ParameterAlreadyExists");
    assert_eq!(put(Overwrite::Yes), Ok(2));
    let expected = facts::Parameter { value: "b".to_owned(), data_type: "text".to_owned() };
    assert_eq!(ready(world.call(&GetParameter("/a".to_owned()))).expect("answered"), Ok(Some(expected)));
    let wrong = facts::Parameter { value: "b".to_owned(), data_type: "image".to_owned() };
    let refused = ready(world.call(&ssm::PutParameter { name: "/a".to_owned(), parameter: wrong.clone() }))
        .expect("answered")
        .expect_err("no such type");
    assert_eq!(refused.why, Why::Invalid);
    let held = world.parameter("/a").expect("there");
    assert_eq!((held.version, held.data_type.as_str()), (2, "text"));
    world.deny("ssm:PutParameter", "*:parameter/a");
    let refused = ready(world.call(&ssm::PutParameter { name: "/a".to_owned(), parameter: wrong }))
        .expect("answered")
        .expect_err("denied");
    assert_eq!(refused.why, Why::Denied);
}
