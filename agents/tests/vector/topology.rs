//! Vector's topology in memory: its programs are compiled and run by Vector's own language, and what stands between them is done as
//! its documentation says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use tributary_agents::config::CONFIG_DIRECTORY;
use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Function, Program, TargetValue, TimeZone, compile};
use vrl::diagnostic::Formatter;
use vrl::value::Secrets;

static FUNCTIONS: LazyLock<Vec<Box<dyn Function>>> = LazyLock::new(vrl::stdlib::all);

/// What Vector makes of its files.
pub struct Vector {
    /// The configuration.
    pub document: Value,
    programs: BTreeMap<String, Program>,
}

impl Vector {
    /// Reads an agent's files, by their names, and compiles every program and condition.
    pub fn new(texts: &BTreeMap<String, String>) -> Self {
        let document: Value = serde_saphyr::from_str(&texts["vector.yaml"]).unwrap();
        let functions = &*FUNCTIONS;
        let mut programs = BTreeMap::new();
        let mut files = BTreeSet::from(["vector.yaml"]);
        for (name, transform) in document["transforms"].as_object().unwrap() {
            if let Some(path) = transform["file"].as_str() {
                let file = path
                    .strip_prefix(CONFIG_DIRECTORY)
                    .unwrap()
                    .trim_start_matches('/');
                programs.insert(name.clone(), program(&texts[file], functions));
                files.insert(texts.get_key_value(file).unwrap().0.as_str());
            }
            for condition in ["starts_when", "ends_when", "exclude"] {
                if let Some(source) = transform[condition].as_str() {
                    let program = program(source, functions);
                    assert!(program.final_type_info().result.is_boolean(), "{source}");
                    programs.insert(format!("{name} {condition}"), program);
                }
            }
        }
        let all: BTreeSet<&str> = texts.keys().map(String::as_str).collect();
        assert_eq!(files, all, "every program is run");
        Self { document, programs }
    }

    /// What a sink gets when a part of the topology gives these events.
    pub fn run(&self, from: &str, events: &[Value], sink: &str) -> Vec<Value> {
        let given = (from, events);
        self.inputs(&self.document["sinks"][sink], given)
    }

    fn inputs(&self, part: &Value, given: (&str, &[Value])) -> Vec<Value> {
        let inputs = part["inputs"].as_array().unwrap().iter();
        inputs
            .flat_map(|input| self.events(input.as_str().unwrap(), given))
            .collect()
    }

    fn events(&self, name: &str, given: (&str, &[Value])) -> Vec<Value> {
        if name == given.0 {
            return given.1.to_vec();
        }
        let transform = &self.document["transforms"][name];
        if transform.is_null() {
            return Vec::new();
        }
        let inputs = self.inputs(transform, given);
        match transform["type"].as_str().unwrap() {
            "remap" => inputs
                .into_iter()
                .filter_map(|event| run(&self.programs[name], event))
                .collect(),
            "reduce" => self.reduce(name, transform, inputs),
            "throttle" => self.throttle(name, transform, inputs),
            other => panic!("{name} is a {other}"),
        }
    }

    fn condition(&self, name: &str, condition: &str, event: &Value) -> bool {
        let Some(program) = self.programs.get(&format!("{name} {condition}")) else {
            return false;
        };
        let mut target = target(event.clone());
        let outcome =
            Runtime::new(RuntimeState::default()).resolve(&mut target, program, &TimeZone::default());
        outcome.unwrap().as_boolean().unwrap()
    }

    fn reduce(&self, name: &str, transform: &Value, events: Vec<Value>) -> Vec<Value> {
        let mut waiting: Vec<(Vec<Value>, Map<String, Value>, u64)> = Vec::new();
        let mut flushed = Vec::new();
        for event in events {
            let group: Vec<Value> = transform["group_by"]
                .as_array()
                .unwrap()
                .iter()
                .map(|path| event.pointer(&format!("/{}", path.as_str().unwrap().replace('.', "/"))))
                .map(|value| value.cloned().unwrap_or_default())
                .collect();
            let starts = self.condition(name, "starts_when", &event);
            let mut ends = self.condition(name, "ends_when", &event);
            let at = waiting.iter().position(|(other, _, _)| *other == group);
            let mut state = at.map(|at| waiting.remove(at));
            if starts {
                flushed.extend(state.take().map(|(_, event, _)| Value::Object(event)));
            }
            let count = state.as_ref().map_or(1, |(_, _, count)| count + 1);
            ends |= transform["max_events"] == json!(count);
            let fields = event.as_object().unwrap().clone();
            let merged = match state {
                Some((_, before, _)) => merge(transform, before, fields),
                None => fields,
            };
            if ends {
                flushed.push(Value::Object(merged));
            } else {
                waiting.push((group, merged, count));
            }
        }
        flushed.extend(waiting.into_iter().map(|(_, event, _)| Value::Object(event)));
        flushed
    }

    /// Within one second.
    fn throttle(&self, name: &str, transform: &Value, events: Vec<Value>) -> Vec<Value> {
        assert_eq!(transform["key_field"], "{{ measure }}");
        let mut counts = BTreeMap::new();
        let within = |event: &Value| {
            let count: &mut u64 = counts.entry(event["measure"].to_string()).or_default();
            *count += 1;
            *count <= transform["threshold"].as_u64().unwrap()
        };
        let mut within = within;
        events
            .into_iter()
            .filter(|event| self.condition(name, "exclude", event) || within(event))
            .collect()
    }
}

fn merge(transform: &Value, mut before: Map<String, Value>, after: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in after {
        let separator = match transform["merge_strategies"][&key].as_str() {
            Some("concat_raw") => "",
            Some("concat_newline") => "\n",
            Some("discard") | None => {
                before.entry(key).or_insert(value);
                continue;
            }
            Some(other) => panic!("{other}"),
        };
        let joined = [before[&key].as_str().unwrap(), value.as_str().unwrap()].join(separator);
        before.insert(key, json!(joined));
    }
    before
}

/// Compiles a program. Warnings are failures: Vector would print them at every start.
pub fn program(source: &str, functions: &[Box<dyn Function>]) -> Program {
    match compile(source, functions) {
        Ok(compiled) => {
            let warnings = Formatter::new(source, compiled.warnings).to_string();
            assert!(warnings.trim().is_empty(), "{warnings}\n{source}");
            compiled.program
        }
        Err(errors) => panic!("{}\n{source}", Formatter::new(source, errors)),
    }
}

/// Runs a program on an event. `None` when it drops it; errors that it does not handle are failures.
pub fn run(program: &Program, event: Value) -> Option<Value> {
    let mut target = target(event);
    match Runtime::new(RuntimeState::default()).resolve(&mut target, program, &TimeZone::default()) {
        Ok(_) => Some(serde_json::to_value(target.value).unwrap()),
        Err(Terminate::Abort(_)) => None,
        Err(Terminate::Error(error)) => panic!("{error}"),
    }
}

/// What a program leaves in the metadata of an event.
pub fn metadata(program: &Program, event: Value) -> Value {
    let mut target = target(event);
    let outcome = Runtime::new(RuntimeState::default()).resolve(&mut target, program, &TimeZone::default());
    assert!(outcome.is_ok(), "{outcome:?}");
    serde_json::to_value(target.metadata).unwrap()
}

fn target(event: Value) -> TargetValue {
    TargetValue {
        value: event.into(),
        metadata: json!({}).into(),
        secrets: Secrets::default(),
    }
}
