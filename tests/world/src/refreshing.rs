//! What an instance refresh does by itself: replace members in steps, pause at checkpoints, bake, turn back (AWS: How an
//! instance refresh works, Add checkpoints to an instance refresh, Undo changes with a rollback).
//!
//! Guessed, because no page says: a checkpoint counts the members that the refresh itself replaced, out of all, so that a
//! scale-out may bring it back under one that it had passed; its event comes once the new members are warm, or before
//! that, as the settings say; and at least one member at a time is replaced, whatever is rounded up.

use std::collections::BTreeSet;

use lastgood_core::id::{GroupName, InstanceId};
use lastgood_core::{Time, later, seconds_between};

use crate::events::refresh_changed;
use crate::fleet::Fleet;
use crate::group::Group;
use crate::member::{Lifecycle, Member};
use crate::refresh::RefreshStatus;
use crate::state::{Due, State};

/// AWS: How an instance refresh works: a refresh that gets no further for an hour fails.
const STUCK_SECONDS_MAX: i64 = 60 * 60;
/// How often it looks whether it can go on, beside what it waits for.
const LOOK_SECONDS: i64 = 60;

/// How far a refresh is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// It ends when a test says so, and replaces nobody.
    pub(crate) is_still: bool,
    /// Members that are to be replaced.
    pub(crate) old: BTreeSet<InstanceId>,
    /// When it began, or turned back: a member that is older need not warm up.
    pub(crate) begun_at: Option<Time>,
    /// How many it has replaced.
    pub(crate) replaced: usize,
    /// The checkpoint that it has passed last.
    pub(crate) passed: u32,
    /// It told of the next checkpoint already.
    pub(crate) told: bool,
    /// It pauses at a checkpoint until then.
    pub(crate) paused_until: Option<Time>,
    /// It bakes until then.
    pub(crate) bakes_until: Option<Time>,
    /// When it last got further, and the most warm members since.
    pub(crate) moved: (Option<Time>, usize),
    /// When it looks again by itself.
    pub(crate) looks_at: Option<Time>,
    /// What it showed when it turned back, and how many were to be replaced then.
    pub(crate) turned: (u32, usize),
}

impl State {
    /// The active refresh of a group does what comes next.
    pub(crate) fn refresh_acts(&mut self, name: &GroupName) {
        let now = self.now;
        let Some(refresh) = self.active_refresh(name).filter(|refresh| !refresh.run.is_still) else { return };
        let (status, bakes_until) = (refresh.status, refresh.run.bakes_until);
        let looks_at = later(now, LOOK_SECONDS);
        if refresh.run.looks_at.is_none_or(|at| at <= now) {
            self.run_mut(name).looks_at = Some(looks_at);
            self.after(LOOK_SECONDS, Due::RefreshActs(name.clone()));
        }
        match status {
            RefreshStatus::Pending | RefreshStatus::InProgress => {
                if !self.alarmed(name) && !self.is_suspended(name) {
                    self.refresh_goes_on(name);
                }
            }
            RefreshStatus::RollbackInProgress => {
                if !self.is_suspended(name) {
                    self.refresh_goes_on(name);
                }
            }
            RefreshStatus::Baking => {
                if !self.alarmed(name) && bakes_until.is_none_or(|until| until <= now) {
                    self.end_refresh(name, RefreshStatus::Successful, None);
                }
            }
            RefreshStatus::Cancelling => {
                let moves = |member: &Member| matches!(member.lifecycle, Lifecycle::Pending | Lifecycle::Terminating);
                if !self.groups.get(name).is_some_and(|group| group.members.iter().any(moves)) {
                    self.end_refresh(name, RefreshStatus::Cancelled, None);
                }
            }
            RefreshStatus::Successful
            | RefreshStatus::Failed
            | RefreshStatus::Cancelled
            | RefreshStatus::RollbackSuccessful
            | RefreshStatus::RollbackFailed => {}
        }
    }

    fn run_mut(&mut self, name: &GroupName) -> &mut Run {
        let refreshes = self.refreshes.get_mut(name).into_iter().flatten();
        let active = refreshes.into_iter().find(|refresh| refresh.status.is_active());
        &mut active.expect("it was found before").run
    }

    fn is_suspended(&self, name: &GroupName) -> bool {
        self.groups.get(name).is_some_and(Group::suspends_refreshes)
    }

    /// One of its alarms went off: the refresh fails, or turns back.
    fn alarmed(&mut self, name: &GroupName) -> bool {
        let Some(refresh) = self.active_refresh(name) else { return false };
        let alarm = refresh.wants.alarms.iter().find(|alarm| self.alarms.get(*alarm).is_some_and(|on| *on)).cloned();
        let Some(alarm) = alarm else { return false };
        self.refresh_failed(name, &format!("CloudWatch alarm {alarm} went into ALARM"));
        true
    }

    /// It can't be finished: it turns back if it may, else it stays where it is.
    fn refresh_failed(&mut self, name: &GroupName, why: &str) {
        let Some(refresh) = self.active_refresh(name) else { return };
        match refresh.status {
            RefreshStatus::RollbackInProgress => self.end_refresh(name, RefreshStatus::RollbackFailed, Some(why)),
            _ if refresh.wants.auto_rollback => self.turn_back(name, Some(why)),
            _ => self.end_refresh(name, RefreshStatus::Failed, Some(why)),
        }
    }

    /// A rollback: what was launched since it began is replaced with what the group itself says.
    pub(crate) fn turn_back(&mut self, name: &GroupName, why: Option<&str>) {
        let new: BTreeSet<InstanceId> = match (self.active_refresh(name), self.groups.get(name)) {
            (Some(refresh), Some(group)) => {
                let is_new = |member: &&Member| !refresh.run.old.contains(&member.instance);
                let members = group.members.iter().filter(|member| member.lifecycle != Lifecycle::Terminating);
                members.filter(is_new).map(|member| member.instance.clone()).collect()
            }
            _ => return,
        };
        let now = self.now;
        let id = {
            let refresh = self.active_refresh_mut(name).expect("it was found before");
            refresh.status = RefreshStatus::RollbackInProgress;
            refresh.reason = why.map(str::to_owned);
            let turned = (refresh.percentage, new.len());
            refresh.run = Run {
                old: new,
                begun_at: Some(now),
                moved: (Some(now), 0),
                turned,
                looks_at: refresh.run.looks_at,
                ..Run::default()
            };
            refresh.id.clone()
        };
        refresh_changed(self, name, &id, "Rollback Started", None);
        self.after(0, Due::RefreshActs(name.clone()));
    }

    /// It ends. Once it succeeds, its group launches from what it desired.
    pub(crate) fn end_refresh(&mut self, name: &GroupName, status: RefreshStatus, why: Option<&str>) {
        let now = self.now;
        let Some(refresh) = self.active_refresh_mut(name) else { return };
        (refresh.status, refresh.ended_at) = (status, Some(now));
        if let Some(why) = why {
            refresh.reason = Some(why.to_owned());
        }
        let (id, is_still) = (refresh.id.clone(), refresh.run.is_still);
        let desired = refresh.desired.clone().filter(|_| status == RefreshStatus::Successful);
        if let (Some(group), Some(desired)) = (self.groups.get_mut(name), desired) {
            group.from = desired;
        }
        let told = match status {
            RefreshStatus::Successful => "Succeeded",
            RefreshStatus::Failed => "Failed",
            RefreshStatus::Cancelled => "Cancelled",
            RefreshStatus::RollbackSuccessful => "Rollback Succeeded",
            RefreshStatus::RollbackFailed => "Rollback Failed",
            RefreshStatus::Pending
            | RefreshStatus::InProgress
            | RefreshStatus::Baking
            | RefreshStatus::Cancelling
            | RefreshStatus::RollbackInProgress => return,
        };
        if !is_still {
            refresh_changed(self, name, &id, told, None);
        }
    }

    /// Replaces, pauses or ends.
    fn refresh_goes_on(&mut self, name: &GroupName) {
        let now = self.now;
        let Some((refresh, group)) = self.active_refresh(name).zip(self.groups.get(name)) else { return };
        let (run, wants) = (refresh.run.clone(), refresh.wants.clone());
        let back = refresh.status == RefreshStatus::RollbackInProgress;
        let fleet = self.fleet(group, refresh);
        let last = if back { 100 } else { wants.last() };
        if run.paused_until.is_some_and(|until| until > now) {
            return;
        }
        if run.paused_until.is_some() {
            let run = self.run_mut(name);
            (run.paused_until, run.told, run.moved) = (None, false, (Some(now), 0));
        }
        let replaced = percent(run.replaced, fleet.size, fleet.old.is_empty());
        // A scale-out may bring it back under a checkpoint: that is reached again.
        let stands = |checkpoint: &&u32| **checkpoint <= run.passed && **checkpoint <= replaced;
        let passed = wants.checkpoints.iter().rev().find(stands).copied().unwrap_or(0);
        let next = wants.checkpoints.iter().find(|checkpoint| **checkpoint > passed && !back).copied().unwrap_or(last);
        self.run_mut(name).passed = passed;
        let goal = (fleet.size * next as usize).div_ceil(100);
        let is_reached = run.replaced >= goal || (fleet.old.is_empty() && fleet.waited_for == 0);
        if is_reached {
            let reached = wants.checkpoints.iter().rev().find(|checkpoint| **checkpoint <= replaced).copied();
            let reached = reached.filter(|_| !back).unwrap_or(last).min(last);
            let ends = replaced >= last || fleet.old.is_empty();
            if !ends && self.settings.checkpoint_told_early {
                self.tell_checkpoint(name, reached);
            }
            if fleet.warm < fleet.new {
                self.note_progress(name, fleet.warm);
                return;
            }
            self.show(name, replaced.max(if ends { last } else { 0 }));
            if !ends {
                self.tell_checkpoint(name, reached);
                let delay = wants.delay_seconds;
                let run = self.run_mut(name);
                (run.passed, run.paused_until) = (reached, Some(later(now, delay)));
                self.after(delay, Due::RefreshActs(name.clone()));
                return;
            }
            if back {
                self.end_refresh(name, RefreshStatus::RollbackSuccessful, None);
            } else if wants.bake_seconds > 0 {
                let until = later(now, wants.bake_seconds);
                let refresh = self.active_refresh_mut(name).expect("it was found before");
                (refresh.status, refresh.run.bakes_until) = (RefreshStatus::Baking, Some(until));
                let id = refresh.id.clone();
                refresh_changed(self, name, &id, "Started Baking", None);
                self.after(wants.bake_seconds, Due::RefreshActs(name.clone()));
            } else {
                self.end_refresh(name, RefreshStatus::Successful, None);
            }
            return;
        }
        if fleet.warm >= fleet.new {
            self.show(name, percent(run.replaced, fleet.size, false));
        }
        self.note_progress(name, fleet.warm);
        self.replace(name, &fleet, goal - run.replaced);
    }

    /// Replaces as many as the group can do without.
    fn replace(&mut self, name: &GroupName, fleet: &Fleet, needed: usize) {
        let Some(refresh) = self.active_refresh(name) else { return };
        let (least, most) = (refresh.wants.min_healthy as usize, refresh.wants.max_healthy as usize);
        let warmup = self.warmup_seconds(name);
        let min = (fleet.size * least).div_ceil(100);
        let first = least == 100 || most > 100;
        let mut leaving = fleet.healthy.saturating_sub(min).min(needed);
        if first {
            // Launch before terminating: up to the maximum, or one more if that leaves no room.
            let max = (fleet.size * most / 100).max(fleet.size + 1);
            let coming = max.saturating_sub(fleet.counted).min(needed);
            leaving = fleet.counted.saturating_sub(fleet.size).min(fleet.healthy.saturating_sub(min)).min(needed);
            if leaving == 0 {
                for _ in 0..coming {
                    self.launch_for_refresh(name, warmup);
                }
                return;
            }
        } else if leaving == 0 && fleet.warm == fleet.new && fleet.healthy >= fleet.size {
            leaving = 1;
        }
        for instance in fleet.old.iter().take(leaving) {
            self.dismiss(name, instance);
            let now = self.now;
            let run = self.run_mut(name);
            run.replaced += 1;
            run.moved = (Some(now), 0);
            if !first {
                self.launch_for_refresh(name, warmup);
            }
        }
        if leaving > 0 && first {
            self.after(0, Due::RefreshActs(name.clone()));
        }
    }

    fn launch_for_refresh(&mut self, name: &GroupName, warmup: i64) {
        match self.launch_member(name) {
            Ok(_) => {
                let warm = self.settings.instance_pending_seconds + warmup;
                self.after(warm, Due::RefreshActs(name.clone()));
            }
            Err(failure) => {
                self.launch_failures.push(failure);
                self.after(self.settings.launch_retry_seconds, Due::GroupActs(name.clone()));
            }
        }
    }

    /// Whoever gets no further for an hour fails.
    fn note_progress(&mut self, name: &GroupName, warm: usize) {
        let now = self.now;
        let run = self.run_mut(name);
        if warm > run.moved.1 || run.moved.0.is_none() {
            run.moved = (Some(now), warm);
            return;
        }
        if run.moved.0.is_some_and(|moved| seconds_between(moved, now) >= STUCK_SECONDS_MAX) {
            self.refresh_failed(name, "Instance refresh made no progress for an hour");
        }
    }

    fn tell_checkpoint(&mut self, name: &GroupName, percentage: u32) {
        let refresh = self.active_refresh_mut(name).expect("it was found before");
        if std::mem::replace(&mut refresh.run.told, true) {
            return;
        }
        let (id, delay) = (refresh.id.clone(), refresh.wants.delay_seconds);
        refresh_changed(self, name, &id, "Checkpoint Reached", Some((percentage, delay)));
    }

    /// What DescribeInstanceRefreshes shows follows once the new members are warm. A rollback counts down.
    fn show(&mut self, name: &GroupName, percentage: u32) {
        let refresh = self.active_refresh_mut(name).expect("it was found before");
        let (shown, of) = refresh.run.turned;
        refresh.percentage = if refresh.status == RefreshStatus::RollbackInProgress {
            let left = of.saturating_sub(refresh.run.replaced);
            u32::try_from(shown as usize * left / of.max(1)).unwrap_or(0)
        } else {
            percentage.min(100)
        };
    }
}

/// Percent of the group that is replaced.
fn percent(replaced: usize, size: usize, all: bool) -> u32 {
    if all || size == 0 { 100 } else { u32::try_from(replaced * 100 / size).unwrap_or(100).min(100) }
}
