//! The support table, as the API server understands it: whatever not every engine can do is refused to one that cannot, with the
//! sentence of the table.

use serde_json::{Value, json};
use tributary_crds::compression::Compression;
use tributary_crds::engine::Engine;
use tributary_crds::support::{
    AuthMethod, Deed, Misfit, OUTPUTS, PATTERNS, PROCESSORS, SOURCES, Thing, WHEN_FULL, compression_deeds,
    misfits, pattern_deed, placeholder_deeds, processor_deed, source_deed, when_full_deed,
};

use crate::least_settings;

/// Specs that ask an engine for what it cannot do, and what the API server has to say.
pub fn mistakes() -> Vec<(Value, String)> {
    let mut mistakes = Vec::new();
    let stdout = json!({"name": "a", "stdout": {}});
    for pattern in PATTERNS {
        let deed = pattern_deed(pattern);
        let unable = Engine::ALL.into_iter().find(|engine| !deed.able.contains(engine));
        if let (Some(refusal), Some(engine)) = (deed.sentence(), unable) {
            let spec = json!({*pattern: {"engine": engine.as_str()}, "outputs": [stdout]});
            mistakes.push((spec, format!("{}: {}", refusal.problem, refusal.remedy)));
        }
    }
    let mut refused = |deed: &Deed, agent: Value, processors: Value, output: Value| {
        let unable = Engine::ALL.into_iter().find(|engine| !deed.able.contains(engine));
        let (Some(refusal), Some(engine)) = (deed.sentence(), unable) else {
            return;
        };
        let sentence = format!("{}: {}", refusal.problem, refusal.remedy);
        for pattern in ["nodeAgent", "agentSidecar"] {
            if pattern == "agentSidecar" && agent != json!({}) {
                continue;
            }
            let mut spec = json!({"processors": processors, "outputs": [output]});
            spec[pattern] = agent.clone();
            spec[pattern]["engine"] = json!(engine.as_str());
            mistakes.push((spec, sentence.clone()));
        }
    };
    for source in SOURCES {
        let wanted = json!({"sources": {*source: least_settings::source(source)}});
        refused(&source_deed(source), wanted, json!([]), stdout.clone());
    }
    for processor in PROCESSORS {
        let mut wanted = json!({*processor: least_settings::processor(processor)});
        if ["keep", "drop"].contains(processor) {
            wanted["where"] = json!([{"field": "level", "in": ["info"]}]);
        }
        refused(
            &processor_deed(processor),
            json!({}),
            json!([wanted]),
            stdout.clone(),
        );
    }
    for output in OUTPUTS {
        let wanted = json!({"name": "a", output.field: least_settings::destination(output.field)});
        refused(&output.deed(), json!({}), json!([]), wanted.clone());
        for method in AuthMethod::ALL {
            if let Some(deed) = output.auth_deed(method) {
                let mut wanted = wanted.clone();
                wanted["auth"] = least_settings::auth(method);
                refused(&deed, json!({}), json!([]), wanted);
            }
        }
    }
    for (way, fields, deed) in compression_deeds() {
        for field in fields {
            let destination = least_settings::destination(field);
            let wanted = json!({"name": "a", field: destination, "compression": way.as_str()});
            refused(&deed, json!({}), json!([]), wanted);
        }
    }
    for (templates, deed) in placeholder_deeds() {
        for (output, field) in templates.iter().filter_map(|template| template.split_once('.')) {
            let mut destination = least_settings::destination(output);
            destination[field] = json!(least_settings::template(&format!("{output}.{field}")));
            refused(
                &deed,
                json!({}),
                json!([]),
                json!({"name": "a", output: destination}),
            );
        }
    }
    for when_full in WHEN_FULL {
        let wanted = json!({"name": "a", "stdout": {}, "buffer": {"whenFull": format!("{when_full:?}")}});
        refused(&when_full_deed(when_full), json!({}), json!([]), wanted);
    }
    mistakes.extend(misfits().iter().map(misfit));
    mistakes
}

/// A spec that asks a destination for what has no meaning there.
fn misfit(misfit: &Misfit) -> (Value, String) {
    let field = misfit.fields[0];
    let mut output = json!({"name": "a", field: least_settings::destination(field)});
    match misfit.thing {
        Thing::Auth => output["auth"] = least_settings::auth(AuthMethod::Basic),
        Thing::Method(method) => output["auth"] = least_settings::auth(method),
        Thing::Compression => output["compression"] = json!(Compression::Gzip),
        Thing::Way(way) => output["compression"] = json!(way),
        Thing::Tls => output["tls"] = json!({}),
    }
    (json!({"nodeAgent": {}, "outputs": [output]}), misfit.sentence())
}
