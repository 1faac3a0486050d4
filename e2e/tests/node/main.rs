//! What needs a whole node: kubelet, containerd, real agents, real backends. `cargo e2e` runs it, as root.
//!
//! One cluster serves all tests, one after the other. Arguments select tests by name, as with `cargo test`.

mod deployment;
mod direct;
mod faults;
mod messages;
mod outputs;
mod policies;
mod readme;
mod receiving;
mod renewal;
mod shipping;
mod stage;
mod traps;
mod volumes;
mod zoo;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::stage::Stage;

type Test = fn(&Stage) -> anyhow::Result<()>;

const TESTS: &[(&str, Test)] = &[
    (
        "readme::every_command_of_the_readme_works",
        readme::every_command_of_the_readme_works,
    ),
    (
        "readme::kustomize_applies_what_install_yaml_does",
        readme::kustomize_applies_what_install_yaml_does,
    ),
    (
        "shipping::nothing_is_lost_to_rotations_kills_and_the_end_of_the_pod",
        shipping::nothing_lost,
    ),
    (
        "shipping::a_backlog_outlives_the_container_and_does_not_hold_its_end_up",
        shipping::backlog,
    ),
    (
        "shipping::a_sidecar_starts_without_its_secrets",
        shipping::missing_secrets,
    ),
    (
        "messages::a_file_that_no_volume_covers_is_explained_by_kubectl",
        messages::no_volume,
    ),
    (
        "messages::a_mistyped_path_and_container_are_explained",
        messages::mistakes,
    ),
    (
        "messages::pods_start_while_the_webhook_is_down",
        messages::webhook_down,
    ),
    (
        "volumes::files_on_a_claim_below_a_subpath_are_streamed",
        volumes::claim_with_subpath,
    ),
    (
        "volumes::rotated_and_truncated_files_are_streamed_whole",
        volumes::rotation,
    ),
    (
        "policies::selectors_by_namespace_and_pod_labels_select",
        policies::selectors,
    ),
    (
        "policies::a_missing_secret_is_said_and_the_last_good_agent_runs_on",
        policies::missing_secret,
    ),
    ("policies::a_deleted_policy_leaves_nothing", policies::deletion),
    (
        "direct::applications_see_where_to_push_and_who_they_are",
        direct::environment,
    ),
    (
        "renewal::pods_with_an_older_configuration_are_counted_until_they_are_renewed",
        renewal::outdated,
    ),
    ("traps::no_trap_of_a_node_catches_a_pod", traps::on_a_node),
    ("traps::ranges_and_quotas_are_met", traps::limits),
    (
        "zoo::no_pod_is_worse_off_with_us_than_without",
        zoo::never_worse_off,
    ),
    (
        "outputs::http_file_and_stdout_carry_the_standard_record",
        outputs::plain,
    ),
    ("outputs::otlp_reaches_loki", outputs::otlp),
    (
        "outputs::elasticsearch_with_tls_and_password_holds_the_record",
        outputs::elasticsearch,
    ),
    (
        "faults::nothing_is_lost_when_agent_and_backend_are_killed",
        faults::kills,
    ),
    (
        "faults::nothing_is_lost_when_the_engine_is_switched",
        faults::switched,
    ),
    (
        "faults::an_agent_that_was_away_reads_what_was_compressed_meanwhile",
        faults::away,
    ),
    ("faults::nothing_is_lost_when_the_backend_is_away", faults::outage),
    (
        "faults::a_killed_streamer_goes_on_where_it_was",
        faults::killed_streamer,
    ),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They share a node, and some take it apart.
    arguments.test_threads = Some(1);
    if arguments.list {
        let trials = TESTS
            .iter()
            .map(|(name, _)| Trial::test(*name, || Ok(())))
            .collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let stage = match Stage::start() {
        Ok(stage) => Arc::new(stage),
        Err(error) => {
            eprintln!("no cluster to test on: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let trials = TESTS.iter().map(|&(name, test)| {
        let stage = Arc::clone(&stage);
        Trial::test(name, move || {
            test(&stage).map_err(|error| Failed::from(format!("{error:#}")))
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if let Err(error) = stage.end(conclusion.has_failed()) {
        eprintln!("the cluster could not be removed: {error:#}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
