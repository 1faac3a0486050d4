//! Runs what Fluent Bit does to times for `CloudWatch`, as rendered.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{SystemTime, UNIX_EPOCH};

use mlua::{Function, Lua, Table};
use serde_json::{Value, json};
use tributary_agents::{compile, render};

const DAY: u32 = 24 * 60 * 60;

/// The function that each record passes.
fn recent(lua: &Lua) -> Function {
    let outputs = json!([{"name": "a", "cloudWatch": {"region": "r", "logGroup": "g"}}]);
    let spec = json!({"nodeAgent": {"engine": "FluentBit"}, "outputs": outputs});
    let config = render(&compile("test", &serde_json::from_value(spec).unwrap()).unwrap()).unwrap();
    let document: Value = serde_saphyr::from_str(&config.files["fluent-bit.yaml"]).unwrap();
    let filter = &document["pipeline"]["outputs"][0]["processors"]["logs"][0];
    lua.load(filter["code"].as_str().unwrap()).exec().unwrap();
    lua.globals().get(filter["call"].as_str().unwrap()).unwrap()
}

#[test]
fn only_what_cloud_watch_would_refuse_gets_another_time() {
    let lua = Lua::new();
    let recent = recent(&lua);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = u32::try_from(now.as_secs()).unwrap();
    let record = lua.create_table().unwrap();
    record.set("time", "its own").unwrap();
    for (age, changed) in [(0, false), (9, false), (11, true), (400, true)] {
        let time = now - age * DAY;
        let (code, new, kept): (i64, f64, Table) =
            recent.call(("tag", f64::from(time), record.clone())).unwrap();
        assert_eq!(code == 1, changed, "{age} days");
        assert_eq!(kept.get::<String>("time").unwrap(), "its own");
        let expected = if changed { now - 10 * DAY } else { time };
        assert!((new - f64::from(expected)).abs() < 60.0, "{age} days: {new}");
    }
}
