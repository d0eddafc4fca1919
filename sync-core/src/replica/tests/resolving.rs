//! Settling conflicts: from any device, offline, and on two devices at once with different choices.

use serde_json::{Value, json};

use super::laws::policy;
use super::world::*;
use crate::conflict::Resolution;
use crate::json::Json;
use crate::merge::{Clash, DeletePolicy, UpdatePolicy};
use crate::mutation::Op;
use crate::protocol::code;
use crate::replica::{Replica, ShownConflict};
use crate::service::Limits;

/// A conflict over `x` of the record `r`: `theirs` is stored, `mine` lost, and everyone knows.
struct Clashed {
    world: World,
    /// Who wrote what is stored, who wrote what lost, and someone else.
    devices: [Replica; 3],
    conflict: String,
}

const THEIRS: &str = "theirs";
const MINE: &str = "mine";

fn x(text: &str) -> Value {
    json!({"x": text, "y": 0})
}

impl Clashed {
    async fn new() -> Self {
        Self::over(Some(x(MINE)), UpdatePolicy::Fields(Clash::Manual)).await
    }

    async fn over(mine: Option<Value>, update: UpdatePolicy) -> Self {
        let world = World::with(policy(update, DeletePolicy::Manual), Limits::default()).await;
        let devices = [world.fresh().await, world.fresh().await, world.fresh().await];
        let all: Vec<&Replica> = devices.iter().collect();
        devices[0].put("notes", "r", &x("base")).await.unwrap();
        world.settle(&all).await;
        devices[0].put("notes", "r", &x(THEIRS)).await.unwrap();
        match &mine {
            Some(mine) => devices[1].put("notes", "r", mine).await.unwrap(),
            None => devices[1].delete("notes", "r").await.unwrap(),
        };
        world.settle(&all).await;
        let conflict = world.conflicts().await.remove(0).as_str().to_owned();
        Self { world, devices, conflict }
    }

    async fn settle(&self) {
        let all: Vec<&Replica> = self.devices.iter().collect();
        self.world.settle(&all).await;
        self.world.assert_converged(&all).await;
    }

    /// The conflict as a device shows it.
    async fn shown(&self, device: usize) -> ShownConflict {
        let mut shown = self.devices[device].conflicts(10).await.unwrap();
        shown.extend(self.devices[device].settled_conflicts(10).await.unwrap());
        shown.into_iter().find(|shown| shown.id.as_str() == self.conflict).unwrap()
    }

    async fn resolve(&self, device: usize, how: Resolution) {
        let shown = self.shown(device).await;
        self.devices[device].resolve(&shown, how).await.unwrap();
    }

    async fn sync(&self, device: usize) {
        self.devices[device].sync(&self.world.loopback()).await.unwrap();
    }

    async fn assert_all_show(&self, expected: Option<&Value>) {
        for device in &self.devices {
            assert_eq!(value(device, "r").await.as_ref(), expected);
            assert_eq!(device.conflicts(10).await.unwrap(), []);
        }
    }
}

fn merged(text: &str) -> Resolution {
    Resolution::Merged(Some(Json::from_value(&x(text)).unwrap()))
}

/// The ways to settle it, and what the record is then.
fn ways() -> [(Resolution, Option<Value>); 4] {
    [
        (Resolution::TakeMine, Some(x(MINE))),
        (Resolution::TakeTheirs, Some(x(THEIRS))),
        (merged("both"), Some(x("both"))),
        (Resolution::Merged(None), None),
    ]
}

#[tokio::test]
async fn any_device_can_settle_a_conflict_offline_and_all_follow() {
    for device in 0..3 {
        for (how, expected) in ways() {
            let clashed = Clashed::new().await;
            clashed.resolve(device, how).await;
            let shown = value(&clashed.devices[device], "r").await;
            assert_eq!(shown, expected, "at once, and without the server");
            assert_eq!(clashed.devices[device].conflicts(10).await.unwrap(), []);
            clashed.settle().await;
            clashed.assert_all_show(expected.as_ref()).await;
            for device in &clashed.devices {
                assert_eq!(device.set_aside(10).await.unwrap(), []);
            }
        }
    }
}

#[tokio::test]
async fn the_first_of_two_decisions_counts_and_the_other_one_is_kept() {
    for (first, after_first) in ways() {
        for (second, after_second) in ways() {
            let clashed = Clashed::new().await;
            // The author of the edit that lost, and someone else, both offline.
            clashed.resolve(1, first.clone()).await;
            clashed.resolve(2, second.clone()).await;
            clashed.sync(1).await;
            clashed.sync(2).await;
            clashed.settle().await;
            clashed.assert_all_show(after_first.as_ref()).await;
            let aside = clashed.devices[2].set_aside(10).await.unwrap();
            if matches!(second, Resolution::TakeTheirs) {
                assert_eq!(aside, [], "to drop a conflict that is gone asks for nothing");
                continue;
            }
            assert_eq!(aside.len(), 1, "{first:?}, then {second:?}");
            assert_eq!(aside[0].code, code::VERSION_CONFLICT);
            let wanted = match &aside[0].mutation.op {
                Op::Put(data) => Some(data.to_value()),
                Op::Delete => None,
                Op::Patch(patch) => panic!("a decision is about the whole record: {patch:?}"),
            };
            assert_eq!(wanted, after_second);
        }
    }
}

#[tokio::test]
async fn a_decision_goes_on_top_of_an_edit_of_the_same_device_and_takes_edits_on_top() {
    for (how, expected) in ways().into_iter().take(3) {
        let clashed = Clashed::new().await;
        let device = &clashed.devices[2];
        device.patch("notes", "r", &json!({"before": 1})).await.unwrap();
        clashed.resolve(2, how.clone()).await;
        device.patch("notes", "r", &json!({"after": 1})).await.unwrap();
        clashed.settle().await;
        let mut expected = expected.unwrap();
        expected["after"] = json!(1);
        if !matches!(how, Resolution::Merged(_)) {
            // A merged value is the whole record as someone wants it.
            expected["before"] = json!(1);
        }
        clashed.assert_all_show(Some(&expected)).await;
        assert_eq!(device.set_aside(10).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_delete_that_lost_can_be_taken() {
    for (how, expected) in [(Resolution::TakeMine, None), (Resolution::TakeTheirs, Some(x(THEIRS)))] {
        let clashed = Clashed::over(None, UpdatePolicy::Fields(Clash::Manual)).await;
        clashed.resolve(0, how).await;
        clashed.settle().await;
        clashed.assert_all_show(expected.as_ref()).await;
    }
}

#[tokio::test]
async fn what_a_policy_overruled_can_be_brought_back_from_any_device() {
    let clashed = Clashed::over(Some(x(MINE)), UpdatePolicy::Fields(Clash::ServerWins)).await;
    assert_eq!(clashed.devices[0].conflicts(10).await.unwrap(), [], "nobody has to decide");
    assert_eq!(clashed.devices[0].settled_conflicts(10).await.unwrap().len(), 1);
    clashed.resolve(0, Resolution::TakeMine).await;
    clashed.settle().await;
    clashed.assert_all_show(Some(&x(MINE))).await;
    assert_eq!(clashed.devices[2].settled_conflicts(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_decision_is_carried_out_once_whatever_the_line_does() {
    for fates in [[Fate::DropRequest, Fate::DropReply], [Fate::DropReply, Fate::Repeat]] {
        for (how, expected) in ways() {
            let clashed = Clashed::new().await;
            clashed.resolve(2, how).await;
            let line = Line::with(clashed.world.loopback(), fates);
            while clashed.devices[2].sync(&line).await.is_err() {}
            clashed.settle().await;
            clashed.assert_all_show(expected.as_ref()).await;
            assert_eq!(clashed.devices[2].set_aside(10).await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn a_conflict_that_is_gone_or_was_never_there_cannot_be_settled() {
    let clashed = Clashed::new().await;
    let shown = [clashed.shown(0).await, clashed.shown(1).await];
    let nowhere = ShownConflict { id: "unknown".try_into().unwrap(), ..shown[0].clone() };
    let unknown = clashed.devices[0].resolve(&nowhere, Resolution::TakeMine).await.unwrap_err();
    assert_eq!(unknown.kind(), crate::ErrorKind::NotFound);
    clashed.resolve(0, Resolution::TakeMine).await;
    let again = clashed.devices[0].resolve(&shown[0], Resolution::TakeTheirs).await.unwrap_err();
    assert_eq!(again.kind(), crate::ErrorKind::NotFound, "it was settled here already");
    clashed.settle().await;
    let late = clashed.devices[1].resolve(&shown[1], Resolution::TakeTheirs).await.unwrap_err();
    assert_eq!(late.kind(), crate::ErrorKind::NotFound);
    clashed.assert_all_show(Some(&x(MINE))).await;
}

#[tokio::test]
async fn a_decision_never_overwrites_an_edit_that_came_in_while_it_was_made() {
    for (how, is_refused) in ways().map(|(how, _)| how).into_iter().zip([true, false, true, true]) {
        let clashed = Clashed::new().await;
        let shown = clashed.shown(2).await;
        assert_eq!(shown.now, Some(x(THEIRS)));
        clashed.devices[0].patch("notes", "r", &json!({"x": "newer"})).await.unwrap();
        clashed.sync(0).await;
        clashed.sync(2).await;
        let resolved = clashed.devices[2].resolve(&shown, how.clone()).await;
        let code = resolved.as_ref().err().and_then(|error| error.code());
        assert_eq!(code, is_refused.then_some(code::VERSION_CONFLICT), "{how:?}");
        clashed.settle().await;
        assert_eq!(value(&clashed.devices[1], "r").await, Some(json!({"x": "newer", "y": 0})), "{how:?}");
        if is_refused {
            // Shown anew, it can be decided.
            clashed.resolve(2, how).await;
            clashed.settle().await;
            assert_eq!(clashed.devices[0].conflicts(10).await.unwrap(), []);
        }
    }
}

#[tokio::test]
async fn taking_the_edit_that_lost_keeps_what_others_changed_elsewhere_in_the_record() {
    let clashed = Clashed::new().await;
    let shown = clashed.shown(2).await;
    clashed.devices[0].patch("notes", "r", &json!({"y": 1})).await.unwrap();
    clashed.sync(0).await;
    clashed.sync(2).await;
    clashed.devices[2].resolve(&shown, Resolution::TakeMine).await.unwrap();
    clashed.settle().await;
    clashed.assert_all_show(Some(&json!({"x": MINE, "y": 1}))).await;
}

#[tokio::test]
async fn a_conflict_says_whether_the_edit_that_lost_was_made_here() {
    let clashed = Clashed::new().await;
    for device in 0..3 {
        let shown = clashed.shown(device).await;
        assert_eq!(shown.is_own, device == 1, "on device {device}, mine is {:?}", shown.body.mine);
        let name = clashed.devices[device].client_id().await.unwrap();
        assert_eq!(shown.body.client == Some(name), shown.is_own);
        let places = shown.differences();
        assert_eq!((places.len(), places[0].path.as_str()), (1, "/x"));
        let sides = [&places[0].was, &places[0].mine, &places[0].theirs, &places[0].now];
        assert_eq!(sides.map(|side| side.as_ref().unwrap()), ["base", MINE, THEIRS, THEIRS]);
    }
}

#[tokio::test]
async fn taking_mine_does_not_overrule_what_came_to_stand_above_it() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "r", &json!({"due": {"d": "mon"}})).await.unwrap();
    world.settle(&[&one, &two]).await;
    two.patch("notes", "r", &json!({"due": null})).await.unwrap();
    one.patch("notes", "r", &json!({"due": {"d": "tue"}})).await.unwrap();
    world.settle(&[&two, &one, &two]).await;
    let shown = one.conflicts(10).await.unwrap().remove(0);
    two.patch("notes", "r", &json!({"due": "precious"})).await.unwrap();
    world.settle(&[&two, &one]).await;
    let refused = one.resolve(&shown, Resolution::TakeMine).await.unwrap_err();
    assert_eq!(refused.code(), Some(code::VERSION_CONFLICT));
    assert_eq!(value(&one, "r").await, Some(json!({"due": "precious"})));
}

#[tokio::test]
async fn taking_mine_of_a_deleted_record_brings_back_all_that_was_shown() {
    let clashed = Clashed::new().await;
    clashed.devices[0].delete("notes", "r").await.unwrap();
    clashed.settle().await;
    let shown = clashed.shown(2).await;
    assert_eq!(shown.now, None);
    clashed.devices[2].resolve(&shown, Resolution::TakeMine).await.unwrap();
    assert_eq!(value(&clashed.devices[2], "r").await, Some(x(MINE)));
}
