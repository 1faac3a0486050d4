//! `tributary`, also installed as `kubectl-tributary`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let status = tributary_cli::run(
        std::env::args_os(),
        &mut std::io::stdin().lock(),
        &mut std::io::stdout().lock(),
        &mut std::io::stderr().lock(),
    );
    ExitCode::from(status)
}
