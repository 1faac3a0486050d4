//! Level 3: Tributary against a real kube-apiserver and etcd, without nodes and without root.
//!
//! One control plane serves all tests. Tributary is installed from `manifests/install.yaml`, and the operator runs in this
//! process under the `ServiceAccount` that the manifests ship: nothing works only because a test is an administrator.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod belongings;
mod certificates;
mod crd;
mod fixture;
mod install;
#[path = "../../../agents/tests/least_settings/mod.rs"]
mod least_settings;
mod operator;
mod processor_rules;
mod rbac;
mod registration;
mod support_rules;
mod watchdog;
mod webhook;

use std::process::ExitCode;

use fixture::Fixture;
use libtest_mimic::{Arguments, Trial};

/// Each module of tests, by the function that lists them.
const MODULES: &[fn(&Fixture) -> Vec<Trial>] = &[
    certificates::trials,
    crd::trials,
    install::trials,
    operator::trials,
    rbac::trials,
    registration::trials,
    watchdog::trials,
    webhook::trials,
];

fn main() -> ExitCode {
    // It fails only when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::from_args();
    let fixture = match Fixture::start(arguments.list) {
        Ok(fixture) => fixture,
        Err(error) => {
            eprintln!("cannot start the control plane that every test here needs: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let trials = MODULES.iter().flat_map(|trials| trials(&fixture)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    fixture.stop();
    conclusion.exit_code()
}
