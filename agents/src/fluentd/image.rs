//! Which of Fluentd's images has what the outputs need. Each of them has the plugin of one backend.

use tributary_crds::engine::Engine;
use tributary_crds::output::Output;
use tributary_crds::support::Refusal;

/// A plugin that neither Fluentd nor our scripts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plugin {
    /// The gem's name.
    gem: &'static str,
    /// The image that has it.
    image: &'static str,
}

/// The destinations that need a plugin, by their fields.
const PLUGINS: [(&str, Plugin); 4] = [
    (
        "kafka",
        Plugin {
            gem: "fluent-plugin-kafka",
            image: "docker.io/fluent/fluentd-kubernetes-daemonset:v1.19.3-debian-kafka2-1.1",
        },
    ),
    (
        "s3",
        Plugin {
            gem: "fluent-plugin-s3",
            image: "docker.io/fluent/fluentd-kubernetes-daemonset:v1.19.3-debian-s3-1.1",
        },
    ),
    (
        "cloudWatch",
        Plugin {
            gem: "fluent-plugin-cloudwatch-logs",
            image: "docker.io/fluent/fluentd-kubernetes-daemonset:v1.19.3-debian-cloudwatch-1.1",
        },
    ),
    (
        "gcs",
        Plugin {
            gem: "fluent-plugin-gcs",
            image: "docker.io/fluent/fluentd-kubernetes-daemonset:v1.19.3-debian-gcs-1.1",
        },
    ),
];

/// The plugins that outputs need, each once.
fn plugins(outputs: &[Output]) -> Vec<Plugin> {
    let needed = |field: &str| {
        outputs
            .iter()
            .filter_map(Output::destination)
            .any(|destination| destination.support().field == field)
    };
    PLUGINS
        .iter()
        .filter(|(field, _)| needed(field))
        .map(|(_, plugin)| *plugin)
        .collect()
}

/// The image that has what the outputs need.
pub fn of(outputs: &[Output]) -> &'static str {
    plugins(outputs)
        .first()
        .map_or(Engine::Fluentd.default_image(), |plugin| plugin.image)
}

/// Why no image has all that the outputs need, and what to write.
pub fn refusal(outputs: &[Output]) -> Option<Refusal> {
    let plugins = plugins(outputs);
    let gems: Vec<&str> = plugins.iter().map(|plugin| plugin.gem).collect();
    (gems.len() > 1).then(|| Refusal {
        problem: format!("no image of Fluentd's has {}", gems.join(" and ")),
        remedy: "write nodeAgent.pod.image: one of your own that has them, or a policy of its own for each of these outputs"
            .to_owned(),
    })
}
