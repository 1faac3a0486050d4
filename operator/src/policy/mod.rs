//! The story of one policy, told by one function.

pub mod apply;
pub mod build;
pub mod dereference;
pub mod overlap;
pub mod rollout;
pub mod status;
pub mod validate;
pub mod view;

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use tributary_crds::LoggingPolicy;
use tributary_crds::status::{LoggingPolicyStatus, condition_type};

use crate::context::Context;
use crate::error::Error;
use apply::Applied;

/// Makes the cluster what the policy says, and the policy's status what the cluster is.
pub async fn reconcile(
    policy: Arc<DeserializeGuard<LoggingPolicy>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    let name = policy.name_any();
    if let Some(wait) = context.pace(&name) {
        return Ok(Action::requeue(wait));
    }
    let _measured = context.metrics.reconciling();

    let Some(inputs) = dereference::dereference(&context, &name).await? else {
        return Ok(Action::await_change());
    };
    let verdict = validate::validate(&inputs);
    let plan = build::build(&inputs, &verdict, context.streamer_image.as_deref())?;
    let applied = apply::apply(&context, &inputs, &plan).await?;
    let rollout = rollout::look(&context, &inputs.identity.name, &applied).await?;
    let status = status::compute(&inputs, &verdict, &applied, rollout.as_ref(), (context.clock)());
    status::publish(&context, &inputs, &status).await?;

    context.remember(&name, |memory| memory.failures = 0);
    Ok(Action::requeue(next_look(&name, &status, &applied)))
}

/// When to try again after a failure: soon at first, then less and less often.
pub fn after_failure(policy: &DeserializeGuard<LoggingPolicy>, error: &Error, context: &Context) -> Action {
    let name = policy.name_any();
    let mut failures = 0;
    context.remember(&name, |memory| {
        memory.failures += 1;
        failures = memory.failures;
    });
    context.metrics.failed(error.label());
    tracing::warn!(policy = name, %error, failures, "cannot reconcile; trying again");
    let wait = Duration::from_secs(1 << failures.min(8)).min(Duration::from_secs(180));
    Action::requeue(spread(&name, wait))
}

/// When to look again, though nothing that is watched has changed.
fn next_look(name: &str, status: &LoggingPolicyStatus, applied: &Applied) -> Duration {
    let unsettled = [
        condition_type::RECONCILING,
        condition_type::STALLED,
        condition_type::OVERLAPPING,
    ];
    let seconds = if matches!(applied, Applied::Refused(_)) {
        // A quota may have been raised, which nothing tells us.
        15
    } else if status
        .conditions
        .iter()
        .any(|c| unsettled.contains(&c.type_.as_str()))
    {
        30
    } else {
        300
    };
    spread(name, Duration::from_secs(seconds))
}

/// Up to a quarter more, by the policy's name, so that many policies do not come at the same moment.
fn spread(name: &str, wait: Duration) -> Duration {
    let share: u32 = name.bytes().map(u32::from).sum::<u32>() % 16;
    wait + wait * share / 64
}
