//! Fluent Bit's script, run as Fluent Bit runs it: a record becomes a table of Lua, and what comes back a record.

#![allow(dead_code, reason = "no test uses all of it")]

use std::collections::BTreeMap;

use mlua::{IntoLua, Lua, MultiValue, Table, Value};
use serde_json::{Map, json};

/// What the script sees of its pod.
const WORLD: &str = r#"
    local lines = io.lines
    io.lines = function(path) return lines((path:gsub("^/etc/tributary/config", directory))) end
    local environment = {K8S_NODE_NAME = "node-1", POD_NAMESPACE = "shop", POD_NAME = "web-1", POD_UID = "0a0b0c0d-1111"}
    os.getenv = function(name) return environment[name] end
"#;

/// The numbers by which Fluent Bit knows lists and maps.
const LIST: i64 = 1;
const MAP: i64 = 2;

/// A loaded script.
pub struct Script {
    lua: Lua,
}

impl Script {
    /// Loads the script from files, with its data beside it.
    pub fn load(files: &BTreeMap<String, String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (file, text) in files {
            std::fs::write(directory.path().join(file), text).unwrap();
        }
        let lua = Lua::new();
        lua.globals().set("directory", directory.path()).unwrap();
        // As with `enable_flb_null`.
        lua.globals().set("flb_null", Value::NULL).unwrap();
        lua.load(WORLD).exec().unwrap();
        lua.load(directory.path().join("tributary.lua")).exec().unwrap();
        Self { lua }
    }

    /// Runs Lua in the script's world.
    pub fn exec(&self, code: &str) {
        self.lua.load(code).exec().unwrap();
    }

    /// What a function makes of a record; `None` when it drops it.
    pub fn call(
        &self,
        function: &str,
        tag: &str,
        time: (i64, i64),
        record: &serde_json::Value,
    ) -> Option<serde_json::Value> {
        self.call_table(function, tag, time, &self.table(record))
    }

    /// As [`Self::call`], with a record of any bytes.
    pub fn call_table(
        &self,
        function: &str,
        tag: &str,
        time: (i64, i64),
        record: &Value,
    ) -> Option<serde_json::Value> {
        let function: mlua::Function = self.lua.globals().get(function).unwrap();
        let time = self
            .lua
            .create_table_from([("sec", time.0), ("nsec", time.1)])
            .unwrap();
        let answer: MultiValue = function.call((tag, time, record.clone())).unwrap();
        let answer: Vec<Value> = answer.into_iter().collect();
        match answer[0].as_integer().unwrap() {
            -1 => None,
            0 => Some(json_of(record)),
            1 | 2 => Some(json_of(&answer[2])),
            other => panic!("{function:?} answers {other}"),
        }
    }

    /// What a function of five parameters makes of a record: metadata and the record.
    pub fn call_with_metadata(
        &self,
        function: &str,
        record: &serde_json::Value,
    ) -> (serde_json::Value, serde_json::Value) {
        let function: mlua::Function = self.lua.globals().get(function).unwrap();
        let nothing = || self.lua.create_table().unwrap();
        let arguments = ("tag", nothing(), nothing(), nothing(), self.table(record));
        let (_, _, metadata, record): (Value, Value, Value, Value) = function.call(arguments).unwrap();
        (json_of(&metadata), json_of(&record))
    }

    /// As Fluent Bit makes a table of a value.
    pub fn table(&self, value: &serde_json::Value) -> Value {
        let lua = &self.lua;
        let marked = |table: &Table, kind: i64| {
            table
                .set_metatable(Some(lua.create_table_from([("type", kind)]).unwrap()))
                .unwrap();
        };
        match value {
            serde_json::Value::Null => Value::NULL,
            serde_json::Value::Bool(value) => Value::Boolean(*value),
            serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap()),
            serde_json::Value::String(text) => text.as_str().into_lua(lua).unwrap(),
            serde_json::Value::Array(values) => {
                let table = lua.create_table().unwrap();
                for (index, value) in values.iter().enumerate() {
                    table.raw_set(index + 1, self.table(value)).unwrap();
                }
                marked(&table, LIST);
                Value::Table(table)
            }
            serde_json::Value::Object(values) => {
                let table = lua.create_table().unwrap();
                for (key, value) in values {
                    table.raw_set(key.as_str(), self.table(value)).unwrap();
                }
                marked(&table, MAP);
                Value::Table(table)
            }
        }
    }
}

/// As Fluent Bit makes a value of a table: a table is a list when it is marked as one, or has a first element.
fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil | Value::LightUserData(_) => serde_json::Value::Null,
        Value::Boolean(value) => json!(value),
        Value::Integer(number) => json!(number),
        Value::Number(number) => number_json(*number),
        Value::String(text) => json!(text.to_string_lossy()),
        Value::Table(table) => {
            let kind = table
                .metatable()
                .and_then(|meta| meta.get::<Option<i64>>("type").unwrap());
            let is_list = match kind {
                Some(kind) => kind == LIST,
                None => table.raw_len() > 0,
            };
            if is_list {
                let values = table.sequence_values::<Value>();
                return values.map(|value| json_of(&value.unwrap())).collect();
            }
            let pairs = table.pairs::<String, Value>();
            let map: Map<_, _> = pairs
                .map(|pair| pair.map(|(key, value)| (key, json_of(&value))).unwrap())
                .collect();
            serde_json::Value::Object(map)
        }
        other => panic!("{other:?} cannot be written"),
    }
}

/// A number without a fraction is written as an integer.
#[allow(clippy::cast_possible_truncation, reason = "checked to be one of 64 bits")]
fn number_json(number: f64) -> serde_json::Value {
    if number.fract() == 0.0 && number.abs() < 9e18 {
        json!(number as i64)
    } else {
        json!(number)
    }
}
