//! What holds of retention for every policy and every history.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::tables::candidate;
use super::*;

/// Any rule or none, with numbers small enough to run out.
fn policies() -> impl Strategy<Value = Retention> {
    let zone = prop_oneof![Just("UTC"), Just("America/New_York"), Just("Pacific/Apia"), Just("Mars/Olympus")];
    let count = || prop_oneof![Just(0), 0_u32..6];
    let within = prop_oneof![Just(0), 0_i64..60 * 86_400];
    (count(), within, count(), count(), count(), count(), count(), zone).prop_map(
        |(last, within_seconds, daily, weekly, monthly, yearly, consistent, zone)| Retention {
            last,
            within_seconds,
            daily,
            weekly,
            monthly,
            yearly,
            consistent,
            timezone: zone.to_owned(),
        },
    )
}

/// Up to forty backups, in any order, with gaps from minutes to half a year. Most are there; few are more than that.
fn histories() -> impl Strategy<Value = Vec<Candidate>> {
    let gap = prop_oneof![3 => 60_i64..86_400, 2 => 3_600_i64..8 * 86_400, 1 => 86_400_i64..200 * 86_400];
    let odds = (0_u8..10, 0_u8..10, 0_u8..10, 0_u8..10, 0_u8..10);
    let candidates = prop::collection::vec((gap, odds), 0..40).prop_map(|steps| {
        let mut second = 1_700_000_000;
        let made = steps.into_iter().map(|(gap, (there, published, publishing, pinned, clean))| {
            second += gap;
            Candidate {
                there: there > 2,
                published: published == 0,
                publishing: publishing == 0,
                pinned: pinned == 0,
                former: false,
                clean: clean < 3,
                ..candidate(Time::from_second(second).expect("in range"))
            }
        });
        made.collect::<Vec<_>>()
    });
    candidates.prop_shuffle()
}

fn kept(policy: &Retention, history: &[Candidate]) -> BTreeSet<BackupId> {
    let judged = judge(policy, history.to_vec()).into_iter();
    judged.filter(|(_, fate)| matches!(fate, Fate::Keep(_))).map(|(id, _)| id).collect()
}

/// Each field the larger of the two: every rule of both. The zone is that of the first.
fn both(one: &Retention, other: &Retention) -> Retention {
    Retention {
        last: one.last.max(other.last),
        within_seconds: one.within_seconds.max(other.within_seconds),
        daily: one.daily.max(other.daily),
        weekly: one.weekly.max(other.weekly),
        monthly: one.monthly.max(other.monthly),
        yearly: one.yearly.max(other.yearly),
        consistent: one.consistent.max(other.consistent),
        timezone: one.timezone.clone(),
    }
}

proptest! {
    #[test]
    fn every_one_is_judged_once_newest_first(policy in policies(), history in histories()) {
        let judged: Vec<_> = judge(&policy, history.clone()).into_iter().map(|(id, _)| id).collect();
        let mut expected: Vec<_> = history.into_iter().map(|candidate| candidate.id).collect();
        expected.sort_by(|one, other| other.cmp(one));
        prop_assert_eq!(judged, expected);
    }

    #[test]
    fn the_newest_that_is_there_stays(policy in policies(), history in histories()) {
        let newest = history.iter().filter(|it| it.there).map(|it| &it.id).max();
        let kept = kept(&policy, &history);
        prop_assert!(newest.is_none_or(|newest| kept.contains(newest)));
    }

    #[test]
    fn what_is_published_publishing_or_pinned_stays(policy in policies(), history in histories()) {
        let kept = kept(&policy, &history);
        for it in history.iter().filter(|it| it.published || it.publishing || it.pinned) {
            prop_assert!(kept.contains(&it.id), "{}", it.id);
        }
    }

    #[test]
    fn more_rules_never_let_go_of_more(one in policies(), other in policies(), history in histories()) {
        let few = kept(&one, &history);
        let more = kept(&both(&one, &other), &history);
        prop_assert!(few.is_subset(&more), "{:?}", few.difference(&more));
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(policy in policies(), history in histories()) {
        let mut sorted = history.clone();
        sorted.sort_by(|one, other| one.id.cmp(&other.id));
        prop_assert_eq!(judge(&policy, history), judge(&policy, sorted));
    }

    #[test]
    fn after_the_removal_nothing_further_goes(policy in policies(), history in histories()) {
        let kept = kept(&policy, &history);
        let left: Vec<_> = history.into_iter().filter(|it| kept.contains(&it.id)).collect();
        for (id, fate) in judge(&policy, left) {
            prop_assert!(matches!(fate, Fate::Keep(_)), "{id}: {fate:?}");
        }
    }

    #[test]
    fn what_is_not_there_changes_nothing_for_the_rest(policy in policies(), history in histories()) {
        let there: Vec<_> = history.iter().filter(|it| it.there).cloned().collect();
        let ids: BTreeSet<_> = there.iter().map(|it| it.id.clone()).collect();
        let mut among_all = judge(&policy, history);
        among_all.retain(|(id, _)| ids.contains(id));
        prop_assert_eq!(among_all, judge(&policy, there));
    }

    #[test]
    fn what_is_not_there_goes_exactly_if_a_real_one_in_its_place_would(policy in policies(), history in histories()) {
        let plain = |it: &Candidate| Candidate { published: false, publishing: false, pinned: false, ..it.clone() };
        let history: Vec<_> = history.iter().map(plain).collect();
        let before = kept(&policy, &history);
        for ghost in history.iter().filter(|it| !it.there) {
            let real = |it: &Candidate| Candidate { there: it.there || it.id == ghost.id, ..it.clone() };
            let after = kept(&policy, &history.iter().map(real).collect::<Vec<_>>());
            prop_assert_eq!(before.contains(&ghost.id), after.contains(&ghost.id), "{}", ghost.id);
        }
    }

    /// The rule by days, said another way: the newest of each day, the newest so many of these, and the oldest of all
    /// if they are fewer.
    #[test]
    fn daily_is_what_it_is_said_to_be(daily in 1_u32..12, history in histories()) {
        let policy = Retention { last: 0, daily, ..Retention::default() };
        let slots: BTreeSet<Time> = history.iter().map(|it| it.id.slot).collect();
        let day = |slot: Time| slot.as_second().div_euclid(86_400);
        let newest = slots.iter().filter(|slot| !slots.iter().any(|other| other > slot && day(*other) == day(**slot)));
        let mut expected: BTreeSet<Time> = newest.copied().collect();
        if expected.len() < daily as usize {
            expected.extend(slots.first());
        }
        while expected.len() > daily as usize {
            expected.pop_first();
        }
        let plain: Vec<_> = slots.into_iter().map(candidate).collect();
        let kept: BTreeSet<Time> = kept(&policy, &plain).into_iter().map(|id| id.slot).collect();
        prop_assert_eq!(kept, expected);
    }
}
