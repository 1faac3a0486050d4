//! A log group of `CloudWatch`.

use serde_json::{Value, json};

use crate::pipeline::LogGroup;

/// The plugin's settings. It always speaks TLS, and refuses the setting that says so.
pub fn settings(group: &LogGroup) -> Value {
    let mut settings = json!({
        "name": "cloudwatch_logs",
        "region": group.region,
        "log_group_name": group.name.beginning,
        "log_stream_name": group.stream.as_ref().map_or("${K8S_NODE_NAME}", |stream| &stream.beginning),
        "auto_create_group": "on",
    });
    if let Some(days) = group.retention_days {
        settings["log_retention_days"] = json!(days.to_string());
    }
    settings
}

/// The filter that gives a time that `CloudWatch` takes to a record whose own is too old; it would be lost without a word.
pub fn recent() -> Value {
    json!({"name": "lua", "code": include_str!("cloud_watch.lua"), "call": "recent", "enable_flb_null": "on"})
}
