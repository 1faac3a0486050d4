//! Every pair of the support table does what the table says: it renders, or it is refused with what to write instead.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod least_settings;

use serde_json::{Value, json};
use tributary_agents::{CompileError, compile, render};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::compression::Compression;
use tributary_crds::output::WhenFull;
use tributary_crds::policy::Engine;
use tributary_crds::support::{
    AuthMethod, Encryption, OUTPUTS, OutputSupport, PROCESSORS, SOURCES, TEMPLATES, WHEN_FULL, of,
    processor_deed, source_deed, when_full_deed,
};

fn outcome(output: &OutputSupport, engine: Engine, more: Value) -> Result<(), CompileError> {
    let mut wanted = json!({"name": "a", output.field: least_settings::destination(output.field)});
    let more: serde_json::Map<_, _> = serde_json::from_value(more).unwrap();
    wanted.as_object_mut().unwrap().extend(more);
    let spec = json!({"nodeAgent": {"engine": engine.as_str()}, "outputs": [wanted]});
    let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
    render(&compile("test", &spec)?).map(drop)
}

/// Whether the outcome is what the table says, with words that the refusal has.
fn check(outcome: Result<(), CompileError>, supported: bool, words: &str) {
    match outcome {
        Ok(()) => assert!(supported, "accepted, but the table says: {words}"),
        Err(error) => {
            let said = error.to_string();
            assert!(!supported && said.contains(words), "{words:?} is not in: {said}");
        }
    }
}

#[test]
fn every_pair_of_output_and_engine_is_as_the_table_says() {
    for output in OUTPUTS {
        for engine in Engine::ALL {
            let refusal = output.deed().refusal(engine);
            let words = refusal.as_ref().map_or("", |refusal| &refusal.remedy);
            check(outcome(output, engine, json!({})), refusal.is_none(), words);
        }
    }
}

#[test]
fn every_method_of_auth_is_as_the_table_says() {
    for output in OUTPUTS {
        for engine in output.engines() {
            for method in AuthMethod::ALL {
                let supported = output.auth(method).contains(&engine);
                let words = if supported { "" } else { "auth" };
                let asked = json!({"auth": least_settings::auth(method)});
                check(outcome(output, engine, asked), supported, words);
            }
        }
    }
}

#[test]
fn every_compression_is_as_the_table_says() {
    for output in OUTPUTS {
        for engine in output.engines() {
            for way in Compression::ALL {
                let supported = of(engine).compression(output.field).contains(&way);
                let words = if supported { "" } else { "compression" };
                let asked = json!({"compression": way.as_str()});
                check(outcome(output, engine, asked), supported, words);
            }
        }
    }
}

#[test]
fn placeholders_are_as_the_table_says() {
    for name in TEMPLATES {
        let (field, setting) = name.split_once('.').unwrap();
        let output = OUTPUTS.iter().find(|output| output.field == field).unwrap();
        let mut destination = least_settings::destination(field);
        destination[setting] = json!(least_settings::template(name));
        for engine in output.engines() {
            let supported = of(engine).placeholders.contains(name);
            let words = if supported {
                ""
            } else {
                "write a name without braces"
            };
            check(
                outcome(output, engine, json!({field: destination})),
                supported,
                words,
            );
        }
    }
}

#[test]
fn tls_is_as_the_table_says() {
    for output in OUTPUTS {
        for engine in output.engines() {
            let supported = output.tls_misfit().is_none() && output.encryption != Encryption::NoNetwork;
            let asked = json!({"tls": {}});
            check(
                outcome(output, engine, asked),
                supported,
                if supported { "" } else { "remove" },
            );
        }
    }
}

#[test]
fn what_happens_when_a_buffer_is_full_is_as_the_table_says() {
    for output in OUTPUTS {
        for engine in output.engines() {
            for when_full in WHEN_FULL {
                let supported = of(engine).when_full.contains(&when_full);
                let words = if supported { "" } else { "write whenFull: Block" };
                let asked = json!({"buffer": {"whenFull": format!("{when_full:?}")}});
                check(outcome(output, engine, asked), supported, words);
            }
        }
    }
}

/// What becomes of a node agent's policy with these sources and processors.
fn outcome_of_node(engine: Engine, sources: &Value, processors: &Value) -> Result<(), CompileError> {
    let spec = json!({
        "nodeAgent": {"engine": engine.as_str(), "sources": sources},
        "processors": processors,
        "outputs": [{"name": "a", "stdout": {}}],
    });
    let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
    render(&compile("test", &spec)?).map(drop)
}

#[test]
fn processors_are_as_the_table_says() {
    for name in PROCESSORS {
        let mut wanted = json!({*name: least_settings::processor(name)});
        if ["keep", "drop"].contains(name) {
            wanted["where"] = json!([{"field": "level", "in": ["info"]}]);
        }
        for engine in Engine::ALL {
            let refusal = processor_deed(name).refusal(engine);
            let words = refusal.as_ref().map_or("", |refusal| &refusal.remedy);
            let outcome = outcome_of_node(engine, &json!({"containers": {}}), &json!([wanted]));
            check(outcome, refusal.is_none(), words);
        }
    }
}

#[test]
fn sources_are_as_the_table_says() {
    for name in SOURCES {
        let wanted = json!({*name: least_settings::source(name)});
        for engine in Engine::ALL {
            let refusal = source_deed(name).refusal(engine);
            let words = refusal.as_ref().map_or("", |refusal| &refusal.remedy);
            check(
                outcome_of_node(engine, &wanted, &json!([])),
                refusal.is_none(),
                words,
            );
        }
    }
}

#[test]
fn every_refusal_says_what_to_write() {
    for output in OUTPUTS {
        for engine in Engine::ALL {
            if let Some(refusal) = output.deed().refusal(engine) {
                let useful = refusal.remedy.len() > "write ".len();
                assert!(useful, "{}: {}", output.field, refusal.problem);
            }
        }
        for method in AuthMethod::ALL {
            if let Some(misfit) = output.auth_misfit(method) {
                assert!(!misfit.remedy.is_empty(), "{}", misfit.problem);
            }
        }
    }
}

#[test]
fn the_default_can_be_had_of_every_engine() {
    assert_eq!(when_full_deed(WhenFull::default()).able, Engine::ALL);
}
