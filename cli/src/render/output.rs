//! Prints agents, or writes their files.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use tributary_agents::config::{CONFIG_DIRECTORY, secret_path};

use super::agent::Rendered;
use crate::error::Error;
use crate::format::{self, Format};

/// The file of the objects, beside those of the agent.
const OBJECTS: &str = "objects.yaml";

/// Prints agents.
pub fn print(rendered: &[Rendered], format: Format, stdout: &mut dyn Write) -> Result<(), Error> {
    let text = match format {
        Format::Text => {
            let texts: Vec<String> = rendered.iter().map(text).collect();
            texts.join("\n")
        }
        Format::Yaml => {
            let texts: Vec<String> = rendered.iter().map(objects_yaml).collect::<Result<_, _>>()?;
            texts.join("---\n")
        }
        Format::Json => {
            let items = rendered
                .iter()
                .map(objects)
                .collect::<Result<Vec<_>, Error>>()?
                .concat();
            format::json(&json!({"apiVersion": "v1", "kind": "List", "items": items}))?
        }
    };
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes the files of each agent to a directory of the policy's name, and says which.
pub fn write_files(rendered: &[Rendered], directory: &str, stdout: &mut dyn Write) -> Result<(), Error> {
    for agent in rendered {
        let here = Path::new(directory).join(&agent.name);
        let wrong = |path: &Path, source| Error::WriteFile {
            path: path.display().to_string(),
            source,
        };
        fs::create_dir_all(&here).map_err(|source| wrong(&here, source))?;
        let objects = objects_yaml(agent)?;
        let files = agent
            .config
            .files
            .iter()
            .map(|(name, text)| (name.as_str(), text));
        for (name, text) in files.chain([(OBJECTS, &objects)]) {
            let path = here.join(name);
            fs::write(&path, text).map_err(|source| wrong(&path, source))?;
            writeln!(stdout, "{}", path.display())?;
        }
    }
    Ok(())
}

fn objects(agent: &Rendered) -> Result<Vec<Value>, Error> {
    Ok(vec![
        serde_json::to_value(&agent.config_map)?,
        serde_json::to_value(&agent.daemon_set)?,
    ])
}

fn objects_yaml(agent: &Rendered) -> Result<String, Error> {
    let documents: Vec<String> = objects(agent)?
        .iter()
        .map(format::yaml)
        .collect::<Result<_, _>>()?;
    Ok(documents.join("---\n"))
}

/// What people want to see: who reads what, and from where.
fn text(agent: &Rendered) -> String {
    let config = &agent.config;
    let name = |metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| {
        metadata.name.clone().unwrap_or_default()
    };
    let mut text = format!(
        "# {}: LoggingPolicy {}: nodeAgent with engine {}\n",
        agent.origin,
        agent.name,
        agent.engine.as_str()
    );
    let mut say = |what: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# {what}: {value}");
    };
    say("DaemonSet", &name(&agent.daemon_set.metadata));
    say("ConfigMap", &name(&agent.config_map.metadata));
    say("image", agent.image());
    for argument in &config.args {
        say("argument", argument);
    }
    for (variable, value) in &config.env {
        say("variable", &format!("{variable}={value}"));
    }
    for (variable, key) in &config.secret_env {
        say(
            "variable",
            &format!("{variable} is key {} of Secret {}", key.key, key.name),
        );
    }
    for key in &config.secret_files {
        say(
            "file",
            &format!("{} is key {} of Secret {}", secret_path(key), key.key, key.name),
        );
    }
    for path in &config.host_paths {
        let mode = if path.read_only { ", read only" } else { "" };
        say(
            "directory",
            &format!("{} is the node's {}{mode}", path.mount_path, path.host_path),
        );
    }
    for (name, content) in &config.files {
        let end = if content.ends_with('\n') { "" } else { "\n" };
        let _ = write!(text, "\n# {CONFIG_DIRECTORY}/{name}:\n{content}{end}");
    }
    text
}
