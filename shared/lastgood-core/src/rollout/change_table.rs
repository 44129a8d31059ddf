//! What an operator's image makes of everything that may happen before its refresh begins, as a table.

use std::fmt::Write as _;

use expect_test::expect_file;

use super::change::Step;
use super::life::{Event, decide, due};
use super::life_table::{asked, line, now, refusal, start, verdict};
use super::policy::Judge;
use super::record::{Rollout, Verdict};
use crate::backup::publication::{PublicationEvent, TemplateUse};
use crate::facts::{TemplateRef, VersionRef};
use crate::refusal::Why;
use crate::{Time, later};

#[test]
fn an_operators_image_with_every_step() {
    let group = TemplateRef { template: "lt-1".into(), version: VersionRef::Number(1) };
    let latest = TemplateRef { version: VersionRef::Latest, ..group.clone() };
    let steps = [
        Step::Asked,
        Step::Reading,
        Step::Pinning { group: latest.clone(), base: 1 },
        Step::Making { group: group.clone(), base: 1 },
        Step::Pointing { group: group.clone(), base: 1, version: 2 },
    ];
    let used = |named: &TemplateRef, version: u64, image: &str| TemplateUse {
        group: named.clone(),
        version,
        image: Some(image.into()),
        ours: None,
        made_from: None,
        between: None,
        obstacle: None,
        left_alone: Vec::new(),
    };
    let refused = |why: Why| PublicationEvent::Refused(refusal(why));
    let mut table = String::new();
    for (refresh, step) in [true, false].into_iter().flat_map(|refresh| steps.clone().map(|step| (refresh, step))) {
        let mut record = asked();
        let change = record.change.as_mut().expect("an operator asked for it");
        (change.refresh, change.step) = (refresh, step.clone());
        writeln!(table, "{step:?}{}", if refresh { "" } else { ", without a refresh" }).expect("a text takes more");
        table += &line(&record, "woken", Event::Woken, now());
        let mut stale = Vec::new();
        let mut hears = |name: &'static str, record: &Rollout, event: Event, at: Time| {
            if decide(record, event.clone(), at).reason == "stale" {
                stale.push(name);
            } else {
                table += &line(record, name, event, at);
            }
        };
        hears("withdrawn", &record, verdict(Verdict::RollBack, Judge::Person, None), now());
        let ours = TemplateUse { ours: Some(2), ..used(&group, 1, "ami-1") };
        let obstacle = TemplateUse { obstacle: Some("its device is hidden".into()), ..used(&group, 1, "ami-1") };
        let made = TemplateUse { made_from: Some(1), ..used(&group, 2, "ami-9") };
        for (name, used) in [
            ("another image", used(&group, 1, "ami-1")),
            ("another image, our version made", ours),
            ("an obstacle", obstacle),
            ("the image already", used(&group, 1, "ami-9")),
            ("the image, by our version", made),
            ("another image, followed", used(&latest, 1, "ami-1")),
        ] {
            hears(name, &record, Event::Publication(PublicationEvent::TemplateRead(used)), now());
        }
        let mut followed = record.clone();
        followed.change.as_mut().expect("an operator asked for it").follows = Some((1, start()));
        let read = PublicationEvent::TemplateRead(used(&latest, 1, "ami-1"));
        hears("another image, followed for long", &followed, Event::Publication(read), now());
        for (name, event, at) in [
            ("pinned", PublicationEvent::Pinned, now()),
            ("version made", PublicationEvent::VersionMade(2), now()),
            ("pointed", PublicationEvent::Pointed, now()),
            ("image unseen", PublicationEvent::ImageUnseen, now()),
            ("image unseen, for long", PublicationEvent::ImageUnseen, later(start(), 900)),
            ("refused: locked", refused(Why::Locked), now()),
            ("refused: too soon", refused(Why::TooSoon), now()),
            ("refused: denied", refused(Why::Denied), now()),
            ("refused: locked, late", refused(Why::Locked), later(start(), 14 * 86_400)),
            ("changed", PublicationEvent::Changed("it names another one".into()), now()),
        ] {
            hears(name, &record, Event::Publication(event), at);
        }
        let asks = due(&record, now()).map_or("nothing".into(), |asked| format!("{asked:?}"));
        writeln!(table, "  stale: {}\n  asks for {asks}\n", stale.join("; ")).expect("a text takes more");
    }
    expect_file!["change_table.txt"].assert_eq(&table);
}
