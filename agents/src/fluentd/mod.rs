//! Fluentd, 1.19 or later.
//!
//! What a policy says of records is data for fixed scripts; only settings of sources and outputs are in Fluentd's own language.

mod buffer;
mod config;
mod data;
mod fields;
mod http;
mod image;
mod names;
mod outputs;
mod refusals;
mod settings;
mod shapes;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use tributary_crds::auth::SecretKeyRef;

use crate::CompileError;
use crate::config::{AgentConfig, CONFIG_DIRECTORY, HttpEndpoint, STATE_DIRECTORY, host_paths};
use crate::pipeline::{Auth, Destination, Output, Pipeline, Tls};
use config::{Section, Setting};

const FILE: &str = "fluent.conf";
/// What the scripts read, and the only place where they meet the text of a policy.
const DATA: &str = "pipeline.json";
/// The scripts, which are the same for every policy.
const SCRIPTS: [(&str, &str); 11] = [
    ("out_tributary.rb", include_str!("out_tributary.rb")),
    (
        "out_tributary_bigquery.rb",
        include_str!("out_tributary_bigquery.rb"),
    ),
    ("out_tributary_http.rb", include_str!("out_tributary_http.rb")),
    ("out_tributary_syslog.rb", include_str!("out_tributary_syslog.rb")),
    ("tributary_bigquery.rb", include_str!("tributary_bigquery.rb")),
    ("tributary_google.rb", include_str!("tributary_google.rb")),
    ("tributary_lines.rb", include_str!("tributary_lines.rb")),
    ("tributary_names.rb", include_str!("tributary_names.rb")),
    ("tributary_pipeline.rb", include_str!("tributary_pipeline.rb")),
    ("tributary_pods.rb", include_str!("tributary_pods.rb")),
    ("tributary_records.rb", include_str!("tributary_records.rb")),
];
const METRICS_PORT: u16 = 24231;

pub use image::{of as image, refusal as image_refusal};

/// Renders a pipeline as Fluentd's configuration, its scripts and their data.
pub fn render(pipeline: &Pipeline) -> Result<AgentConfig, CompileError> {
    for (at, output) in pipeline.outputs.iter().enumerate() {
        refusals::check(&format!("spec.outputs[{at}]"), output)?;
    }
    let mut files: BTreeMap<String, String> = SCRIPTS
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into();
    files.insert(
        FILE.to_owned(),
        config::write(&pipeline.policy, FILE, &sections(pipeline))?,
    );
    files.insert(DATA.to_owned(), format!("{:#}\n", data::document(pipeline)?));
    // Its exporter, because nothing else answers whatever the state of the destinations.
    let metrics = HttpEndpoint {
        port: METRICS_PORT,
        path: "/metrics".to_owned(),
    };
    Ok(AgentConfig {
        files,
        args: vec![
            format!("--config={CONFIG_DIRECTORY}/{FILE}"),
            format!("--plugin={CONFIG_DIRECTORY}"),
        ],
        env: environment(),
        secret_env: secret_environment(pipeline),
        secret_files: secret_files(pipeline),
        host_paths: host_paths(pipeline, "fluentd"),
        health: metrics.clone(),
        metrics,
    })
}

/// The images for Kubernetes look at these and not at arguments; others look at arguments.
fn environment() -> BTreeMap<String, String> {
    [
        // Below /fluentd/etc.
        ("FLUENTD_CONF", format!("../..{CONFIG_DIRECTORY}/{FILE}")),
        ("FLUENTD_OPT", format!("--plugin={CONFIG_DIRECTORY}")),
        // Nothing else can be written to.
        ("TMPDIR", STATE_DIRECTORY.to_owned()),
        ("SERVERENGINE_SOCKETMANAGER_SOCK_DIR", STATE_DIRECTORY.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn sections(pipeline: &Pipeline) -> Vec<Section> {
    let mut sections = vec![
        Section::new("system")
            .set("log_level", "info")
            // It would show what the environment has.
            .set("suppress_config_dump", "true")
            .set("ignore_same_log_interval", "5m")
            .set("strict_config_value", "true")
            .set("disable_shared_socket", "true")
            // Nothing of an image's own is read.
            .set("config_include_dir", ""),
        Section::new("source")
            .set("@type", "prometheus")
            .set("bind", Setting::Variable("POD_IP".to_owned()))
            .set("port", METRICS_PORT.to_string())
            .set("metrics_path", "/metrics"),
        Section::new("source").set("@type", "prometheus_output_monitor"),
        Section::new("source").set("@type", "prometheus_tail_monitor"),
    ];
    sections.extend(sources::sections(&pipeline.sources));
    sections.push(
        Section::new("match")
            .argument("tributary.*")
            .set("@type", "tributary")
            .set("@id", "records")
            .set("pipeline", format!("{CONFIG_DIRECTORY}/{DATA}")),
    );
    sections.extend(
        pipeline
            .outputs
            .iter()
            .map(|output| outputs::section(pipeline, output)),
    );
    // What Fluentd says of itself is on its stdout already.
    sections.push(
        Section::new("label")
            .argument("@FLUENT_LOG")
            .with(settings::matching("null")),
    );
    sections
}

/// The variables that the configuration names, and those that clients of clouds look at.
fn secret_environment(pipeline: &Pipeline) -> BTreeMap<String, SecretKeyRef> {
    let named = pipeline.outputs.iter().filter_map(in_environment);
    let mut environment = pipeline.aws_environment();
    environment.extend(named.map(|key| (pipeline.secret_variable(key), key.clone())));
    environment
}

fn in_environment(output: &Output) -> Option<&SecretKeyRef> {
    match (&output.destination, &output.auth) {
        (Destination::Forward { shared_key, .. }, _) => shared_key.as_ref(),
        (Destination::Kafka { .. }, Some(Auth::Basic { password, .. })) => Some(password),
        _ => None,
    }
}

fn secret_files(pipeline: &Pipeline) -> BTreeSet<SecretKeyRef> {
    let mut files = BTreeSet::new();
    for output in &pipeline.outputs {
        if in_environment(output).is_none() {
            files.extend(http::secret(output).cloned());
        }
        files.extend(output.google_key().cloned());
        files.extend(output.tls.iter().flat_map(Tls::secrets).cloned());
    }
    files
}
